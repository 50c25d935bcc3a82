import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { callUnary, Identity_Kind, PresenceService } from '@postern/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningProxy } from '#index.ts';
import { capturedHello } from '#testing/captured-hello.ts';
import { dial, TestCluster, type TestIdentity } from '#testing/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await TestCluster.start();
});
afterEach(() => cluster.stop());

const addressOf = (proxy: RunningProxy) => `127.0.0.1:${proxy.address.port}`;
const ready = (proxy: RunningProxy) => expect.poll(() => proxy.ready(), { timeout: 5000 }).toEqual({ ok: true });
/** The far end of a session: TLS ends at the agent, and what comes goes back. */
function agentTls(identity: TestIdentity, onSocket: (socket: TLSSocket) => void): (stream: Duplex) => void {
  const secureContext = createSecureContext({ cert: identity.certificatePem, key: identity.privateKeyPem });
  return (stream) => {
    stream.on('error', () => undefined);
    const socket = new TLSSocket(stream, { isServer: true, secureContext });
    socket.on('error', () => socket.destroy());
    onSocket(socket);
  };
}
const echo = (socket: TLSSocket) => void socket.pipe(socket);
async function echoAgent(proxies: readonly string[], onSocket: (socket: TLSSocket) => void = echo) {
  const identity = await cluster.identity(Identity_Kind.DB_AGENT);
  return cluster.agent(proxies, { identity, onConnection: agentTls(identity, onSocket) });
}
const openSession = (proxy: RunningProxy, ticket: string) =>
  connectTls({ socket: dial(proxy), servername: `${ticket}.session.postern.internal`, rejectUnauthorized: false });
/** What the proxy answered before it closed, as raw bytes. */
async function rawAnswer(proxy: RunningProxy, bytes: Buffer): Promise<Buffer> {
  const socket = dial(proxy);
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  socket.write(bytes);
  await once(socket, 'close');
  return Buffer.concat(parts);
}
const attachedTo = async (proxy: RunningProxy, name: string) => {
  await ready(proxy);
  await expect
    .poll(
      async () => {
        const socket = openSession(proxy, cluster.ticket(name));
        const [outcome] = await Promise.race([
          once(socket, 'secureConnect').then(() => ['up']),
          once(socket, 'error').then(() => ['down']),
        ]);
        socket.destroy();
        return outcome;
      },
      { timeout: 8000 },
    )
    .toBe('up');
};

