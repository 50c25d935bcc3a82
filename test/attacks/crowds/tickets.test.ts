import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, dial, type HeldSession, sessionName } from '@postern/test-harness/dial.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Crowd } from '#crowds/crowd.ts';

const cannot = lacking('openssl');

describe.skipIf(cannot !== undefined)('a route ticket that somebody has read off the wire', () => {
  const crowd = new Crowd();
  let victim: HeldSession;
  let hello: Buffer;
  const open: Socket[] = [];
  beforeAll(async () => {
    await crowd.open();
    victim = await crowd.session();
    hello = await firstBytes(sessionName(victim.issued.ticket));
  });
  afterAll(async () => {
    for (const socket of open) socket.destroy();
    await crowd.stage.cluster.stop();
  });

  /** The very bytes that the victim's client sent first, and then nothing. */
  function replay(localAddress: string): Socket {
    const socket = connect({ port: crowd.port, host: '127.0.0.1', localAddress });
    socket.on('error', () => undefined);
    // One that reads nothing would not notice that it was closed behind the agent's hello.
    socket.resume().write(hello);
    open.push(socket);
    return socket;
  }

  async function openMs(): Promise<number> {
    const startedMs = performance.now();
    const client = dial(crowd.stage.cluster.proxy, sessionName(victim.issued.ticket), crowd.hostCas, victim);
    expect(await ask(client, 8000)).toMatch(/^HTTP\/1\.1 200/);
    client.close();
    return performance.now() - startedMs;
  }

  it.each([
    ['from an address of his own', '127.0.0.9'],
    ['from behind the same address', '127.0.0.1'],
  ])('opens nothing for the attacker, and its owner has his session within two seconds: replayed %s', async (_where, address) => {
    const unhurriedMs = await openMs();
    for (let i = 0; i < 500; i++) replay(address);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const tookMs = await openMs();
    const alive = open.filter(({ destroyed }) => !destroyed).length;
    console.log(`${unhurriedMs.toFixed(0)} ms before, ${tookMs.toFixed(0)} ms beside 500 replays, ${alive} of them still open`);
    expect(tookMs).toBeLessThan(2_000);
    expect(alive).toBeLessThanOrEqual(8);
    for (const socket of open.splice(0)) socket.destroy();
  });

  it('is worth as little while the attacker comes again and again', async () => {
    const again = setInterval(() => replay('127.0.0.9'), 5);
    try {
      for (let i = 0; i < 5; i++) expect(await openMs()).toBeLessThan(2_000);
    } finally {
      clearInterval(again);
    }
  });
});

/** What a TLS client says first when it asks for a server by this name. */
function firstBytes(servername: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = createServer((socket) =>
      socket.once('data', (bytes) => {
        resolve(bytes);
        socket.destroy();
        wire.close();
      }),
    );
    wire.listen(0, '127.0.0.1', () => {
      const { port } = wire.address() as AddressInfo;
      connectTls({ port, host: '127.0.0.1', servername, ALPNProtocols: ['h2'] }).on('error', () => undefined);
    });
  });
}
