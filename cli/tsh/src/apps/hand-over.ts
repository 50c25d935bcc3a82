import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export interface HandOver {
  /** A browser that opens it is sent on; for one time. */
  readonly address: string;
  readonly taken: Promise<void>;
  close(): void;
}

/**
 * Hands a secret address to a program that takes one as an argument: every user of a machine reads arguments of every process, and the
 * address of a sign-in is good for minutes. This one is good for one request on this machine, and then for nothing.
 */
export async function handOver(secretUrl: string): Promise<HandOver> {
  const path = `/${randomBytes(16).toString('hex')}`;
  const { promise: taken, resolve } = Promise.withResolvers<void>();
  let isTaken = false;
  const server: Server = createServer((request, response) => {
    const quiet = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', connection: 'close' };
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    // A page that has its name point here asks under that name.
    if (request.url !== path || request.method !== 'GET' || request.headers.host !== host) return void response.writeHead(404, quiet).end();
    if (isTaken) return void response.writeHead(410, { ...quiet, 'content-type': 'text/plain' }).end('This address was used already.\n');
    isTaken = true;
    response.writeHead(303, { ...quiet, location: secretUrl }).end(resolve);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}${path}`,
    taken,
    close: () => void server.close(),
  };
}
