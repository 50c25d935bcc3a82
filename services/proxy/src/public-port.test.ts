import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { callUnary, Identity_Kind, PresenceService } from '@postern/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { capturedHello } from '#testing/captured-hello.ts';
import { addressOf, attachedTo, echoAgent, openSession, rawAnswer, ready } from '#testing/session-client.ts';
import { dial, TestCluster } from '#testing/test-cluster.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await TestCluster.start();
});
afterEach(() => cluster.stop());

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
    const { agentId } = await echoAgent(cluster, [addressOf(proxy)]);
    cluster.serve('example', agentId);
    await attachedTo(cluster, proxy, 'example');
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
    const { agentId } = await echoAgent(cluster, [addressOf(proxy)]);
    cluster.serve('example', agentId);
    await attachedTo(cluster, proxy, 'example');
    const sessions = Array.from({ length: 15 }, () => undefined);
    for (const [i] of sessions.entries()) {
      const socket = openSession(proxy, cluster.ticket('example'));
      await once(socket, 'secureConnect');
      expect(socket.destroyed, `session ${i}`).toBe(false);
    }
    const idle = Array.from({ length: 10 }, () => dial(proxy).resume());
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    const eleventh = dial(proxy);
    eleventh.resume();
    await once(eleventh, 'close');
    // The idle ones give way to a client that gets on, and only to so many.
    await expect.poll(() => helloed(proxy), { timeout: 5_000 }).toBe(true);
    await expect.poll(() => idle.filter((socket) => socket.closed).length).toBe(1);
  });

  async function helloed(proxy: Parameters<typeof dial>[0]): Promise<boolean> {
    const socket = connectTls({ socket: dial(proxy), rejectUnauthorized: false, servername: 'web.example' });
    socket.on('error', () => undefined);
    return Promise.race([once(socket, 'secureConnect').then(() => true), once(socket, 'close').then(() => false)]);
  }

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
