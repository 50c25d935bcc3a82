import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { fromServiceError, Identity_Kind, openDuplex, ReverseTunnel } from '@postern/api';
import { clientContextOptions, serverIdentityCheck } from '@postern/pki';
import { AGENT_ID_KEY, wideChannelOptions } from '@postern/tunnel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningProxy } from '#index.ts';
import { addressOf, attachedTo, echoAgent, openSession, ready } from '#testing/session-client.ts';
import { listen } from '#testing/test-auth.ts';
import { dial, TestCluster, type TestIdentity } from '#testing/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await TestCluster.start();
});
afterEach(() => cluster.stop());

/** Two proxies that auth lists, and an agent that is attached to the second alone. */
async function twoProxies(): Promise<{ readonly a: RunningProxy; readonly b: RunningProxy; readonly agentId: string }> {
  const [a, b] = [await cluster.proxy(), await cluster.proxy()];
  const { agentId } = await echoAgent(cluster, [addressOf(b)]);
  cluster.serve('example', agentId);
  cluster.listProxies(a, b);
  await attachedTo(cluster, a, 'example');
  return { a, b, agentId };
}
const logged = (message: string) =>
  cluster.logs
    .join('')
    .split('\n')
    .filter((line) => line.includes(`"message":"${message}"`));
const secured = async (proxy: RunningProxy, name = 'example') => {
  const socket = openSession(proxy, cluster.ticket(name));
  await once(socket, 'secureConnect');
  return socket.on('error', () => undefined);
};
async function failedAfterMs(proxy: RunningProxy, name = 'example'): Promise<number> {
  const beganMs = performance.now();
  const session = openSession(proxy, cluster.ticket(name)).on('error', () => undefined);
  await new Promise((resolve) => session.once('close', resolve));
  return performance.now() - beganMs;
}
/** Opens a Carry at a proxy's tunnel door with somebody's certificate, and tells how it was refused. */
async function carry(proxy: RunningProxy, identity: TestIdentity, agentId: string) {
  const check = serverIdentityCheck({
    cluster: 'test-cluster',
    kinds: [Identity_Kind.PROXY],
    hostCaPems: [cluster.hostCaPem],
    nowMs: Date.now,
  });
  const secure = credentials.createFromSecureContext(createSecureContext(clientContextOptions([cluster.hostCaPem], identity)), {
    checkServerIdentity: check,
  });
  const client = new Client(addressOf(proxy), secure, wideChannelOptions({ 'grpc.ssl_target_name_override': 'tunnel.postern.internal' }));
  const metadata = new Metadata();
  metadata.set(AGENT_ID_KEY, agentId);
  try {
    const [error] = await once(openDuplex(client, ReverseTunnel.carry, { metadata }).resume(), 'error').catch((reason: unknown) => [
      reason,
    ]);
    return fromServiceError(error);
  } finally {
    client.close();
  }
}

