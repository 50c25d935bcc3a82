import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { checkFault } from '#chaos/fault.ts';
import { Link, type Target } from '#chaos/link.ts';

/**
 * A TCP proxy that misbehaves on command. `node main.ts --control-port=PORT`, then
 * `PUT /links/NAME {host, port}` answers `{port}`, `PUT /links/NAME/fault` takes a Fault, `GET /links/NAME` its counters.
 */
const port = Number(process.argv.find((word) => word.startsWith('--control-port='))?.split('=')[1]);
const links = new Map<string, Link>();

createServer((request, response) => {
  answer(request).then(
    (body) => send(response, 200, body),
    (error: unknown) => send(response, 400, { error: error instanceof Error ? error.message : String(error) }),
  );
}).listen(port, '127.0.0.1', () => process.stdout.write(`chaos is controlled on 127.0.0.1:${port}\n`));
process.once('SIGTERM', () => process.exit(0));

async function answer(request: IncomingMessage): Promise<unknown> {
  const [, root, name = '', act] = (request.url ?? '').split('/');
  if (root !== 'links' || name === '') throw new TypeError(`${request.url ?? ''} is not /links/NAME`);
  const link = links.get(name);
  if (request.method === 'PUT' && act === undefined) {
    if (link !== undefined) throw new TypeError(`link ${name} exists`);
    const { host, port: targetPort } = (await json(request)) as Target;
    const made = new Link({ host, port: targetPort });
    links.set(name, made);
    return { port: await made.listen() };
  }
  if (link === undefined) throw new TypeError(`there is no link ${name}`);
  if (request.method === 'PUT' && act === 'fault') link.set(checkFault(await json(request)));
  return link.counters;
}

async function json(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString());
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
