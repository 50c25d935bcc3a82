import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkedDecoder } from '#grammar/chunked-decoder.ts';

/** What is decoded of the pieces, and how many bytes were left behind the end; undefined where it did not end. */
function decode(pieces: readonly Buffer[]): { readonly data: string; readonly left: number } | undefined {
  const data: Buffer[] = [];
  const decoder = new ChunkedDecoder({ onData: (bytes, from, to) => data.push(Buffer.from(bytes.subarray(from, to))) });
  let left = 0;
  for (const piece of pieces) left += piece.length - (decoder.isDone ? 0 : decoder.read(piece, 0));
  const whole = Buffer.concat(data);
  expect(decoder.dataBytes).toBe(whole.length);
  return decoder.isDone ? { data: whole.toString('latin1'), left } : undefined;
}

function cut(text: string, at: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const points = [0, ...at.map((one) => one % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return points.slice(1).map((to, i) => bytes.subarray(points[i], to));
}

describe('chunks', () => {
  it('are read whole, however they are coded and cut', () => {
    const chunk = fc.record({
      data: fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 80 }),
      zeros: fc.integer({ min: 0, max: 3 }),
      upper: fc.boolean(),
      extension: fc.constantFrom('', ';a', ';a=b', ';a=b;c'),
    });
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 6 }),
        fc.constantFrom('', 'X-Sum: 1\r\n', 'A: b\r\nC:\r\n'),
        fc.array(fc.nat(), { maxLength: 12 }),
        (chunks, trailers, cuts) => {
          const coded = chunks.map(({ data, zeros, upper, extension }) => {
            const size = '0'.repeat(zeros) + data.length.toString(16);
            return `${upper ? size.toUpperCase() : size}${extension}\r\n${data}\r\n`;
          });
          const text = `${coded.join('')}0\r\n${trailers}\r\n`;
          const data = chunks.map((one) => one.data).join('');
          expect(decode(cut(text, cuts))).toEqual({ data, left: 0 });
          expect(decode(cut(`${text}NEXT`, cuts))).toEqual({ data, left: 4 });
        },
      ),
      { numRuns: 1000 },
    );
  });

  it.each([
    '\r\n',
    'zz\r\n',
    '+1\r\nx',
    '-1\r\nx',
    '0x1\r\nx',
    ' 1\r\nx',
    '1 \r\nx',
    '1\nx',
    '1\r\rx',
    '1\r\nxx',
    '1\r\nx\n0',
    '1\r\nx\r\r',
    '1\r\nx0\r\n\r\n',
    '1000000000000\r\n',
    `${'0'.repeat(13)}\r\n`,
    '1;\r\nx',
    '1;a=\r\nx',
    '1;a b\r\nx',
    '1;a="b"\r\nx',
    '1;a\nx',
    '1; a\r\nx',
    `1;${'a'.repeat(1025)}\r\n`,
    '1;aaaaaaaaaa\r\nx\r\n'.repeat(120),
    '0\r\nContent-Length: 4\r\n\r\n',
    '0\r\ntransfer-encoding: chunked\r\n\r\n',
    '0\r\nhost: x\r\n\r\n',
    '0\r\n X: y\r\n\r\n',
    '0\r\nX : y\r\n\r\n',
    '0\r\nX: y\n\r\n',
    `0\r\n${'X: y\r\n'.repeat(17)}\r\n`,
    `0\r\nX: ${'y'.repeat(5000)}\r\n\r\n`,
  ])('are refused: %j', (text) => {
    expect(() => decode([Buffer.from(text)])).toThrow(expect.objectContaining({ name: 'HttpFault' }));
    expect(() => decode(Array.from(Buffer.from(text), (octet) => Buffer.of(octet)))).toThrow(
      expect.objectContaining({ name: 'HttpFault' }),
    );
  });

  it('that end before their end are not whole', () => {
    const text = '3\r\nabc\r\n0\r\nX: y\r\n\r\n';
    for (let at = 0; at < text.length; at += 1) expect(decode([Buffer.from(text.slice(0, at))])).toBeUndefined();
  });
});