describe('the session door', () => {
  it('joins the holder of a ticket to the agent, whose certificate he sees, byte for byte', async () => {
    const proxy = await cluster.proxy();
    const { agentId } = await echoAgent([addressOf(proxy)]);
    cluster.serve('example', agentId);
    await attachedTo(proxy, 'example');
    const socket = openSession(proxy, cluster.ticket('example'));
    await once(socket, 'secureConnect');
    expect(socket.getPeerCertificate().subjectaltname).toContain(`/agent/${agentId}`);
    const body = randomBytes(2_000_000);
    const parts: Buffer[] = [];
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.end(body);
    await once(socket, 'end');
    const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(sha(Buffer.concat(parts))).toBe(sha(body));
  });

  it('answers a forged, an expired, an altered and a missing ticket with unrecognized_name, and dials nobody', async () => {
    const proxy = await cluster.proxy();
    let dials = 0;
    const { agentId } = await echoAgent([addressOf(proxy)], (socket) => {
      dials += 1;
      echo(socket);
    });
    cluster.serve('example', agentId);
    await attachedTo(proxy, 'example');
    const before = dials;
    const good = cluster.ticket('example');
    const bad = [
      cluster.ticket('example', { key: randomBytes(32) }),
      cluster.ticket('example', { expiresMs: Date.now() - 2_000 }),
      `${good.slice(0, -1)}${good.endsWith('a') ? 'e' : 'a'}`,
      'no-ticket-at-all',
      `${good}.${good}`,
    ];
    for (const ticket of bad) {
      const hello = await capturedHello({ servername: `${ticket}.session.postern.internal` });
      expect([...(await rawAnswer(proxy, hello))]).toEqual([21, 3, 3, 0, 2, 2, 112]);
    }
    expect(dials).toBe(before);
    expect(cluster.logs.join('')).not.toContain(good);
  });

  it('reaches only what auth lists for a resource: an agent that says it serves it is not believed', async () => {
    const proxy = await cluster.proxy();
    const { agentId } = await echoAgent([addressOf(proxy)]);
    cluster.serve('mine', agentId);
    await attachedTo(proxy, 'mine');
    const hello = await capturedHello({ servername: `${cluster.ticket('not-mine')}.session.postern.internal` });
    expect([...(await rawAnswer(proxy, hello))].at(-1)).toBe(80);
    // A name refused by auth stands in the list with its reason, and serves nobody.
    const refused = { metadata: { name: 'taken' }, spec: {}, status: { refused: 'held by another' } };
    cluster.list('db_server', [{ kind: 'db_server', metadata: { name: 'taken' }, spec: { host_id: agentId, database: refused } }]);
    const other = await capturedHello({ servername: `${cluster.ticket('taken')}.session.postern.internal` });
    expect([...(await rawAnswer(proxy, other))].at(-1)).toBe(80);
  });

  it('goes to the next agent when one does not answer, over two proxies, and after an agent is lost', async () => {
    const [one, two] = [await cluster.proxy(), await cluster.proxy()];
    const proxies = [addressOf(one), addressOf(two)];
    const dead = await cluster.agent(proxies, { onConnection: () => undefined, serves: () => 'the list is older than this agent' });
    const alive = await echoAgent(proxies);
    cluster.serve('example', dead.agentId, alive.agentId);
    for (const proxy of [one, two]) {
      await attachedTo(proxy, 'example');
      for (let i = 0; i < 6; i++) {
        const socket = openSession(proxy, cluster.ticket('example'));
        await once(socket, 'secureConnect');
        socket.destroy();
      }
    }
    await alive.client.stop();
    const gone = openSession(one, cluster.ticket('example'));
    const startedMs = performance.now();
    await once(gone, 'error');
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  it('holds a fast sender back while the reader is slow, without keeping what it cannot send', async () => {
    const proxy = await cluster.proxy();
    let sent = 0;
    const { agentId } = await echoAgent([addressOf(proxy)], (socket) => {
      const more = () => {
        while (!socket.destroyed && sent < 512 * 1024 * 1024) {
          sent += 65_536;
          if (!socket.write(Buffer.alloc(65_536))) return void socket.once('drain', more);
        }
      };
      socket.once('data', more);
    });
    cluster.serve('example', agentId);
    await attachedTo(proxy, 'example');
    sent = 0;
    const socket = openSession(proxy, cluster.ticket('example'));
    await once(socket, 'secureConnect');
    socket.write('go');
    await once(socket, 'readable');
    // The stream stands still when two looks see the same count.
    let seen = -1;
    await expect.poll(() => (sent === seen ? 'still' : ((seen = sent), 'moving')), { interval: 400, timeout: 10_000 }).toBe('still');
    expect(sent).toBeLessThan(40 * 1024 * 1024);
    socket.destroy();
  });

  it('passes half-close on: an agent that is done is heard while the client still sends', async () => {
    const proxy = await cluster.proxy();
    // No TLS here, so that nothing but the proxy decides about the halves.
    let received = '';
    const { agentId } = await cluster.agent([addressOf(proxy)], {
      onConnection: (stream) => {
        stream.on('error', () => undefined);
        stream.on('data', (part: Buffer) => {
          received += part.toString('latin1');
        });
        stream.end('agent is done');
      },
    });
    cluster.serve('example', agentId);
    await ready(proxy);
    const hello = await capturedHello({ servername: `${cluster.ticket('example')}.session.postern.internal` });
    let socket = dial(proxy);
    await expect
      .poll(
        async () => {
          socket.destroy();
          socket = dial(proxy);
          socket.write(hello);
          const [first] = await once(socket, 'data');
          return String(first);
        },
        { timeout: 5000 },
      )
      .toBe('agent is done');
    socket.end('client still sends');
    await expect.poll(() => received).toContain('client still sends');
  });
});

describe('the tunnel door', () => {
  it('takes agents of this cluster alone: no certificate, another authority, an auth server, an expired one are refused', async () => {
    const proxy = await cluster.proxy();
    const foreign = await TestCluster.start();
    try {
      const strangers = [
        { ...(await foreign.identity(Identity_Kind.DB_AGENT)), hostCaPems: [cluster.hostCaPem] },
        await cluster.identity(Identity_Kind.AUTH),
        await cluster.identity(Identity_Kind.DB_AGENT, { ttlMs: 60_000, nowMs: Date.now() - 70_000 }),
      ];
      for (const identity of strangers) {
        const statuses: string[] = [];
        const { client } = await cluster.agent([addressOf(proxy)], {
          identity,
          onConnection: () => undefined,
          onStatus: ({ state }) => statuses.push(state),
        });
        await expect.poll(() => statuses.includes('waiting')).toBe(true);
        expect(statuses).not.toContain('attached');
        await client.stop();
      }
    } finally {
      await foreign.stop();
    }
    const bare = connectTls({
      socket: dial(proxy),
      servername: 'tunnel.postern.internal',
      ALPNProtocols: ['h2'],
      rejectUnauthorized: false,
    });
    bare.on('data', () => undefined);
    await once(bare, 'error');
    const noH2 = await rawAnswer(proxy, await capturedHello({ servername: 'tunnel.postern.internal', alpn: ['http/1.1'] }));
    expect([...noH2].at(-1)).toBe(120);
  });

  it('cuts a locked agent with its sessions within seconds, keeps it out, and lets others go on', async () => {
    const proxy = await cluster.proxy();
    const [bad, good] = [await echoAgent([addressOf(proxy)]), await echoAgent([addressOf(proxy)])];
    cluster.serve('bad', bad.agentId);
    await attachedTo(proxy, 'bad');
    const session = openSession(proxy, cluster.ticket('bad'));
    await once(session, 'secureConnect');
    const closed = new Promise((resolve) => session.on('error', () => undefined).once('close', resolve));
    cluster.lock(bad.agentId);
    await closed;
    await delay(500);
    expect(bad.client.status()[0]?.state).not.toBe('attached');
    cluster.serve('good', good.agentId);
    await attachedTo(proxy, 'good');
  });

  it('ends a tunnel when the certificate of the agent expires', async () => {
    const proxy = await cluster.proxy();
    const identity = await cluster.identity(Identity_Kind.DB_AGENT, { ttlMs: 2_500 });
    const { client } = await cluster.agent([addressOf(proxy)], { identity, onConnection: () => undefined });
    await expect.poll(() => client.status()[0]?.state).toBe('attached');
    await expect.poll(() => client.status()[0]?.state, { timeout: 6_000 }).not.toBe('attached');
  });
});

describe('the auth door', () => {
  it('joins a caller to auth, who sees his address and not the proxy, and TLS ends at auth', async () => {
    const proxy = await cluster.proxy();
    await ready(proxy);
    const identity = await cluster.identity(Identity_Kind.PROXY);
    const client = cluster.openAuth(addressOf(proxy), identity);
    await callUnary(client, PresenceService.announceProxy, { publicAddress: 'through the door', ownAddress: '', version: '' });
    client.close();
    expect(cluster.announcements.at(-1)).toEqual({ publicAddress: 'through the door', proxyId: identity.hostId });
    expect(cluster.seenAddresses.at(-1)).toMatch(/^proven 127\.0\.0\.1:\d+$/);
  });

  it('goes on with what it knows while auth is away, refuses the auth door with an alert, and says it is not ready', async () => {
    const proxy = await cluster.proxy();
    const { agentId } = await echoAgent([addressOf(proxy)]);
    cluster.serve('example', agentId);
    await attachedTo(proxy, 'example');
    const port = await cluster.stopAuth();
    expect(await proxy.ready()).toEqual({ ok: false, reason: 'auth: auth is not answering' });
    const socket = openSession(proxy, cluster.ticket('example'));
    await once(socket, 'secureConnect');
    socket.destroy();
    expect([...(await rawAnswer(proxy, await capturedHello({ servername: 'auth.postern.internal' })))].at(-1)).toBe(80);
    await cluster.startAuth(port);
    await ready(proxy);
  });
});

describe('the public port', () => {
  it('cuts a handshake that dribbles, and one that never starts, at the limit', async () => {
    const proxy = await cluster.proxy({ limits: { peekMs: 300 } });
    const hello = await capturedHello({ servername: 'web.example' });
    const dribble = dial(proxy);
    const silent = dial(proxy);
    let at = 0;
    const timer = setInterval(() => dribble.write(hello.subarray(at, ++at)), 40);
    const startedMs = performance.now();
    await Promise.all([once(dribble, 'close'), once(silent, 'close')]);
    clearInterval(timer);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  it('serves a client whose ClientHello comes byte by byte, and refuses what is no TLS with an alert', async () => {
    const proxy = await cluster.proxy();
    await ready(proxy);
    const wire = dial(proxy);
    wire.setNoDelay(true);
    const socket = connectTls({ socket: wire, rejectUnauthorized: false, servername: 'web.example' });
    // Every write of the handshake is cut into single bytes on its way.
    const write = wire.write.bind(wire);
    wire.write = (bytes: Buffer, ...rest: never[]) => {
      for (const byte of bytes.subarray(0, -1)) write(Buffer.from([byte]));
      return write(bytes.subarray(-1), ...rest);
    };
    await once(socket, 'secureConnect');
    socket.destroy();
    expect([...(await rawAnswer(proxy, Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')))]).toEqual([21, 3, 3, 0, 2, 2, 10]);
  });

  it('limits the unproven connections of one address, and takes proven ones out of the count', async () => {
    const proxy = await cluster.proxy({ limits: { socketsPerAddress: 10 } });
    const { agentId } = await echoAgent([addressOf(proxy)]);
    cluster.serve('example', agentId);
    await attachedTo(proxy, 'example');
    const sessions = Array.from({ length: 15 }, () => undefined);
    for (const [i] of sessions.entries()) {
      const socket = openSession(proxy, cluster.ticket('example'));
      await once(socket, 'secureConnect');
      expect(socket.destroyed, `session ${i}`).toBe(false);
    }
    const idle = Array.from({ length: 10 }, () => dial(proxy));
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    const eleventh = dial(proxy);
    eleventh.resume();
    await once(eleventh, 'close');
  });

  it('announces itself to auth with its public address, and stops with everything closed', async () => {
    const proxy = await cluster.proxy({ publicAddress: 'proxy.example:443' });
    await expect.poll(() => cluster.announcements).toContainEqual({ publicAddress: 'proxy.example:443', proxyId: proxy.proxyId });
    const open = dial(proxy);
    open.resume();
    await once(open, 'connect');
    await proxy.stop();
    await Promise.race([once(open, 'close'), delay(1000)]);
    expect(open.destroyed).toBe(true);
    await expect(once(dial(proxy), 'connect')).rejects.toThrow();
  });
});
