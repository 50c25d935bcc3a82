import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { joinStreams } from '#join-streams.ts';
import { listen } from '#testing/echo.ts';

const toClose: (() => unknown)[] = [];
afterEach(() => {
  for (const close of toClose.splice(0).toReversed()) close();
});

/** A connection with both of its ends; the near one is who we relay for. */
async function pair(): Promise<{ readonly outer: Socket; readonly inner: Socket }> {
  const server: Server = createServer({ allowHalfOpen: true });
  const port = await listen(server);
  const outer = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [inner] = (await once(server, 'connection')) as [Socket];
  server.close();
  for (const socket of [outer, inner]) {
    socket.on('error', () => undefined);
    toClose.push(() => socket.destroy());
  }
  return { outer, inner };
}

async function joined() {
  const [client, agent] = [await pair(), await pair()];
  const closed = new Promise<void>((resolve) => void joinStreams(client.inner, agent.inner, resolve));
  return { client: client.outer, agent: agent.outer, ends: [client.inner, agent.inner] as const, closed };
}

describe('two joined connections', () => {
  it('hand the last bytes to a slow reader, though the end that sent them is closed by then', async () => {
    const got: string[] = [];
    const held: (() => void)[] = [];
    const slow = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        held.push(() => {
          got.push(String(chunk));
          done();
        });
      },
    });
    const { outer, inner } = await pair();
    const closed = new Promise<void>((resolve) => void joinStreams(slow, inner, resolve));
    slow.push(null);
    outer.end('the last bytes').resume();
    await once(inner, 'close');
    expect([slow.destroyed, held.length]).toEqual([false, 1]);
    held[0]?.();
    await closed;
    expect([got, slow.writableFinished]).toEqual([['the last bytes'], true]);
  });

  it('pass half-close on and stay open the other way', async () => {
    const { client, agent, ends } = await joined();
    client.end('first');
    expect(String((await once(agent, 'data'))[0])).toBe('first');
    await once(agent, 'end');
    agent.write('still here');
    expect(String((await once(client, 'data'))[0])).toBe('still here');
    expect(ends.map(({ closed }) => closed)).toEqual([false, false]);
  });

  it('are both closed when either breaks, and it is told once', async () => {
    for (const side of ['client', 'agent'] as const) {
      const both = await joined();
      const other = once(both[side === 'client' ? 'agent' : 'client'].resume(), 'end');
      both[side].resetAndDestroy();
      await both.closed;
      await other;
    }
  });

  it('are closed where one had closed before', async () => {
    const [client, agent] = [await pair(), await pair()];
    agent.inner.destroy();
    await once(agent.inner, 'close');
    await new Promise<void>((resolve) => void joinStreams(client.inner, agent.inner, resolve));
    expect(client.inner.destroyed).toBe(true);
  });
});
