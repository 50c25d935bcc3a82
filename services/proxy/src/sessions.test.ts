import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { Identity_Kind } from '@postern/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { capturedHello } from '#testing/captured-hello.ts';
import { addressOf, attachedTo, echo, echoAgent, openSession, rawAnswer, ready } from '#testing/session-client.ts';
import { dial, TestCluster } from '#testing/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await TestCluster.start();
});
afterEach(() => cluster.stop());

describe('the session door', () => {
  it('joins the holder of a ticket to the agent, whose certificate he sees, byte for byte', async () => {
    const proxy = await cluster.proxy();
    const { agentId } = await echoAgent(cluster, [addressOf(proxy)]);
    cluster.serve('example', agentId);
    await attachedTo(cluster, proxy, 'example');
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
    const { agentId } = await echoAgent(cluster, [addressOf(proxy)], (socket) => {
      dials += 1;
      echo(socket);
    });
    cluster.serve('example', agentId);
    await attachedTo(cluster, proxy, 'example');
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
    const { agentId } = await echoAgent(cluster, [addressOf(proxy)]);
    cluster.serve('mine', agentId);
    await attachedTo(cluster, proxy, 'mine');
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
    const alive = await echoAgent(cluster, proxies);
    cluster.serve('example', dead.agentId, alive.agentId);
    for (const proxy of [one, two]) {
      await attachedTo(cluster, proxy, 'example');
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
    const { agentId } = await echoAgent(cluster, [addressOf(proxy)], (socket) => {
      const more = () => {
        while (!socket.destroyed && sent < 512 * 1024 * 1024) {
          sent += 65_536;
          if (!socket.write(Buffer.alloc(65_536))) return void socket.once('drain', more);
        }
      };
      socket.once('data', more);
    });
    cluster.serve('example', agentId);
    await attachedTo(cluster, proxy, 'example');
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
    const [bad, good] = [await echoAgent(cluster, [addressOf(proxy)]), await echoAgent(cluster, [addressOf(proxy)])];
    cluster.serve('bad', bad.agentId);
    await attachedTo(cluster, proxy, 'bad');
    const session = openSession(proxy, cluster.ticket('bad'));
    await once(session, 'secureConnect');
    const closed = new Promise((resolve) => session.on('error', () => undefined).once('close', resolve));
    cluster.lock(bad.agentId);
    await closed;
    await delay(500);
    expect(bad.client.status()[0]?.state).not.toBe('attached');
    cluster.serve('good', good.agentId);
    await attachedTo(cluster, proxy, 'good');
  });

  it('ends a tunnel when the certificate of the agent expires', async () => {
    const proxy = await cluster.proxy();
    const identity = await cluster.identity(Identity_Kind.DB_AGENT, { ttlMs: 2_500 });
    const { client } = await cluster.agent([addressOf(proxy)], { identity, onConnection: () => undefined });
    await expect.poll(() => client.status()[0]?.state).toBe('attached');
    await expect.poll(() => client.status()[0]?.state, { timeout: 6_000 }).not.toBe('attached');
  });
});
