import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/api';
import { afterEach, describe, expect, it } from 'vitest';
import { LINE_NAME_BYTES, lineHello } from '#reverse/line-hello.ts';
import type { ReverseTunnelClient } from '#reverse/tunnel-client.ts';
import { listen } from '#testing/echo.ts';
import { type TestProxy, testAgent, testProxy } from '#testing/tunnel-pair.ts';

const resourceId = Buffer.from('resource');
const toClose: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of toClose.splice(0).toReversed()) await thing.stop();
});
async function proxy(options: Parameters<typeof testProxy>[0] = {}): Promise<TestProxy> {
  const made = await testProxy({ lines: 'open', ...options });
  toClose.push(made);
  return made;
}
/** One that is attached. */
async function agent(p: TestProxy, options: Partial<Parameters<typeof testAgent>[1]> = {}): Promise<ReverseTunnelClient> {
  const made = testAgent('agent-a', { proxies: [p.address], onConnection: echo, ...options });
  toClose.push(made);
  made.start();
  await expect.poll(() => p.tunnels.attachedAgents(), { timeout: 8_000 }).toEqual(['agent-a']);
  return made;
}
const echo = (stream: Duplex) => void stream.on('error', () => undefined).pipe(stream);
const portOf = (p: TestProxy) => Number(p.address.split(':')[1]);
const busyLines = (p: TestProxy) => p.tunnels.counts().busyLines;
const spareLines = (p: TestProxy) => expect.poll(() => p.tunnels.counts().idleLines).toBe(2);

async function dialTo(p: TestProxy, head?: Buffer): Promise<Duplex> {
  const stream = await p.tunnels.dial({ agentId: 'agent-a', resourceId, clientAddress: '192.0.2.1:7', ...(head ? { head } : {}) });
  return stream.on('error', () => undefined);
}
async function exchange(stream: Duplex, sent: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  stream.end(sent);
  await once(stream, 'end');
  return Buffer.concat(parts);
}
async function answers(stream: Duplex, text: string): Promise<void> {
  stream.write(text);
  expect(String((await once(stream, 'data'))[0])).toBe(text);
}
const isClosed = (stream: Duplex) => (stream.destroyed ? Promise.resolve() : once(stream, 'close'));

