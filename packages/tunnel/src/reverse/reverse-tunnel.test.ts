import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { PosternError } from '@postern/api';
import { limits } from '@postern/limits';
import { afterEach, describe, expect, it } from 'vitest';
import type { ReverseTunnelClient } from '#reverse/tunnel-client.ts';
import { listen } from '#testing/echo.ts';
import { credentialsOf, type TestProxy, testAgent, testProxy } from '#testing/tunnel-pair.ts';

const resourceId = Buffer.from('resource');
const toClose: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of toClose.splice(0).toReversed()) await thing.stop();
});
async function proxy(options?: Parameters<typeof testProxy>[0]): Promise<TestProxy> {
  const made = await testProxy(options);
  toClose.push(made);
  return made;
}
function agent(name: string, options: Parameters<typeof testAgent>[1]): ReverseTunnelClient {
  const made = testAgent(name, options);
  toClose.push(made);
  made.start();
  return made;
}
const echo = (stream: Duplex) => void stream.on('error', () => undefined).pipe(stream);
const attached = (p: TestProxy, ...names: string[]) =>
  expect.poll(() => p.tunnels.attachedAgents().sort(), { timeout: 8000 }).toEqual(names);
async function exchange(stream: Duplex, sent: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  stream.end(sent);
  await once(stream, 'end');
  return Buffer.concat(parts);
}
async function dialTo(p: TestProxy, agentId: string, head?: Buffer): Promise<Duplex> {
  const stream = await p.tunnels.dial({ agentId, resourceId, clientAddress: '192.0.2.1:7', ...(head ? { head } : {}) });
  return stream.on('error', () => undefined);
}

