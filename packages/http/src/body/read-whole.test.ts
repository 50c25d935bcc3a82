import { type AddressInfo, connect, createServer } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { BodyBudget } from '#body/body-budget.ts';
import { readWhole, type WholeRead } from '#body/read-whole.ts';
import type { BodySink, Exchange } from '#door/exchange.ts';
import { HttpDoor } from '#door/http-door.ts';
import { CHUNKED } from '#grammar/fields.ts';

/** A body that comes in just these pieces, with no parser between. */
const inPieces = (pieces: readonly Buffer[]) => ({
  head: { length: CHUNKED } as Exchange['head'],
  readBody: (sink: BodySink) => {
    for (const piece of pieces) sink.onData(piece);
    sink.onEnd();
  },
});
const generous = { maxBytes: 1e9, owner: 'a' };
const cleanup: (() => void)[] = [];
afterEach(() => {
  for (const undo of cleanup.splice(0)) undo();
});

/** What readWhole makes of bytes that arrive as `write` sends them. */
async function reading(
  budget: BodyBudget,
  length: number | undefined,
  write: (send: (text: string) => void, end: () => void) => void,
): Promise<WholeRead> {
  const result = Promise.withResolvers<WholeRead>();
  const door = new HttpDoor<undefined>({
    limits: { maxBytes: 16_384, maxLines: 100, headMs: 10_000, bodyIdleMs: 200, bodyMs: 10_000, maxDiscardBytes: 1e6 },
    onExchange: (exchange) => void Promise.resolve(readWhole(exchange, { maxBytes: 1000, budget, owner: 'a' })).then(result.resolve),
    onMalformed: () => ({ contentType: 'text/plain', body: Buffer.alloc(0) }),
  });
  const server = createServer((stream) => door.accept(stream, undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  cleanup.push(
    () => socket.destroy(),
    () => door.close(),
    () => server.close(),
  );
  socket.write(
    `POST / HTTP/1.1\r\nHost: x\r\n${length === undefined ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`}\r\n\r\n`,
  );
  write(
    (text) => void socket.write(text),
    () => socket.destroy(),
  );
  return result.promise;
}

describe('a body', () => {
  it('is read whole, paid for while it is held, and given back', async () => {
    const budget = new BodyBudget(10_000);
    const read = await reading(budget, 10, (send) => send('0123456789'));
    if (!('bytes' in read)) throw new Error(read.failed);
    expect(read.bytes.toString()).toBe('0123456789');
    expect(budget.heldBytes).toBe(10);
    read.release();
    read.release();
    expect(budget.heldBytes).toBe(0);
  });

  it('is put together rightly from pieces of every size', async () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 4000, max: 70_000 })), {
      minLength: 1,
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(sizes, async (lengths) => {
        const sent = lengths.map((length, at) => Buffer.alloc(length, 1 + (at % 255)));
        const read = await readWhole(inPieces(sent), { ...generous, budget: new BodyBudget(1e9) });
        if (!('bytes' in read)) throw new Error(read.failed);
        expect(read.bytes.equals(Buffer.concat(sent))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('in a hundred thousand single bytes is given up before it costs memory or time', async () => {
    const budget = new BodyBudget(1e9);
    const bytes = Array.from({ length: 100_000 }, () => Buffer.from('x'));
    const read = await readWhole(inPieces(bytes), { ...generous, budget });
    expect(read).toEqual({ failed: 'too_fine' });
    expect(budget.heldBytes).toBe(0);
  });

  it('that stops is given up', async () => {
    const budget = new BodyBudget(10_000);
    expect(await reading(budget, 10, (send) => send('01'))).toEqual({ failed: 'idle' });
    expect(budget.heldBytes).toBe(0);
  });

  it('that its client leaves is given up', async () => {
    const budget = new BodyBudget(10_000);
    expect(await reading(budget, 10, (_send, end) => setImmediate(end))).toEqual({ failed: 'client_gone' });
    expect(budget.heldBytes).toBe(0);
  });

  it('over the limit is refused by its length, and by its bytes where it has none', async () => {
    const budget = new BodyBudget(1_000_000);
    expect(await reading(budget, 1001, () => undefined)).toEqual({ failed: 'too_large' });
    expect(await reading(budget, undefined, (send) => send(`3e9\r\n${'x'.repeat(1001)}\r\n`))).toEqual({ failed: 'too_large' });
    expect(budget.heldBytes).toBe(0);
  });

  it('for which there is no room is refused', async () => {
    expect(await reading(new BodyBudget(10), 10, (send) => send('0123456789'))).toEqual({ failed: 'no_room' });
  });
});

describe('the budget', () => {
  it('gives one session half of it at the most, and everything back', () => {
    const budget = new BodyBudget(1000);
    expect(budget.take('a', 500)).toBe(true);
    expect(budget.take('a', 1)).toBe(false);
    expect(budget.take('b', 400)).toBe(true);
    expect(budget.take('c', 101)).toBe(false);
    budget.give('a', 500);
    expect(budget.take('c', 500)).toBe(true);
    expect(budget.heldBytes).toBe(900);
  });
});