describe('a session that enters at one proxy', () => {
  it('reaches an agent that is attached to another alone, whose certificate it sees, byte for byte', async () => {
    const { a, b, agentId } = await twoProxies();
    const socket = await secured(a);
    expect(socket.getPeerCertificate().subjectaltname).toContain(`/agent/${agentId}`);
    const body = randomBytes(2_000_000);
    const parts: Buffer[] = [];
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.end(body);
    await once(socket, 'end');
    const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(sha(Buffer.concat(parts))).toBe(sha(body));
    expect(logged('session opened').at(-1)).toContain(`"proxyId":"${b.proxyId}"`);
  });

  it('is never carried on to a third proxy, though that one has the agent', async () => {
    const { a, b } = await twoProxies();
    const c = await cluster.proxy();
    const { agentId } = await echoAgent(cluster, [addressOf(c)]);
    cluster.serve('third', agentId);
    // All three know one another; for the first the third cannot be reached.
    // A port that was closed may be somebody else's by then.
    const shut = createServer((socket) => void socket.destroy());
    const nowhere = `127.0.0.1:${await listen(shut)}`;
    cluster.listProxies(a, b, c);
    await attachedTo(cluster, b, 'third');
    const asProxy = await cluster.identity(Identity_Kind.PROXY);
    expect(await carry(b, asProxy, agentId)).toMatchObject({
      code: 'not_found',
      message: `agent ${agentId} is not attached to this proxy`,
    });
    cluster.listProxies(a, b, { ...c, at: nowhere });
    expect(await failedAfterMs(a, 'third')).toBeLessThan(5_000);
    const reason = 'no agent that serves this resource is attached to this proxy or to one that it reaches';
    expect(logged('connection refused').at(-1)).toContain(reason);
    shut.close();
  });

  it('holds a fast agent back while the client reads nothing, over both hops', async () => {
    const [a, b] = [await cluster.proxy(), await cluster.proxy()];
    let sent = 0;
    const { agentId } = await echoAgent(cluster, [addressOf(b)], (socket) => {
      const more = () => {
        while (!socket.destroyed && sent < 512 * 1024 * 1024) {
          sent += 65_536;
          if (!socket.write(Buffer.alloc(65_536))) return void socket.once('drain', more);
        }
      };
      socket.once('data', more);
    });
    cluster.serve('example', agentId);
    cluster.listProxies(a, b);
    await attachedTo(cluster, a, 'example');
    const socket = await secured(a);
    socket.write('go');
    await once(socket, 'readable');
    let seen = -1;
    await expect.poll(() => (sent === seen ? 'still' : ((seen = sent), 'moving')), { interval: 400, timeout: 10_000 }).toBe('still');
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    socket.destroy();
  });

  it('fails within 5 s when the other proxy is gone, and goes to another agent where there is one', async () => {
    const { a, b, agentId } = await twoProxies();
    const open = await secured(a);
    const cut = new Promise((resolve) => open.once('close', resolve));
    await b.stop();
    await cut;
    expect(await failedAfterMs(a)).toBeLessThan(5_000);
    const c = await cluster.proxy();
    const other = await echoAgent(cluster, [addressOf(c)]);
    cluster.serve('example', agentId, other.agentId);
    // The entry of the one that is gone stays for some minutes.
    cluster.listProxies(a, b, c);
    await attachedTo(cluster, a, 'example');
    expect((await secured(a)).getPeerCertificate().subjectaltname).toContain(`/agent/${other.agentId}`);
  });

  it('goes round a proxy that takes connections and says nothing', async () => {
    const { a, b } = await twoProxies();
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
    const at = `127.0.0.1:${await listen(silent)}`;
    try {
      cluster.listProxies({ proxyId: 'hung', publicAddress: at }, a, b);
      for (let i = 0; i < 4; i++) (await secured(a)).destroy();
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });
});

describe('the connection between proxies', () => {
  it('is one, made once, and closed when the entry of the other goes away', async () => {
    const { a, agentId } = await twoProxies();
    const sockets = await Promise.all(Array.from({ length: 10 }, () => secured(a)));
    expect(logged('other proxy').filter((line) => line.includes('"reached"'))).toHaveLength(2);
    const cut = Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    cluster.listProxies(a);
    await cut;
    await once(openSession(a, cluster.ticket('example')), 'error');
    cluster.serve('example', agentId);
  });

  it('is never made to a proxy of another name, whatever address auth lists for it', async () => {
    const [a, b] = [await cluster.proxy(), await cluster.proxy()];
    const { agentId } = await echoAgent(cluster, [addressOf(b)]);
    cluster.serve('example', agentId);
    cluster.listProxies(a, { proxyId: 'someone-else', publicAddress: b.publicAddress });
    await ready(a);
    await expect.poll(() => logged('other proxy').join('')).toContain(`the certificate of ${b.proxyId} is not accepted here`);
    await once(openSession(a, cluster.ticket('example')), 'error');
  });

  it('goes to the own address where proxies share a public one, and finds the right one behind a balancer where none is given', async () => {
    const [a, b] = [await cluster.proxy(), await cluster.proxy()];
    const { agentId } = await echoAgent(cluster, [addressOf(b)]);
    cluster.serve('example', agentId);
    const publicAddress = 'proxy.example.invalid:443';
    cluster.listProxies({ ...a, publicAddress, at: addressOf(a) }, { ...b, publicAddress, at: addressOf(b) });
    await attachedTo(cluster, a, 'example');
    // The wrong one first.
    let connections = 0;
    const balancer = createServer((near) => {
      connections += 1;
      const far = dial(connections <= 2 ? a : b);
      near.pipe(far).pipe(near);
      near.on('error', () => far.destroy()).on('close', () => far.destroy());
      far.on('close', () => near.destroy());
    });
    const shared = `127.0.0.1:${await listen(balancer)}`;
    try {
      cluster.listProxies({ ...a, publicAddress: shared }, { ...b, publicAddress: shared });
      await expect
        .poll(() => logged('another proxy announces the address of this one: set peer_public_addr on each of them'))
        .toHaveLength(2);
      await attachedTo(cluster, a, 'example');
    } finally {
      balancer.close();
    }
  }, 15_000);

  it('is cut within seconds when either proxy is locked, and not made again while the lock lasts', async () => {
    for (const side of ['a', 'b'] as const) {
      const pair = await twoProxies();
      const socket = await secured(pair.a);
      const cut = new Promise((resolve) => socket.once('close', resolve));
      const beganMs = performance.now();
      cluster.lock(pair[side].proxyId);
      await cut;
      expect(performance.now() - beganMs).toBeLessThan(5_000);
      expect(await failedAfterMs(pair.a)).toBeLessThan(5_000);
      cluster.list('lock', []);
      await attachedTo(cluster, pair.a, 'example');
      await pair.a.stop();
      await pair.b.stop();
    }
  });

  it('ends with the certificate of the proxy that opened it', async () => {
    const [identity, b] = [await cluster.identity(Identity_Kind.PROXY, { ttlMs: 4_000 }), await cluster.proxy()];
    const a = await cluster.proxy({ identity });
    const { agentId } = await echoAgent(cluster, [addressOf(b)]);
    cluster.serve('example', agentId);
    cluster.listProxies(a, b);
    await attachedTo(cluster, a, 'example');
    const socket = await secured(a);
    await new Promise((resolve) => socket.once('close', resolve));
    await once(openSession(a, cluster.ticket('example')), 'error');
  });

  it('is for proxies: an agent that names another agent is refused, and it is logged', async () => {
    const { b, agentId } = await twoProxies();
    const stranger = await cluster.identity(Identity_Kind.DB_AGENT);
    expect(await carry(b, stranger, agentId)).toMatchObject({ code: 'denied', message: 'an agent may not name another agent' });
    expect(logged('tunnel stream refused').at(-1)).toContain(stranger.hostId);
    const foreign = await TestCluster.start();
    try {
      const outsider = { ...(await foreign.identity(Identity_Kind.PROXY)), hostCaPems: [cluster.hostCaPem] };
      expect((await carry(b, outsider, agentId)).code).toBe('unavailable');
    } finally {
      await foreign.stop();
    }
  });
});

describe('the ceiling of sessions', () => {
  it('of one agent at one proxy is what the configuration says', async () => {
    const proxy = await cluster.proxy({ limits: { sessionsPerAgent: 16 } });
    const { agentId } = await echoAgent(cluster, [addressOf(proxy)]);
    cluster.serve('example', agentId);
    await attachedTo(cluster, proxy, 'example');
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => secured(proxy)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(16);
  }, 15_000);
});
