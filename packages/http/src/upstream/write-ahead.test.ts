import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Origin } from '#upstream/origin.ts';
import type { AnswerHandler, Flight } from '#upstream/flight.ts';
import { WriteAhead } from '#upstream/write-ahead.ts';

const MIB = 2 ** 20;
const PIECE = Buffer.alloc(64 * 1024);

describe('the places of bodies that run ahead', () => {
  it('are as many as the whole is, and whoever gives one back twice gives one', () => {
    const ahead = new WriteAhead(3 * MIB, MIB);
    const places = [ahead.take(), ahead.take(), ahead.take()];
    expect(places.map((place) => place?.bytes)).toEqual([MIB, MIB, MIB]);
    expect(ahead.take()).toBeUndefined();
    places[0]?.give();
    places[0]?.give();
    expect(ahead.take()?.bytes).toBe(MIB);
    expect(ahead.take()).toBeUndefined();
  });
});

describe('a hundred bodies that no server takes', () => {
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  it('run ahead on 32 connections and on no more, and go on when they are taken', async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.pause().on('error', () => undefined));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(
      () => server.close(),
      () => sockets.forEach((socket) => socket.destroy()),
    );
    const origin = originOf(server, 100);
    closing.push(() => origin.destroy());
    let drained = 0;
    const written = await Promise.all(
      Array.from({ length: 100 }, () => {
        const { promise, resolve } = Promise.withResolvers<number>();
        let bytes = 0;
        let isStarted = false;
        const handler: AnswerHandler = {
          ...NOTHING,
          onDrain() {
            if (isStarted) return void (drained += 1);
            isStarted = true;
            while (flight.write(PIECE)) bytes += PIECE.length;
            resolve(bytes);
          },
        };
        const flight: Flight = origin.send(
          { method: 'PUT', target: '/', fields: ['host', 'x'], body: Buffer.alloc(0), isStreamed: true },
          handler,
        );
        return promise;
      }),
    );
    // The kernel takes as much for each.
    const least = Math.min(...written);
    expect(written.filter((bytes) => bytes > least + MIB / 2)).toHaveLength(32);
    expect(Math.max(...written)).toBeLessThanOrEqual(least + 1.5 * MIB);
    await expect.poll(() => sockets.size).toBe(100);
    for (const socket of sockets) socket.resume();
    await expect.poll(() => drained, { timeout: 10_000 }).toBe(100);
  });
});

const NOTHING: AnswerHandler = {
  wantsData: false,
  onHead: () => undefined,
  onWire: () => undefined,
  onEnd: () => undefined,
  onFailed: () => undefined,
};

function originOf(server: Server, connections: number): Origin {
  const { port } = server.address() as { readonly port: number };
  const limits = {
    connections,
    connectMs: 5000,
    headersMs: 5000,
    idleMs: 20_000,
    keepAliveMs: 1000,
    head: { maxBytes: 16_384, maxLines: 256 },
  };
  return new Origin({ host: '127.0.0.1', port, isTls: false, isGuarded: false, limits });
}
