import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
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
  it('hand every byte to a slow reader, though the end that sent them has said and taken everything long before', async () => {
    const { client, agent, ends, closed } = await joined();
    client.pause();
    client.end('request');
    agent.resume();
    await once(agent, 'end');
    // More than the sockets' buffers hold, and less than would be held back before the sender is done.
    const body = Buffer.alloc(8 * 1024 * 1024, 7);
    const sent = new Promise((resolve) => agent.end(body, () => resolve(undefined)));
    let got = 0;
    const read = new Promise<number>((resolve) => {
      client.on('end', () => resolve(got));
      // A byte here and there until the sender is gone.
      const sip = setInterval(() => {
        got += client.read(65_536)?.length ?? 0;
        if (!ends[1].closed) return;
        clearInterval(sip);
        client.on('data', (part: Buffer) => {
          got += part.length;
        });
        client.resume();
      }, 1);
    });
    await sent;
    expect(await read).toBe(body.length);
    await closed;
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
