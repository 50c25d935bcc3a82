import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { splice } from '#tcp/splice.ts';

const toClose: (() => unknown)[] = [];
afterEach(() => {
  for (const close of toClose.splice(0)) close();
});

/** Both ends of a connection that allows a half to be closed. */
async function wire(): Promise<readonly [Socket, Socket]> {
  const listener = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const near = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [far] = (await once(listener, 'connection')) as [Socket];
  for (const socket of [near, far]) socket.on('error', () => undefined);
  toClose.push(
    () => near.destroy(),
    () => far.destroy(),
    () => listener.close(),
  );
  return [near, far];
}

async function spliced(options: { readonly idleMs: number; readonly lingerMs?: number }) {
  const [person, client] = await wire();
  const [upstream, server] = await wire();
  splice(client, upstream, options);
  // As a host that vanished: it takes what comes and never closes its half.
  person.on('data', () => undefined);
  return { person, client, server };
}
const closedAfterMs = async (socket: Socket) => {
  const startedMs = performance.now();
  await once(socket, 'close');
  return performance.now() - startedMs;
};

describe('a splice', () => {
  it('lets go of an end that stays when the other has closed its half, after as long as is allowed', async () => {
    const { client, server } = await spliced({ idleMs: 60_000, lingerMs: 300 });
    server.end('the last words');
    expect(await closedAfterMs(client)).toBeLessThan(2_000);
  });

  it('waits for as long as something still passes', async () => {
    const { person, client, server } = await spliced({ idleMs: 60_000, lingerMs: 300 });
    server.resume();
    server.end();
    const still = setInterval(() => person.write('x'), 100);
    setTimeout(() => clearInterval(still), 1_000);
    expect(await closedAfterMs(client)).toBeGreaterThan(1_000);
  });

  it('ends where nothing passes either way', async () => {
    const { client } = await spliced({ idleMs: 200 });
    expect(await closedAfterMs(client)).toBeGreaterThan(150);
  });
});
