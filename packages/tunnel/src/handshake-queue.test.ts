import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGrpcTlsServer, type GrpcTlsServer } from '#grpc-tls-server.ts';
import { HandshakeQueue, type HandshakeTurn } from '#handshake-queue.ts';
import { authority, listen } from '#testing/echo.ts';

describe('the queue of handshakes', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function queueOf(options: ConstructorParameters<typeof HandshakeQueue>[0]) {
    const queue = new HandshakeQueue(options);
    const begun: { readonly name: string; readonly turn: HandshakeTurn; readonly raw: PassThrough }[] = [];
    const refused: string[] = [];
    const enter = (name: string) => {
      const raw = new PassThrough();
      queue.enter(
        raw,
        (turn) => void begun.push({ name, turn, raw }),
        (error) => void refused.push(`${name}: ${error.message}`),
      );
      return raw;
    };
    const names = () => begun.map(({ name }) => name);
    return { queue, begun, refused, enter, names };
  }

  it('begins so many at a time, of the others the last that came first', () => {
    const { queue, begun, enter, names } = queueOf({ atOnce: 2 });
    for (const name of ['a', 'b', 'c', 'd']) enter(name);
    expect([names(), queue.running, queue.waiting]).toEqual([['a', 'b'], 2, 2]);
    expect(begun[1]?.turn.over()).toBe(true);
    expect(names()).toEqual(['a', 'b', 'd']);
    begun[1]?.turn.over();
    expect(names()).toEqual(['a', 'b', 'd']);
    begun[0]?.turn.over();
    expect([names(), queue.running, queue.waiting]).toEqual([['a', 'b', 'd', 'c'], 2, 0]);
  });

  it('gives the turn on when a connection closes, and forgets one that closes while it waits', async () => {
    const { queue, begun, enter, names } = queueOf({ atOnce: 1 });
    enter('a');
    const b = enter('b');
    enter('c');
    b.destroy();
    await once(b, 'close');
    begun[0]?.raw.destroy();
    await once(begun[0]?.raw ?? b, 'close');
    expect([names(), queue.waiting]).toEqual([['a', 'c'], 0]);
  });

  it('closes one that had no turn within the limit, and one beyond the number that may wait', () => {
    const { enter, refused, queue } = queueOf({ atOnce: 1, maxWaiting: 1, waitMs: 1_000, giveWayMs: 60_000 });
    enter('a');
    const waiting = enter('b');
    const tooMany = enter('c');
    expect([refused, tooMany.destroyed, waiting.destroyed]).toEqual([['c: too many connections wait for their handshake'], true, false]);
    vi.advanceTimersByTime(1_000);
    expect([refused.at(-1), waiting.destroyed, queue.waiting]).toEqual(['b: the handshake had no turn in time', true, 0]);
  });

  it('cuts a handshake that stands still once another waits, and leaves it alone while none does', () => {
    const { begun, enter, names, refused } = queueOf({ atOnce: 1, giveWayMs: 2_000 });
    enter('stalled');
    vi.advanceTimersByTime(5_000);
    expect(begun[0]?.raw.destroyed).toBe(false);
    enter('next');
    expect([begun[0]?.raw.destroyed, names(), refused]).toEqual([
      true,
      ['stalled', 'next'],
      ['stalled: the handshake was slow while others waited'],
    ]);
    expect(begun[0]?.turn.over()).toBe(false);
    enter('third');
    vi.advanceTimersByTime(2_000);
    expect(names()).toEqual(['stalled', 'next', 'third']);
  });
});

describe('a server that paces its handshakes', () => {
  let server: GrpcTlsServer;
  let port: number;
  const sockets: Socket[] = [];
  let failures: string[];
  beforeEach(async () => {
    // Its own list each time: a connection of the test before may be heard late.
    const heard: string[] = [];
    failures = heard;
    server = createGrpcTlsServer({
      tls: { ...authority.issue('server.test'), ca: authority.caPem },
      services: [],
      handshakes: { atOnce: 64, giveWayMs: 1_500 },
      onHandshakeFailed: (error) => heard.push(error.message),
    });
    const listener = createServer((socket) => server.acceptSocket(socket, { remoteAddress: '192.0.2.1:1' }));
    port = await listen(listener);
    return async () => {
      for (const socket of sockets.splice(0)) socket.destroy();
      listener.close();
      await server.stop();
    };
  });
  const dial = () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    sockets.push(socket);
    return socket;
  };
  const secured = async () => {
    const tls = connectTls({ socket: dial(), ca: authority.caPem, servername: 'server.test', ALPNProtocols: ['h2'] });
    tls.on('error', () => undefined);
    await once(tls, 'secureConnect');
    return performance.now();
  };

  it('lets 200 that come at once through, in turns', async () => {
    await Promise.all(Array.from({ length: 200 }, secured));
    expect(failures).toEqual([]);
  });

  it('keeps the 65th waiting while 64 stand still, and then lets it through in their place', async () => {
    const stalled = Array.from({ length: 64 }, dial);
    await Promise.all(stalled.map((socket) => once(socket, 'connect')));
    const beganMs = performance.now();
    const closed = Promise.race(stalled.map((socket) => once(socket.resume(), 'close')));
    expect((await secured()) - beganMs).toBeGreaterThan(1_000);
    await closed;
    expect(new Set(failures)).toEqual(new Set(['the handshake was slow while others waited']));
  });
});