describe('a line', () => {
  it('carries bytes both ways beside the tunnel, with the head in front, the client told, and both halves closed one by one', async () => {
    const p = await proxy();
    const seen: unknown[] = [];
    await agent(p, {
      onConnection: (stream, info) => {
        seen.push([info.resourceId.toString(), info.clientAddress, info.proxyId, stream instanceof Socket]);
        echo(stream);
      },
    });
    const stream = await dialTo(p, Buffer.from('head '));
    expect(p.tunnels.counts()).toMatchObject({ busyLines: 1, busyCarries: 0, idleCarries: 0 });
    const body = randomBytes(3_000_000);
    expect((await exchange(stream, body)).equals(Buffer.concat([Buffer.from('head '), body]))).toBe(true);
    expect(seen).toEqual([['resource', '192.0.2.1:7', 'proxy-1', true]]);
    await expect.poll(() => busyLines(p)).toBe(0);
  });

  it('is opened when the first dial comes, and from then on some are ready, so that a dial waits for none', async () => {
    const p = await proxy();
    await agent(p);
    expect(p.lines).toHaveLength(0);
    const streams = await Promise.all(Array.from({ length: 40 }, () => dialTo(p)));
    expect(busyLines(p)).toBe(40);
    for (const [i, stream] of streams.entries()) expect(String(await exchange(stream, Buffer.from(`${i}`)))).toBe(`${i}`);
    await spareLines(p);
    await dialTo(p);
    await spareLines(p);
    expect(p.lines).toHaveLength(43);
  });

  it('is asked for some at a time where very many dials come at once, and each has one', async () => {
    const p = await proxy();
    await agent(p);
    const streams = await Promise.all(Array.from({ length: 120 }, () => dialTo(p)));
    expect(p.tunnels.counts()).toMatchObject({ busyLines: 120, busyCarries: 0 });
    for (const stream of streams) stream.destroy();
    await spareLines(p);
    await expect.poll(() => busyLines(p)).toBe(0);
  });

  it('tells the words of an agent that refuses, the tunnel is not asked the same again, and no socket is left of it', async () => {
    const p = await proxy();
    await agent(p, { serves: () => 'not mine any more' });
    for (let i = 0; i < 20; i += 1) {
      const refused = dialTo(p, Buffer.alloc(500));
      await expect(refused).rejects.toMatchObject({ code: 'unavailable', message: 'agent agent-a refused: not mine any more' });
    }
    await expect.poll(() => p.tunnels.counts()).toMatchObject({ busyLines: 0, idleCarries: 0, busyCarries: 0 });
    // The tunnel, and the two that wait.
    await expect.poll(() => p.sockets.size, { timeout: 3_000 }).toBe(3);
    await expect.poll(() => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length, { timeout: 3_000 }).toBe(6);
  });

  it('is done without where none comes: the first session waits less than a second, and the next not at all', async () => {
    const p = await proxy({ lines: 'silent' });
    await agent(p);
    const beganMs = performance.now();
    await answers(await dialTo(p), 'through the tunnel');
    const firstMs = performance.now() - beganMs;
    expect(firstMs).toBeGreaterThan(650);
    expect(firstMs).toBeLessThan(1_500);
    await answers(await dialTo(p), 'again');
    expect(performance.now() - beganMs - firstMs).toBeLessThan(300);
    expect(p.tunnels.counts()).toMatchObject({ busyLines: 0, busyCarries: 2 });
  });

  it('that comes and leads nowhere costs one session less than a second, and others nothing: they go through the tunnel', async () => {
    const p = await proxy({ lines: 'deaf' });
    await agent(p);
    const beganMs = performance.now();
    await answers(await dialTo(p), 'still served');
    const firstMs = performance.now() - beganMs;
    expect(firstMs).toBeGreaterThan(650);
    for (let i = 0; i < 5; i += 1) await answers(await dialTo(p), 'at once');
    expect(performance.now() - beganMs - firstMs).toBeLessThan(500);
    expect(p.tunnels.counts()).toMatchObject({ idleLines: 0, busyLines: 0, busyCarries: 6 });
  });

  it('is of no use to who stands between: a dial that he changed, and one of his own, reach no session', async () => {
    const p = await proxy();
    const seen: string[] = [];
    const relays: Socket[] = [];
    // Changes the first bytes that the proxy says behind a line's hello.
    const between = createServer((near) => {
      const far = connect(portOf(p), '127.0.0.1').on('error', () => near.destroy());
      near.on('error', () => far.destroy()).on('close', () => far.destroy());
      far.on('close', () => near.destroy());
      near.once('data', (hello: Buffer) => {
        const isLine = hello.includes('.line.');
        if (isLine) relays.push(near);
        far.on('data', (bytes: Buffer) => {
          if (isLine) bytes[7] = (bytes[7] ?? 0) ^ 1;
          near.write(bytes);
        });
        far.write(hello);
        near.pipe(far);
      });
    });
    const port = await listen(between);
    await agent(p, {
      proxies: [`127.0.0.1:${port}`],
      onConnection: (stream, { clientAddress }) => {
        seen.push(`${stream instanceof Socket ? 'line' : 'tunnel'} ${clientAddress}`);
        echo(stream);
      },
    });
    await answers(await dialTo(p, Buffer.from('')), 'through the tunnel');
    expect(seen).toEqual(['tunnel 192.0.2.1:7']);
    expect(relays.length).toBeGreaterThan(0);
    between.close();
  });

  it('is not waited for at an HTTP proxy that never answers, and nothing of it is left', async () => {
    const p = await proxy();
    const open = new Set<Socket>();
    let isMute = false;
    const connectProxy = createServer((near) => {
      open.add(near);
      near.on('error', () => undefined).on('close', () => open.delete(near));
      if (isMute) return void near.resume();
      near.once('data', () => {
        const far = connect(portOf(p), '127.0.0.1').on('error', () => near.destroy());
        near.write('HTTP/1.1 200 OK\r\n\r\n');
        near.pipe(far).pipe(near);
      });
    });
    const port = await listen(connectProxy);
    const before = process.env['grpc_proxy'];
    process.env['grpc_proxy'] = `http://127.0.0.1:${port}`;
    try {
      const client = await agent(p);
      isMute = true;
      await answers(await dialTo(p), 'through the tunnel');
      expect(p.tunnels.counts()).toMatchObject({ busyLines: 0, busyCarries: 1 });
      expect(open.size).toBeGreaterThan(1);
      await client.stop();
      await expect.poll(() => open.size, { timeout: 3_000 }).toBe(0);
    } finally {
      if (before === undefined) delete process.env['grpc_proxy'];
      else process.env['grpc_proxy'] = before;
      connectProxy.close();
    }
  });

  it('counts as a session where there is a limit to them', async () => {
    const p = await proxy({ limits: { carriesPerAgent: 10, dialMs: 1_000 } });
    await agent(p, { limits: { carriesPerAgent: 10 } });
    const dials = await Promise.allSettled(Array.from({ length: 14 }, () => dialTo(p)));
    expect(dials.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
  });

  it('ends with the attachment that it belongs to, at both ends', async () => {
    const p = await proxy();
    const atAgent: Duplex[] = [];
    await agent(p, {
      onConnection: (stream) => {
        atAgent.push(stream);
        echo(stream);
      },
      backoff: { baseMs: 60_000, capMs: 60_000 },
      random: () => 0.99,
    });
    const stream = await dialTo(p);
    await spareLines(p);
    p.tunnels.endHost('agent-a', new PosternError('locked', 'agent agent-a is locked'));
    await isClosed(stream);
    await expect.poll(() => atAgent.map(({ destroyed }) => destroyed)).toEqual([true]);
    await expect.poll(() => p.sockets.size).toBe(0);
  });

  it('goes on when the certificate is renewed, and holds its attachment until it ends', async () => {
    const p = await proxy();
    const client = await agent(p);
    const stream = await dialTo(p);
    client.renew();
    await expect.poll(() => p.server.connectionCount).toBe(2);
    await expect.poll(() => p.tunnels.attachedAgents()).toEqual(['agent-a']);
    await answers(stream, 'goes on');
    await answers(await dialTo(p), 'a new one as well');
    stream.destroy();
    await expect.poll(() => p.server.connectionCount).toBe(1);
  });

  it('goes on while the proxy drains', async () => {
    const p = await proxy();
    await agent(p);
    const stream = await dialTo(p);
    p.tunnels.drain();
    await expect.poll(() => p.tunnels.attachedAgents()).toEqual([]);
    await answers(stream, 'still here');
  });

  it('is gone from the agent when it stops', async () => {
    const p = await proxy();
    const client = await agent(p);
    const stream = await dialTo(p);
    await client.stop();
    await isClosed(stream);
    await expect.poll(() => p.sockets.size).toBe(0);
  });

  it('cannot be had by who has seen its token on the wire, nor with one that nobody issued', async () => {
    const p = await proxy();
    await agent(p);
    const stream = await dialTo(p);
    await spareLines(p);
    const before = p.tunnels.counts();
    for (const token of [...p.lines, randomBytes(LINE_NAME_BYTES).toString('hex')]) {
      const stranger = connect(portOf(p), '127.0.0.1').on('error', () => undefined);
      stranger.write(lineHello(Buffer.from(token, 'hex')));
      stranger.resume();
      await isClosed(stranger);
    }
    expect(p.tunnels.counts()).toEqual(before);
    await answers(stream, 'untouched');
  });
});
