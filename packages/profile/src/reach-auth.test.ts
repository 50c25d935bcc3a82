import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import { callUnary, StatusService } from '@postern/api';
import { afterEach, describe, expect, it } from 'vitest';
import { reachAuth } from '#reach-auth.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo.splice(0)) one();
});

const ask = (client: Client) => callUnary(client, StatusService.getStatus, {});

async function port(onConnection: (socket: Socket) => void): Promise<{ readonly address: string; readonly close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  undo.push(close);
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

describe('auth that cannot be reached', () => {
  it('is told without OpenSSL’s words where the proxy’s auth door says so with an alert', async () => {
    const INTERNAL_ERROR_ALERT = Buffer.from([21, 3, 3, 0, 2, 2, 80]);
    const { address } = await port((socket) => socket.once('data', () => socket.end(INTERNAL_ERROR_ALERT)));
    await expect(reachAuth(new Client(address, credentials.createSsl()), address, ask)).rejects.toMatchObject({
      code: 'cannot_connect',
      message: `the proxy at ${address} cannot reach auth: it is down or restarting, try again later`,
    });
  });

  it('is told in a sentence and soon where the connection stands and nobody speaks, as behind a frozen auth', async () => {
    const { address } = await port(() => undefined);
    const startedMs = performance.now();
    await expect(reachAuth(new Client(address, credentials.createSsl()), address, ask, { connectMs: 300 })).rejects.toMatchObject({
      code: 'unavailable',
      message: `auth of the cluster at ${address} does not answer: it may be down or overloaded, try again later`,
    });
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  });

  it('is told at once, with the system’s word for it, where nobody listens', async () => {
    const { address, close } = await port(() => undefined);
    close();
    const startedMs = performance.now();
    await expect(reachAuth(new Client(address, credentials.createSsl()), address, ask)).rejects.toMatchObject({
      code: 'cannot_connect',
      message: `cannot connect to the cluster at ${address}: ECONNREFUSED ${address}: is the proxy running? tsh login --proxy=<host:port> goes to another`,
    });
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  });

  // Of auth's own host it asked about the proxy, and for a tsh login.
  it('is told with what the caller knows to do about it', async () => {
    const { address, close } = await port(() => undefined);
    close();
    const ifRefused = 'is auth running? teleport start -c auth.yaml';
    await expect(reachAuth(new Client(address, credentials.createSsl()), address, ask, { ifRefused })).rejects.toMatchObject({
      code: 'cannot_connect',
      message: `cannot connect to the cluster at ${address}: ECONNREFUSED ${address}: ${ifRefused}`,
    });
  });
});
