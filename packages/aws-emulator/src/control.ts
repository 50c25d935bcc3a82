import { createServer } from 'node:http';
import type { Emulator } from '#emulator.ts';
import type { Mode } from '#options.ts';

/**
 * Faults of an emulator that is a process of its own: `PUT /modes/OPERATION` with a Mode as JSON, `DELETE /modes/OPERATION`. On a port of
 * its own, so that nothing an agent sends is taken for it.
 */
export async function startControl(emulator: Pick<Emulator, 'setMode'>, port: number): Promise<void> {
  const server = createServer((request, response) => {
    const [, root, operation = ''] = (request.url ?? '').split('/');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const known = root === 'modes' && operation !== '' && (request.method === 'PUT' || request.method === 'DELETE');
      try {
        if (known)
          emulator.setMode(operation, request.method === 'PUT' ? (JSON.parse(Buffer.concat(chunks).toString()) as Mode) : undefined);
        response.writeHead(known ? 204 : 404).end();
      } catch (error) {
        response.writeHead(400).end(String(error));
      }
    });
  });
  // The emulator ends although somebody still holds a connection here.
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
}
