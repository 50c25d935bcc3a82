import { randomBytes, type X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { Duplex } from 'node:stream';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { fromServiceError, openDuplex, PosternError, ReverseTunnel } from '@postern/api';
import { afterEach, describe, expect, it } from 'vitest';
import { wideChannelOptions } from '#grpc-internals.ts';
import { PeerTunnel, type PeerTunnelOptions } from '#reverse/peer-tunnel.ts';
import { authority, listen } from '#testing/echo.ts';
import { type TestProxy, testAgent, testProxy } from '#testing/tunnel-pair.ts';

const resourceId = Buffer.from('resource');
const toClose: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0).toReversed()) await close();
});
async function proxy(options?: Parameters<typeof testProxy>[0]): Promise<TestProxy> {
  const made = await testProxy({ proxyId: 'proxy-b', ...options });
  toClose.push(() => made.stop());
  return made;
}
async function agent(p: TestProxy, onConnection: (stream: Duplex) => void = echo, serves?: () => string | undefined): Promise<void> {
  const made = testAgent('agent-a', { proxies: [p.address], onConnection, ...(serves ? { serves } : {}) });
  toClose.push(() => made.stop());
  made.start();
  await expect.poll(() => p.tunnels.attachedAgents(), { timeout: 8000 }).toEqual(['agent-a']);
}
const own = authority.issue('proxy-a');
const trusting = (identity: { cert: string; key: string }) => () => ({
  context: { ca: authority.caPem, ...identity },
  checkServer: (_host: string, { subject }: X509Certificate) =>
    subject === 'CN=proxy.test' ? undefined : new Error('the certificate is of another'),
});
function peer(address: string, options: Partial<PeerTunnelOptions> = {}): PeerTunnel {
  const made = new PeerTunnel({
    proxyId: 'proxy-b',
    address,
    credentials: trusting(own),
    backoff: { baseMs: 20, capMs: 100 },
    ...options,
  });
  toClose.push(() => made.end(new PosternError('unavailable', 'the test is over')));
  return made;
}
const ready = (to: PeerTunnel) => expect.poll(() => to.status.state, { timeout: 5000 }).toBe('ready');
const dialOptions = { agentId: 'agent-a', resourceId, clientAddress: '192.0.2.1:7' };
const echo = (stream: Duplex) => void stream.on('error', () => undefined).pipe(stream);
async function exchange(stream: Duplex, sent: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  stream.end(sent);
  await once(stream, 'end');
  return Buffer.concat(parts);
}

/** A Carry as any holder of a certificate could open it. */
async function carryAs(identity: { cert: string; key: string }, p: TestProxy, metadata: Record<string, string>): Promise<PosternError> {
  const channel = credentials.createFromSecureContext(createSecureContext({ ca: authority.caPem, ...identity }));
  const client = new Client(p.address, channel, wideChannelOptions({ 'grpc.ssl_target_name_override': 'proxy.test' }));
  const sent = new Metadata();
  for (const [key, value] of Object.entries(metadata)) sent.set(key, value);
  try {
    const call = openDuplex(client, ReverseTunnel.carry, { metadata: sent });
    const [error] = await once(call.resume(), 'error').catch((reason: unknown) => [reason]);
    return fromServiceError(error);
  } finally {
    client.close();
  }
}