describe('a reverse tunnel', () => {
  it('carries bytes both ways to an agent that dialled out, with the head in front and the client address told', async () => {
    const p = await proxy();
    const seen: unknown[] = [];
    agent('agent-a', {
      proxies: [p.address],
      onConnection: (stream, info) => {
        seen.push([info.resourceId.toString(), info.clientAddress, info.proxyId]);
        echo(stream);
      },
    });
    await attached(p, 'agent-a');
    const body = randomBytes(500_000);
    const stream = await dialTo(p, 'agent-a', Buffer.from('head '));
    expect((await exchange(stream, body)).equals(Buffer.concat([Buffer.from('head '), body]))).toBe(true);
    expect(seen).toEqual([['resource', '192.0.2.1:7', 'proxy-1']]);
  });

  it('outlives any number of connections that end badly: they are the doing of those who were connected', async () => {
    const p = await proxy();
    let taken = 0;
    agent('agent-a', {
      proxies: [p.address],
      onConnection: (stream) => {
        taken += 1;
        stream.on('error', () => undefined).destroy(new Error('a handshake that failed'));
      },
    });
    await attached(p, 'agent-a');
    // nghttp2 ends a connection after a thousand resets.
    for (let round = 0; round < 30; round += 1) {
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          const stream = await dialTo(p, 'agent-a');
          if (!stream.destroyed) await new Promise((resolve) => stream.once('close', resolve));
        }),
      );
    }
    expect(taken).toBe(1_500);
    expect(p.changes).toEqual(['agent-a attached: hello']);
  });

  it('opens streams when dials come, many at once, keeps some ready from then on, and forgets those that ended', async () => {
    const p = await proxy();
    agent('agent-a', { proxies: [p.address], onConnection: echo });
    await attached(p, 'agent-a');
    // One that nobody has used yet keeps none: it costs memory in the proxy.
    expect(p.tunnels.counts().idleCarries).toBe(0);
    const streams = await Promise.all(Array.from({ length: 60 }, () => dialTo(p, 'agent-a')));
    expect(p.tunnels.counts().busyCarries).toBe(60);
    await Promise.all(streams.map((stream, i) => exchange(stream, Buffer.from(`${i}`))));
    await expect.poll(() => p.tunnels.counts().busyCarries).toBe(0);
    expect(p.tunnels.counts().idleCarries).toBeGreaterThanOrEqual(4);
  });

  it('spreads over a second connection when one is full of streams, and stops at the limit of streams per agent', async () => {
    const limits = { carriesPerAgent: 120, streamsPerTunnelConnection: 100, dialMs: 3_000 };
    const p = await proxy({ limits });
    agent('agent-a', { proxies: [p.address], onConnection: echo, limits });
    await attached(p, 'agent-a');
    const dials = await Promise.allSettled(Array.from({ length: 130 }, () => dialTo(p, 'agent-a')));
    expect(dials.filter(({ status }) => status === 'fulfilled')).toHaveLength(120);
    expect(p.server.connectionCount).toBe(2);
  });

  it('holds over a thousand sessions of one agent at a time, nearly a thousand on each connection', async () => {
    const p = await proxy();
    agent('agent-a', { proxies: [p.address], onConnection: echo });
    await attached(p, 'agent-a');
    const streams: Duplex[] = [];
    for (let i = 0; i < 1_100; i += 50) {
      streams.push(...(await Promise.all(Array.from({ length: 50 }, () => dialTo(p, 'agent-a')))));
      if (streams.length === 950) expect(p.server.connectionCount).toBe(1);
    }
    expect(p.tunnels.counts().busyCarries).toBe(1_100);
    expect(p.server.connectionCount).toBe(2);
    // Each of them carries, the first as well as the last.
    for (const at of [0, 949, 1_099]) {
      const stream = streams[at];
      if (!stream) throw new Error('no stream');
      expect((await exchange(stream, Buffer.from(`${at}`))).toString()).toBe(`${at}`);
    }
    for (const stream of streams) stream.destroy();
    await expect.poll(() => p.tunnels.counts().busyCarries, { timeout: 5_000 }).toBe(0);
  });

  it('refuses a dial to an agent that is not attached, and tells the words of an agent that refuses', async () => {
    const p = await proxy();
    agent('agent-a', {
      proxies: [p.address],
      onConnection: echo,
      serves: (id) => (id.equals(resourceId) ? 'not mine any more' : undefined),
    });
    await attached(p, 'agent-a');
    await expect(dialTo(p, 'agent-b')).rejects.toMatchObject({
      code: 'unavailable',
      message: 'agent agent-b is not attached to this proxy',
    });
    await expect(dialTo(p, 'agent-a')).rejects.toMatchObject({ code: 'unavailable', message: 'agent agent-a refused: not mine any more' });
  });

  it('fails a dial in time when the agent does not answer, and gives a silent agent up', async () => {
    const p = await proxy({ limits: { dialMs: 200, silenceMs: 600, heartbeatMs: 100 } });
    // A wire that stops delivering towards the proxy and says nothing: a one-way partition.
    let cut = false;
    const wire = createServer((near) => {
      const far = connect(Number(p.address.split(':')[1]), '127.0.0.1');
      near.on('data', (bytes) => cut || far.write(bytes));
      far.pipe(near);
      near.on('error', () => far.destroy()).on('close', () => far.destroy());
      far.on('error', () => near.destroy());
    });
    const port = await listen(wire);
    agent('agent-a', { proxies: [`127.0.0.1:${port}`], onConnection: echo, limits: { heartbeatMs: 100 } });
    await attached(p, 'agent-a');
    cut = true;
    await expect(dialTo(p, 'agent-a')).rejects.toMatchObject({ code: 'unavailable' });
    await expect.poll(() => p.tunnels.attachedAgents(), { timeout: 3000 }).toEqual([]);
    expect(p.changes.at(-1)).toContain('agent-a detached');
    cut = false;
    wire.close();
  });

  it('turns away from what takes its connection and never answers, when its patience is over', async () => {
    const silent = createServer((socket) => void socket.on('error', () => undefined).resume());
    const port = await listen(silent);
    const client = agent('agent-a', { proxies: [`127.0.0.1:${port}`], onConnection: echo, limits: { answerMs: 300 }, random: () => 1 });
    const startedMs = performance.now();
    await expect.poll(() => client.status()[0]?.lastError, { timeout: 3_000, interval: 10 }).toBe(`no proxy answered at 127.0.0.1:${port}`);
    expect(performance.now() - startedMs).toBeGreaterThan(290);
    silent.close();
  });

  it('keeps an agent that says nothing but its PINGs, many times as long as silence would be', async () => {
    const p = await proxy({ limits: { silenceMs: 300 } });
    agent('agent-a', { proxies: [p.address], onConnection: echo, limits: { heartbeatMs: 60, silenceMs: 300 } });
    await attached(p, 'agent-a');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(p.changes).toEqual(['agent-a attached: hello']);
  });

  it('hears less often from an agent that it has asked for that, and has so much more patience with it', async () => {
    // 64 agents are reckoned with: a PING every 60 + 640 ms, and silence after 200 + 1,280.
    const p = await proxy({ limits: { heartbeatMs: 60, silenceMs: 200, attachMs: 10 } });
    let said = 0;
    let cut = false;
    const wire = createServer((near) => {
      const far = connect(Number(p.address.split(':')[1]), '127.0.0.1');
      near.on('data', (bytes) => ((said += 1), cut || far.write(bytes)));
      far.pipe(near);
      near.on('error', () => far.destroy()).on('close', () => far.destroy());
      far.on('error', () => near.destroy());
    });
    const port = await listen(wire);
    agent('agent-a', { proxies: [`127.0.0.1:${port}`], onConnection: echo, limits: { heartbeatMs: 60, silenceMs: 5_000 } });
    await attached(p, 'agent-a');
    await delay(500);
    said = 0;
    await delay(2_000);
    expect(said).toBeGreaterThanOrEqual(1);
    expect(said).toBeLessThanOrEqual(4);
    expect(p.changes).toEqual(['agent-a attached: hello']);
    cut = true;
    const cutMs = performance.now();
    await expect.poll(() => p.tunnels.attachedAgents(), { timeout: 4_000, interval: 20 }).toEqual([]);
    expect(performance.now() - cutMs).toBeGreaterThan(700);
    wire.close();
  });

  it('has agents share a time for coming back: each that attaches, and all of them when they have become twice as many', async () => {
    const p = await proxy({ limits: { attachMs: 20 } });
    // 0.5 ** 0.8 of 64 × 20 ms is what one waits that knows of no others, and of 128 × 20 ms what it was told later.
    const waitsMs = { alone: 735, told: 1_470 };
    const backAfterMs = async (from: TestProxy) => {
      await from.stop();
      const startedMs = performance.now();
      const again = await proxy({ port: Number(p.address.split(':')[1]), limits: { attachMs: 20 } });
      await expect.poll(() => again.tunnels.attachedAgents().includes('first'), { timeout: 8_000, interval: 10 }).toBe(true);
      return { again, tookMs: performance.now() - startedMs };
    };
    agent('first', { proxies: [p.address], onConnection: echo, random: () => 0.5 });
    await attached(p, 'first');
    const { again, tookMs } = await backAfterMs(p);
    expect(tookMs).toBeGreaterThan(waitsMs.alone - 20);
    expect(tookMs).toBeLessThan(1_260);
    for (let i = 1; i < 128; i += 1) agent(`agent-${i}`, { proxies: [p.address], onConnection: echo, random: () => 0 });
    await expect.poll(() => again.tunnels.attachedAgents().length, { timeout: 20_000 }).toBe(128);
    expect((await backAfterMs(again)).tookMs).toBeGreaterThan(waitsMs.told - 20);
  }, 60_000);

  it('has an agent whose moment the proxy missed take the same moment of the next such time', async () => {
    const p = await proxy({ limits: { attachMs: 20 } });
    const client = agent('agent-a', { proxies: [p.address], onConnection: echo, random: () => 0 });
    await attached(p, 'agent-a');
    await p.stop();
    const lostMs = performance.now();
    await expect.poll(() => client.status()[0]?.lastError, { interval: 10 }).toContain('ECONNREFUSED');
    const again = await proxy({ port: Number(p.address.split(':')[1]), limits: { attachMs: 20 } });
    await attached(again, 'agent-a');
    // 64 agents are reckoned with, 20 ms for each.
    expect(performance.now() - lostMs).toBeGreaterThan(1_280 - 20);
  });

  it('attaches to every proxy of a list, follows changes of the list, and comes back to a proxy that restarts', async () => {
    const [one, two] = [await proxy({ proxyId: 'one' }), await proxy({ proxyId: 'two' })];
    const client = agent('agent-a', { proxies: [one.address], onConnection: echo });
    await attached(one, 'agent-a');
    client.setProxies([one.address, two.address]);
    await attached(two, 'agent-a');
    expect(
      client
        .status()
        .map(({ state, proxyId }) => `${proxyId} ${state}`)
        .sort(),
    ).toEqual(['one attached', 'two attached']);
    client.setProxies([two.address]);
    await attached(one);
    await two.stop();
    const again = await testProxy({ proxyId: 'two again', port: Number(two.address.split(':')[1]) });
    toClose.push(again);
    await attached(again, 'agent-a');
  });

  it('changes to a renewed certificate without cutting an open stream', async () => {
    const p = await proxy();
    const client = agent('agent-a', { proxies: [p.address], onConnection: echo });
    await attached(p, 'agent-a');
    const stream = await dialTo(p, 'agent-a');
    stream.write('before');
    expect(String((await once(stream, 'data'))[0])).toBe('before');
    client.renew();
    await expect.poll(() => p.server.connectionCount).toBe(2);
    await attached(p, 'agent-a');
    stream.write('after');
    expect(String((await once(stream, 'data'))[0])).toBe('after');
    stream.end();
    stream.resume();
    // What is retired stays for a second, for dials that are on their way.
    await expect.poll(() => p.server.connectionCount, { timeout: 4_000 }).toBe(1);
    await attached(p, 'agent-a');
  });

  it.each([undefined, 'open'] as const)('loses no dial while the certificate is renewed [lines: %s]', async (lines) => {
    const p = await proxy(lines && { lines });
    const client = agent('agent-a', { proxies: [p.address], onConnection: echo });
    await attached(p, 'agent-a');
    let gaps = 0;
    const count = { dials: 0, renewals: 0 };
    const watch = setInterval(() => void (gaps += p.tunnels.attachedAgents().length === 0 ? 1 : 0), 1);
    const use = async () => {
      while (count.renewals < 4) {
        const stream = await dialTo(p, 'agent-a');
        count.dials += 1;
        expect(String(await exchange(stream, Buffer.from('asked')))).toBe('asked');
      }
    };
    const renew = async () => {
      for (; count.renewals < 4; count.renewals += 1) {
        const before = p.server.connectionCount;
        client.renew();
        await expect.poll(() => p.server.connectionCount, { interval: 1 }).toBeGreaterThan(before);
        await expect.poll(() => p.server.connectionCount, { interval: 1, timeout: 4_000 }).toBe(1);
      }
    };
    await Promise.all([renew(), ...Array.from({ length: 8 }, use)]).finally(() => clearInterval(watch));
    expect(gaps).toBe(0);
    expect(count.dials).toBeGreaterThan(100);
    expect(p.changes).toEqual(['agent-a attached: hello']);
  });

  it('keeps what is attached while the attachment under the new certificate does not come to stand', async () => {
    const p = await proxy();
    const refused = { checkServer: () => new Error('the peer is no proxy of this cluster') };
    const good = credentialsOf('agent-a');
    let credentials = good;
    const client = agent('agent-a', { proxies: [p.address], onConnection: echo, credentials: () => credentials });
    await attached(p, 'agent-a');
    credentials = { ...good, ...refused };
    client.renew();
    await expect
      .poll(() => client.status()[0])
      .toMatchObject({ state: 'waiting', lastError: expect.stringContaining('no proxy of this cluster') });
    expect(String(await exchange(await dialTo(p, 'agent-a'), Buffer.from('still')))).toBe('still');
    credentials = good;
    await expect.poll(() => client.status()[0]?.state).toBe('attached');
    await expect.poll(() => p.server.connectionCount, { timeout: 4_000 }).toBe(1);
    expect(p.changes).toEqual(['agent-a attached: hello']);
  });

  it('cuts every stream and connection of an agent that is ended, and of no other', async () => {
    const p = await proxy();
    agent('agent-a', { proxies: [p.address], onConnection: echo, backoff: { baseMs: 60_000, capMs: 60_000 }, random: () => 0.99 });
    agent('agent-b', { proxies: [p.address], onConnection: echo });
    await attached(p, 'agent-a', 'agent-b');
    const [a, b] = [await dialTo(p, 'agent-a'), await dialTo(p, 'agent-b')];
    const closed = new Promise((resolve) => a.on('error', resolve));
    p.tunnels.endHost('agent-a', new PosternError('locked', 'agent agent-a is locked'));
    await closed;
    await attached(p, 'agent-b');
    expect((await exchange(b, Buffer.from('goes on'))).toString()).toBe('goes on');
  });

  it('sends agents elsewhere when the proxy drains, while open streams go on', async () => {
    const [one, two] = [await proxy(), await proxy()];
    agent('agent-a', { proxies: [one.address, two.address], onConnection: echo });
    await attached(one, 'agent-a');
    await attached(two, 'agent-a');
    const stream = await dialTo(one, 'agent-a');
    one.tunnels.drain();
    await attached(one);
    await expect(dialTo(one, 'agent-a')).rejects.toMatchObject({ code: 'unavailable' });
    expect((await exchange(stream, Buffer.from('still here'))).toString()).toBe('still here');
    await attached(two, 'agent-a');
  });

  it('does not attach to a server whose certificate is not a proxy, though the same authority signed it', async () => {
    const p = await proxy();
    const statuses: string[] = [];
    agent('agent-a', {
      proxies: [p.address],
      onConnection: echo,
      onStatus: ({ state, lastError }) => statuses.push(`${state} ${lastError ?? ''}`),
      credentials: () => ({ context: {}, checkServer: () => new Error('the peer is no proxy of this cluster') }),
    });
    await expect.poll(() => statuses.filter((line) => line.startsWith('waiting')).length).toBeGreaterThan(1);
    expect(p.tunnels.attachedAgents()).toEqual([]);
  });

  it('takes four connections of one agent and refuses a fifth [limit connectionsPerAgent]', async () => {
    const p = await proxy();
    const more = limits.connectionsPerAgent + 1;
    for (let i = 0; i < more; i++) agent('agent-a', { proxies: [p.address], onConnection: echo });
    await expect.poll(() => p.server.connectionCount).toBe(limits.connectionsPerAgent);
    await delay(200);
    expect(p.server.connectionCount).toBe(limits.connectionsPerAgent);
  });
});
