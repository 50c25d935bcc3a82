import { type Duplex, duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BodySink } from '#door/exchange.ts';
import { HttpDoor } from '#door/http-door.ts';
import { HttpFault } from '#grammar/http-fault.ts';
import { type Message, readWithLlhttp } from '#testing/llhttp.ts';
import { AnswerReader } from '#upstream/answer-reader.ts';

const turns = async (count: number) => {
  for (let i = 0; i < count; i += 1) await new Promise((resolve) => setImmediate(resolve));
};

async function send(stream: Duplex, pieces: readonly Buffer[]): Promise<void> {
  stream.on('error', () => undefined);
  stream.resume();
  for (const piece of pieces) {
    if (!stream.destroyed) stream.write(piece);
    if (pieces.length > 1) await turns(1);
  }
  await turns(12);
}

/** The requests that were whole, in order. */
async function ours(pieces: readonly Buffer[]): Promise<{ readonly whole: Message[]; readonly fault: string | undefined }> {
  const whole: Message[] = [];
  let fault: string | undefined;
  const door = new HttpDoor<undefined>({
    limits: { maxBytes: 16_384, maxLines: 100, headMs: 60_000, bodyIdleMs: 60_000, bodyMs: 60_000, maxDiscardBytes: 1e6 },
    onExchange: (exchange) => {
      const { method, target, fields } = exchange.head;
      const body: Buffer[] = [];
      const sink: BodySink = {
        onData: (piece) => body.push(piece),
        onEnd: () => {
          whole.push({ line: `${method} ${target}`, fields, body: Buffer.concat(body).toString('latin1') });
          exchange.answer(200, ['content-length', '0'], Buffer.alloc(0));
        },
        onFailed: (why) => {
          fault ??= why;
          exchange.cut();
        },
      };
      exchange.sayContinue();
      exchange.readBody(sink);
    },
    onMalformed: (_context, error) => {
      fault = error.message;
      return { contentType: 'text/plain', body: Buffer.alloc(0) };
    },
  });
  const [near, far] = duplexPair();
  door.accept(far, undefined);
  await send(near, pieces);
  door.close();
  return { whole, fault };
}

const POSTS = [
  'POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nX-Odd:  a \t\r\n\r\nhello',
  'PUT / HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n',
  'GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /two HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}',
  'DELETE /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
];
const NASTY = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  '\0',
  '\x7f',
  '\xff',
  ':',
  ';',
  ',',
  '"',
  '\\',
  '/',
  '?',
  '#',
  '+',
  '-',
  '0',
  '1',
  'a',
  'F',
  'Content-Length: 5\r\n',
  'Content-Length: 6\r\n',
  'Content-Length : 5\r\n',
  'content-length:5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'transfer-encoding:\tchunked\r\n',
  'transfer-encoding: chunked\t\r\n',
  'Transfer-Encoding: identity\r\n',
  'Host: y\r\n',
  'Connection: close\r\n',
  'Connection: upgrade\r\nUpgrade: h2c\r\n',
  'Expect: 100-continue\r\n',
  ' HTTP/1.1\r\n',
  ' HTTP/1.0\r\n',
  '\r\n\r\n',
  '0\r\n\r\n',
  '5\r\n',
  'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n',
];

const change = fc.record({
  at: fc.nat(),
  drop: fc.constantFrom(0, 0, 0, 1, 2, 8),
  add: fc.oneof(fc.constantFrom('', ...NASTY), fc.string({ maxLength: 3 })),
});
const changed = (start: string, changes: readonly { at: number; drop: number; add: string }[]) =>
  changes.reduce((text, { at, drop, add }) => {
    const point = at % (text.length + 1);
    return text.slice(0, point) + add + text.slice(point + drop);
  }, start);
const hostile = fc
  .tuple(fc.constantFrom(...POSTS), fc.array(change, { minLength: 1, maxLength: 3 }), fc.constantFrom('', ...POSTS))
  .map(([start, changes, next]) => Buffer.from(changed(start, changes) + next, 'latin1'));