describe('the way over another proxy', () => {
  it('carries bytes both ways, with the head in front and the address of the client told to the agent', async () => {
    const p = await proxy();
    const seen: unknown[] = [];
    const made = testAgent('agent-a', {
      proxies: [p.address],
      onConnection: (stream, info) => {
        seen.push([info.resourceId.toString(), info.clientAddress, info.proxyId]);
        echo(stream);
      },
    });
    toClose.push(() => made.stop());
    made.start();
    await expect.poll(() => p.tunnels.attachedAgents()).toEqual(['agent-a']);
    const b = peer(p.address);
    await ready(b);
    const body = randomBytes(3_000_000);
    const stream = await b.dial({ ...dialOptions, head: Buffer.from('head ') });
    expect(p.tunnels.counts()).toMatchObject({ busyCarries: 1, peerCarries: 1 });
    expect((await exchange(stream, body)).equals(Buffer.concat([Buffer.from('head '), body]))).toBe(true);
    expect(seen).toEqual([['resource', '192.0.2.1:7', 'proxy-b']]);
    await expect.poll(() => p.tunnels.counts()).toMatchObject({ busyCarries: 0, peerCarries: 0 });
    expect(p.server.connectionCount).toBe(2);
  });

  it('says not_found at once for an agent that is not attached there, and tells the words of one that refuses', async () => {
    const p = await proxy();
    await agent(p, echo, () => 'not mine any more');
    const b = peer(p.address);
    await ready(b);
    await expect(b.dial({ ...dialOptions, agentId: 'agent-z' })).rejects.toMatchObject({
      code: 'not_found',
      message: 'agent agent-z is not attached to this proxy',
    });
    // Another proxy is not an agent either, though it is connected.
    await expect(b.dial({ ...dialOptions, agentId: 'proxy-a' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(b.dial(dialOptions)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'agent agent-a refused: not mine any more',
    });
    expect(p.tunnels.counts().peerCarries).toBe(0);
  });

  it('is for proxies alone: an agent that names another, a proxy that names none, and a proxy that comes back to itself are refused', async () => {
    const p = await proxy();
    await agent(p);
    const stranger = authority.issue('agent-m');
    expect(await carryAs(stranger, p, { 'postern-agent-id': 'agent-a' })).toMatchObject({
      code: 'denied',
      message: 'an agent may not name another agent',
    });
    expect(p.refusals).toEqual(['agent-m: an agent may not name another agent']);
    // Naming itself gives an agent nothing that it had not before.
    expect(await carryAs(stranger, p, { 'postern-agent-id': 'agent-m' })).toMatchObject({ code: 'unavailable' });
    expect(await carryAs(own, p, {})).toMatchObject({ code: 'bad_request' });
    expect(await carryAs(authority.issue('proxy-b'), p, { 'postern-agent-id': 'agent-a' })).toMatchObject({
      code: 'denied',
      message: 'a proxy does not carry to itself',
    });
    expect(p.tunnels.counts()).toMatchObject({ busyCarries: 0, peerCarries: 0 });
  });

  it('fails in time when the agent does not answer, when the first message never comes or means nothing', async () => {
    const p = await proxy({ limits: { dialMs: 300 } });
    await agent(p);
    expect(await carryAs(own, p, { 'postern-agent-id': 'agent-a' })).toMatchObject({ code: 'unavailable' });
    expect(p.tunnels.counts()).toMatchObject({ busyCarries: 0, peerCarries: 0 });
  });

  it('connects to nobody but the proxy that is meant, and says why', async () => {
    const p = await proxy();
    const b = peer(p.address, {
      credentials: () => ({ context: { ca: authority.caPem, ...own }, checkServer: () => new Error('the certificate is of another') }),
    });
    await expect.poll(() => b.status.state).toBe('waiting');
    expect(b.status.lastError).toBe(`proxy proxy-b cannot be reached at ${p.address}: the certificate is of another`);
    await expect(b.dial(dialOptions)).rejects.toMatchObject({ code: 'cannot_connect' });
  });

  it('cuts what is open when the proxy is lost, fails at once while it is away, and comes back when it does', async () => {
    const p = await proxy();
    await agent(p);
    const b = peer(p.address);
    await ready(b);
    const stream = await b.dial(dialOptions);
    const closed = new Promise((resolve) => stream.on('error', () => undefined).once('close', resolve));
    await p.stop();
    for (const socket of p.sockets) socket.destroy();
    await closed;
    await expect.poll(() => b.status.state).not.toBe('ready');
    const beganMs = performance.now();
    await expect(b.dial(dialOptions)).rejects.toBeInstanceOf(PosternError);
    expect(performance.now() - beganMs).toBeLessThan(1_000);
    await proxy({ port: Number(p.address.split(':')[1]) });
    await ready(b);
  });

  it('gives up an address where nobody speaks, within the limit of a handshake', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket));
    const port = await listen(silent);
    toClose.push(() => silent.close());
    const b = peer(`127.0.0.1:${port}`, { limits: { handshakeMs: 200 } });
    await expect.poll(() => b.status.state, { timeout: 2_000 }).toBe('waiting');
    for (const socket of sockets) socket.destroy();
  });

  it('changes to a renewed certificate without cutting an open stream, and keeps one connection', async () => {
    const p = await proxy();
    await agent(p);
    const b = peer(p.address);
    await ready(b);
    const stream = await b.dial(dialOptions);
    b.renew();
    await expect.poll(() => p.server.connectionCount).toBe(3);
    await ready(b);
    expect((await exchange(await b.dial(dialOptions), Buffer.from('new'))).toString()).toBe('new');
    expect((await exchange(stream, Buffer.from('goes on'))).toString()).toBe('goes on');
    await expect.poll(() => p.server.connectionCount).toBe(2);
  });

  it('ends when the certificate of the other proxy does, whatever streams are open', async () => {
    const p = await proxy();
    await agent(p);
    const states: string[] = [];
    // Two days after the certificate was issued, all but four seconds.
    const offset = 2 * 86_400_000 - 4_000;
    const b = peer(p.address, { nowMs: () => Date.now() + offset, onStatus: ({ state }) => void states.push(state) });
    await ready(b);
    const stream = await b.dial(dialOptions);
    await new Promise((resolve) => stream.on('error', () => undefined).once('close', resolve));
    expect(states.filter((state) => state === 'ready').length).toBeGreaterThan(1);
  });

  it('is cut when the other side locks this proxy, and ends for good when it is told to', async () => {
    const p = await proxy();
    await agent(p);
    const b = peer(p.address, { backoff: { baseMs: 60_000, capMs: 60_000 }, random: () => 0.99 });
    await ready(b);
    const stream = await b.dial(dialOptions);
    const closed = new Promise((resolve) => stream.on('error', () => undefined).once('close', resolve));
    p.tunnels.endHost('proxy-a', new PosternError('locked', 'host proxy-a is locked'));
    await closed;
    await expect.poll(() => b.status.state).toBe('waiting');
    await b.end(new PosternError('not_found', 'proxy proxy-b is listed no more'));
    expect(b.status.state).toBe('ended');
    await expect.poll(() => p.server.connectionCount).toBe(1);
  });

  it('is refused by a proxy that drains, while what is open goes on', async () => {
    const p = await proxy();
    await agent(p);
    const b = peer(p.address);
    await ready(b);
    const stream = await b.dial(dialOptions);
    p.tunnels.drain();
    await expect(b.dial(dialOptions)).rejects.toMatchObject({ code: 'unavailable' });
    expect((await exchange(stream, Buffer.from('still here'))).toString()).toBe('still here');
  });

  it('holds a fast agent back while the reader is slow, over both hops', async () => {
    const p = await proxy();
    let sent = 0;
    await agent(p, (stream) => {
      stream.on('error', () => undefined);
      const more = () => {
        while (!stream.destroyed && sent < 512 * 1024 * 1024) {
          sent += 65_536;
          if (!stream.write(Buffer.alloc(65_536))) return void stream.once('drain', more);
        }
      };
      more();
    });
    const b = peer(p.address);
    await ready(b);
    const stream = await b.dial(dialOptions);
    await once(
      stream.on('error', () => undefined),
      'readable',
    );
    let seen = -1;
    await expect.poll(() => (sent === seen ? 'still' : ((seen = sent), 'moving')), { interval: 400, timeout: 10_000 }).toBe('still');
    expect(sent).toBeLessThan(40 * 1024 * 1024);
    stream.destroy();
  });

  it('keeps within the limit of streams, and other streams go on', async () => {
    const limits = { streamsPerTunnelConnection: 20 };
    const p = await proxy();
    await agent(p);
    const b = peer(p.address, { limits });
    await ready(b);
    const dials = await Promise.allSettled(
      Array.from({ length: 20 }, async () => (await b.dial(dialOptions)).on('error', () => undefined)),
    );
    expect(dials.filter(({ status }) => status === 'fulfilled')).toHaveLength(12);
    const [first] = dials;
    if (first?.status !== 'fulfilled') throw new Error('the first dial failed');
    expect((await exchange(first.value, Buffer.from('x'))).toString()).toBe('x');
    await expect.poll(() => p.tunnels.counts().peerCarries).toBe(11);
    await expect
      .poll(() =>
        b
          .dial(dialOptions)
          .then((stream) => exchange(stream, Buffer.from('room again')))
          .then(String),
      )
      .toBe('room again');
  });
});
