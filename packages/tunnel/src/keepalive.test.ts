import { EventEmitter, once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { Keepalive } from '#keepalive.ts';
import { authority, type SessionPair, sessionPair } from '#testing/echo.ts';

class Peer extends EventEmitter {
  bytesRead = 0;
  isDestroyed = false;
  asked = 0;
  readonly session = { destroyed: false, closed: false, ping: () => ((this.asked += 1), true) };
  destroy(): void {
    this.isDestroyed = true;
    this.emit('close');
  }
}

describe('peers of a server', () => {
  let nowMs = 0;
  let keepalive: Keepalive | undefined;
  afterEach(() => keepalive?.stop());

  const watched = (everyMs: () => number = () => 10_000) => {
    nowMs = 0;
    keepalive = new Keepalive({ everyMs, timeoutMs: 5_000, lookMs: 1_000, nowMs: () => nowMs });
    const peer = new Peer();
    keepalive.watch(peer.session, peer as never);
    return peer;
  };
  /** A second passes, and another. */
  const pass = (seconds: number, each: () => void = () => undefined) => {
    for (let i = 0; i < seconds; i += 1) {
      nowMs += 1_000;
      each();
      keepalive?.look();
    }
  };

  it('that speak are never asked', () => {
    const peer = watched();
    pass(100, () => (peer.bytesRead += 17));
    expect(peer).toMatchObject({ asked: 0, isDestroyed: false });
  });

  it('that are silent are asked once, and go on where they answer', () => {
    const peer = watched();
    pass(9);
    expect(peer.asked).toBe(0);
    pass(3);
    expect(peer.asked).toBe(1);
    peer.bytesRead += 17;
    pass(9);
    expect(peer).toMatchObject({ asked: 1, isDestroyed: false });
    pass(2);
    expect(peer.asked).toBe(2);
  });

  it('that do not answer are closed, not before their time', () => {
    const peer = watched();
    pass(14);
    expect(peer).toMatchObject({ asked: 1, isDestroyed: false });
    pass(1);
    expect(peer.isDestroyed).toBe(true);
  });

  it('are not judged by a process that stood still itself', () => {
    const peer = watched();
    pass(11);
    nowMs += 60_000;
    keepalive?.look();
    expect(peer).toMatchObject({ asked: 1, isDestroyed: false });
    pass(15);
    expect(peer.isDestroyed).toBe(true);
  });

  it('are asked as often as is said now', () => {
    let everyMs = 10_000;
    const peer = watched(() => everyMs);
    everyMs = 20_000;
    pass(19);
    expect(peer.asked).toBe(0);
    pass(1);
    expect(peer.asked).toBe(1);
  });
});

describe('a server whose peers are silent', () => {
  let pair: SessionPair | undefined;
  afterEach(async () => {
    await pair?.stop();
    pair = undefined;
  });

  it('keeps one that answers PINGs, and closes one that does not', async () => {
    const keepalive = { everyMs: () => 200, timeoutMs: 300, lookMs: 50 };
    pair = await sessionPair(() => undefined, { server: { keepalive } });
    const { port, server, connection } = pair;
    const identity = authority.issue('silent.test');
    const silent = connectTls({
      host: '127.0.0.1',
      port,
      servername: 'server.test',
      ca: authority.caPem,
      ...identity,
      ALPNProtocols: ['h2'],
    });
    await once(silent, 'secureConnect');
    // The preface of HTTP/2 with empty SETTINGS, and never a word again.
    silent.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]));
    const startedMs = performance.now();
    await expect.poll(() => server.connectionCount).toBe(2);
    await once(silent.resume(), 'close');
    expect(performance.now() - startedMs).toBeGreaterThan(450);
    await delay(600);
    expect(server.connectionCount).toBe(1);
    expect(connection.isReady).toBe(true);
  });
});
