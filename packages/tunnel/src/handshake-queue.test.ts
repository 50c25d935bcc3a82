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
    const queue = new HandshakeQueue({ ...options, nowMs: () => Date.now() });
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
    expect(begun[1]?.turn.over('well')).toBe(true);
    expect(names()).toEqual(['a', 'b', 'd']);
    begun[1]?.turn.over('well');
    expect(names()).toEqual(['a', 'b', 'd']);
    begun[0]?.turn.over('well');
    expect([names(), queue.running, queue.waiting]).toEqual([['a', 'b', 'd', 'c'], 2, 0]);
  });

  it.each([
    { inOrder: true, order: ['a', 'c', 'd'] },
    { inOrder: false, order: ['a', 'd', 'c'] },
  ])('keeps the order of arrival or its reverse ($inOrder), without those who have hung up', ({ inOrder, order }) => {
    const { queue, begun, enter, names } = queueOf({ atOnce: 1, inOrder });
    enter('a');
    const [b, , , e] = ['b', 'c', 'd', 'e'].map(enter);
    b?.emit('close');
    e?.emit('close');
    begun[0]?.turn.over('well');
    expect(queue.waiting).toBe(1);
    begun[1]?.turn.over('well');
    expect([names(), queue.waiting]).toEqual([order, 0]);
  });

  it('begins a few in each turn of the loop, so that what has begun is served before what begins', () => {
    const { queue, enter, names, begun } = queueOf({ atOnce: 100 });
    for (let i = 0; i < 10; i += 1) enter(String(i));
    expect([names(), queue.waiting]).toEqual([['0', '1', '2', '3'], 6]);
    begun[0]?.turn.over('well');
    expect(names()).toHaveLength(4);
    vi.advanceTimersByTime(1);
    // Each turn of the loop that the fake clock goes through.
    expect(names()).toEqual(['0', '1', '2', '3', '9', '8', '7', '6', '5', '4']);
    expect([queue.running, queue.waiting]).toEqual([9, 0]);
  });

  it('cuts none that is slow while there is room for others beside it', () => {
    const { begun, enter, names, refused } = queueOf({ atOnce: 3, giveWayMs: 2_000 });
    enter('stalled');
    vi.advanceTimersByTime(5_000);
    for (const name of ['b', 'c']) enter(name);
    expect([names(), begun[0]?.raw.destroyed]).toEqual([['stalled', 'b', 'c'], false]);
    enter('d');
    expect(refused).toEqual(['stalled: the handshake was slow while others waited']);
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
    expect(begun[0]?.turn.over('well')).toBe(false);
    enter('third');
    vi.advanceTimersByTime(4_000);
    expect(names()).toEqual(['stalled', 'next', 'third']);
  });

  it('has more patience with each that it cut in vain, and loses it when somebody got through quickly', () => {
    const { begun, enter, names } = queueOf({ atOnce: 1, giveWayMs: 2_000, waitMs: 60_000 });
    for (const name of ['a', 'b', 'c', 'd']) enter(name);
    vi.advanceTimersByTime(2_000);
    expect(names()).toEqual(['a', 'd']);
    // 'd' has twice as long, and needs it.
    vi.advanceTimersByTime(3_900);
    expect(begun[1]?.turn.over('well')).toBe(true);
    expect(names()).toEqual(['a', 'd', 'c']);
    begun[2]?.turn.over('well');
    for (let i = 0; i < 20; i += 1) {
      enter(`quick ${i}`);
      begun.at(-1)?.turn.over('well');
      vi.advanceTimersByTime(1);
    }
    begun.at(-1)?.turn.over('well');
    enter('stalled');
    enter('next');
    vi.advanceTimersByTime(2_000);
    expect(names().slice(-2)).toEqual(['stalled', 'next']);
  });

  it('takes three times as long as others take for slow, where all are slow', () => {
    const { begun, enter, names } = queueOf({ atOnce: 1, giveWayMs: 100, waitMs: 60_000 });
    for (let i = 0; i < 20; i += 1) enter(String(i));
    for (const [i, tookMs] of [60, 90, 150, 250, 400].entries()) {
      vi.advanceTimersByTime(tookMs);
      expect(begun[i]?.turn.over('well')).toBe(true);
    }
    vi.advanceTimersByTime(700);
    expect(names()).toHaveLength(6);
    vi.advanceTimersByTime(400);
    expect(names()).toHaveLength(7);
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
