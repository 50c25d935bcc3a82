import { createServer } from 'node:http';
import type { Emulator } from '#emulator.ts';
import type { Mode } from '#options.ts';

type Controlled = Pick<Emulator, 'setMode' | 'seedObject'>;

/**
 * An emulator that is a process of its own, told from outside: `PUT /modes/OPERATION` with a Mode as JSON, `DELETE /modes/OPERATION`, and
 * `PUT /objects/REGION` with a SeedObject as JSON. On a port of its own, so that nothing an agent sends is taken for it.
 */
export async function startControl(emulator: Controlled, port: number): Promise<void> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      try {
        const known = control(emulator, { method: request.method ?? '', path: request.url ?? '', body: Buffer.concat(chunks).toString() });
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

/** False where there is nothing of that name to be told. */
function control(
  emulator: Controlled,
  { method, path, body }: { readonly method: string; readonly path: string; readonly body: string },
): boolean {
  const [, root, name = ''] = path.split('/');
  if (name === '' || (method !== 'PUT' && method !== 'DELETE')) return false;
  if (root === 'modes') emulator.setMode(name, method === 'PUT' ? (JSON.parse(body) as Mode) : undefined);
  else if (root === 'objects' && method === 'PUT') emulator.seedObject(name, JSON.parse(body) as Parameters<Emulator['seedObject']>[1]);
  else return false;
  return true;
}