/** llhttp, as Node has it in its strict mode, judges the reader: it shares nothing with it. */
describe('what the reader takes for a request', () => {
  it('llhttp takes for the same request, with the same lines and the same body', async () => {
    for (const text of POSTS) expect((await ours([Buffer.from(text)])).whole).toEqual(readWithLlhttp('request', Buffer.from(text)));
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(hostile, async (bytes) => {
        const { whole } = await ours([bytes]);
        accepted += whole.length;
        const theirs = readWithLlhttp('request', bytes);
        expect(theirs.slice(0, whole.length)).toEqual(whole);
      }),
      { numRuns: 4000, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false },
    );
    // A reader that refuses everything would pass.
    expect(accepted).toBeGreaterThan(100);
  }, 40_000);

  it('does not depend on how the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.constantFrom(...POSTS).map((text) => Buffer.from(text)),
          hostile,
        ),
        fc.array(fc.nat(), { maxLength: 20 }),
        async (bytes, cuts) => {
          const points = [0, ...cuts.map((at) => at % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
          const pieces = points.slice(1).map((to, i) => bytes.subarray(points[i], to));
          const [cut, whole] = [await ours(pieces), await ours([bytes])];
          expect(cut.whole).toEqual(whole.whole);
          expect(cut.fault === undefined).toBe(whole.fault === undefined);
        },
      ),
      { numRuns: 1500, interruptAfterTimeLimit: 15_000, markInterruptAsFailure: false },
    );
  }, 40_000);
});

/** The answer to one POST, where it is whole. */
function ourAnswer(pieces: readonly Buffer[]): Message | undefined {
  const body: Buffer[] = [];
  const wire: Buffer[] = [];
  let line = '';
  let fields: readonly string[] = [];
  const reader = new AnswerReader({ maxBytes: 16_384, maxLines: 100 });
  reader.start('POST', {
    wantsData: true,
    onHead: (head) => {
      line = `${head.status} ${head.reason}`;
      ({ fields } = head);
    },
    onWire: (bytes) => wire.push(bytes),
    onData: (piece) => body.push(piece),
    onEnd: () => undefined,
    onFailed: () => undefined,
  });
  try {
    for (const piece of pieces) if (!reader.isDone || line === '') reader.read(piece);
    if (!reader.isDone && !reader.endsHere()) return undefined;
  } catch (error) {
    if (error instanceof HttpFault) return undefined;
    throw error;
  }
  expect(reader.bytes).toBe(Buffer.concat(body).length);
  const all = Buffer.concat(pieces).toString('latin1');
  expect(all).toContain(Buffer.concat(wire).toString('latin1'));
  return { line, fields, body: Buffer.concat(body).toString('latin1') };
}

const ANSWERS = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Odd:  a \t\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n',
  'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end',
];

describe('what the reader takes for an answer', () => {
  it('llhttp takes for the same answer', () => {
    for (const text of ANSWERS) expect(ourAnswer([Buffer.from(text)])).toEqual(readWithLlhttp('answer', Buffer.from(text))[0]);
    let accepted = 0;
    const hostileAnswer = fc
      .tuple(fc.constantFrom(...ANSWERS), fc.array(change, { minLength: 1, maxLength: 3 }))
      .map(([start, changes]) => Buffer.from(changed(start, changes), 'latin1'));
    fc.assert(
      fc.property(hostileAnswer, fc.array(fc.nat(), { maxLength: 6 }), (bytes, cuts) => {
        const answer = ourAnswer([bytes]);
        const points = [0, ...cuts.map((at) => at % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
        expect(ourAnswer(points.slice(1).map((to, i) => bytes.subarray(points[i], to)))).toEqual(answer);
        if (answer === undefined) return;
        accepted += 1;
        expect(readWithLlhttp('answer', bytes)[0]).toEqual(answer);
      }),
      { numRuns: 4000, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false },
    );
    expect(accepted).toBeGreaterThan(100);
  }, 40_000);
});
