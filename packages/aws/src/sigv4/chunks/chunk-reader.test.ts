import { limits } from '@postern/limits';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChunkReader } from '#sigv4/chunks/chunk-reader.ts';
import { CheckedChunks } from '#sigv4/chunks/checked-chunks.ts';
import { readTrailers } from '#sigv4/chunks/trailers.ts';
import { cut } from '#sigv4/testing/signer.ts';

const trailer = ['x-amz-checksum-crc32'];

function check(
  text: string,
  options: { readonly contentLength: number; readonly places?: readonly number[]; readonly trailers?: readonly string[] },
) {
  const sent: Buffer[] = [];
  const { contentLength, places = [], trailers = trailer } = options;
  const transform = new CheckedChunks({ contentLength, trailers, send: (bytes) => sent.push(bytes) });
  let refusal: unknown;
  for (const piece of cut(Buffer.from(text, 'latin1'), places)) refusal ??= transform.write(piece);
  refusal ??= transform.end();
  return { sent: Buffer.concat(sent).toString('latin1'), refusal, contentBytes: transform.contentBytes };
}

const well = '5\r\nhello\r\nA\r\n, world!!!\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n';

describe('an unsigned body in aws-chunked coding', () => {
  test('goes on byte for byte, in any cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(80), { maxLength: 80 }), (places) => {
        expect(check(well, { contentLength: 15, places })).toEqual({ sent: well, refusal: undefined, contentBytes: 15 });
      }),
    );
  });

  test('may be empty, and may end its trailers as any client does', () => {
    expect(check('0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n', { contentLength: 0 }).refusal).toBeUndefined();
    expect(check('0\r\nX-Amz-Checksum-Crc32: AAAAAA== \n\r\n\r\n', { contentLength: 0 }).refusal).toBeUndefined();
    expect(check('0\r\n\r\n', { contentLength: 0, trailers: [] }).refusal).toBeUndefined();
  });

  test.each([
    ['a size that is no number', well.replace('5\r', 'x\r')],
    ['a negative size', well.replace('5\r', '-5\r')],
    ['an empty size', well.replace('5\r', '\r')],
    ['a size with a blank', well.replace('5\r', '5 \r')],
    ['a signature where none belongs', well.replace('5\r', `5;chunk-signature=${'a'.repeat(64)}\r`)],
    ['a bare line feed behind a size', well.replace('5\r\n', '5\n')],
    ['a chunk longer than it says', well.replace('hello', 'hello!')],
    ['a chunk shorter than it says', well.replace('hello', 'hell')],
    ['more content than declared', well.replace('5\r\nhello', '6\r\nhello!')],
    ['less content than declared', well.replace('5\r\nhello', '4\r\nhell')],
    ['no last chunk', well.slice(0, well.indexOf('0\r\nx-amz'))],
    ['no trailer', well.replace(/x-amz.*\r\n/, '')],
    ['another trailer', well.replace('crc32', 'sha1')],
    ['a trailer twice', well.replace(/(x-amz.*\r\n)/, '$1$1')],
    ['a trailer that is no line', well.replace('crc32:', 'crc32')],
    ['a trailer with a control character', well.replace('AAAAAA', 'AA\x01AAA')],
    ['trailers that do not end', well.slice(0, -2)],
    ['a signed trailer', well.replace(/\r\n\r\n$/, `\r\nx-amz-trailer-signature:${'a'.repeat(64)}\r\n\r\n`)],
    ['content behind its trailers', `${well}5\r\nhello\r\n`],
  ])('with %s is refused in any cut, and its last bytes stay here', (_, text) => {
    for (const places of [[], [3], [9, 20], Array.from({ length: 60 }, (__, i) => i * 2)]) {
      const { sent, refusal } = check(text, { contentLength: 15, places });
      expect(refusal).toMatchObject({ kind: 'bad_request' });
      expect(sent.length).toBeLessThan(text.length);
      expect(text.startsWith(sent)).toBe(true);
    }
  });

  test('no bytes make the reader throw', () => {
    const word = fc.constantFrom('0', '5', 'hello', '\r\n', '\n', ';chunk-signature=', 'x-amz-checksum-crc32:', 'ffffffffffff', '\0');
    fc.assert(
      fc.property(fc.array(word, { maxLength: 20 }), fc.array(fc.nat(80), { maxLength: 10 }), (words, places) => {
        check(words.join(''), { contentLength: 5, places });
      }),
      { numRuns: 2000 },
    );
  });
});

describe('what is held of a body', () => {
  const header = (bytes: number) => `${'1'.padStart(bytes, '0')}\r\n`;

  test('is the header of a chunk up to 256 bytes, and not one more [limit awsChunkHeaderBytes]', () => {
    const body = (bytes: number) => `${header(bytes)}x\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n`;
    expect(check(body(limits.awsChunkHeaderBytes), { contentLength: 1 }).refusal).toBeUndefined();
    expect(check(body(limits.awsChunkHeaderBytes + 1), { contentLength: 1 }).refusal).toMatchObject({ kind: 'too_large' });
    const reader = new ChunkReader(
      { areSigned: true, hasTrailer: false, contentLength: 1 },
      { onData: () => undefined, onChunk: () => undefined },
    );
    expect(reader.read(Buffer.alloc(limits.awsChunkHeaderBytes + 2, '0'))).toBeUndefined();
    expect(reader.read(Buffer.from('0'))).toMatchObject({ kind: 'too_large' });
  });

  test('are 4 KiB of trailers, and not a byte more [limit awsTrailerBytes]', () => {
    const name = 'x-amz-meta-long';
    const body = (bytes: number) => `0\r\n${name}:${'a'.repeat(bytes - name.length - 1 - 4)}\r\n\r\n`;
    expect(check(body(limits.awsTrailerBytes), { contentLength: 0, trailers: [name] }).refusal).toBeUndefined();
    expect(check(body(limits.awsTrailerBytes + 1), { contentLength: 0, trailers: [name] }).refusal).toMatchObject({ kind: 'too_large' });
  });

  test('is nothing that makes the trailers slow to read', () => {
    const started = process.cpuUsage();
    for (const text of [`a:${' '.repeat(4000)}\x01\r\n\r\n`, `${'a'.repeat(4000)}\r\n\r\n`, `${'\r\n'.repeat(2000)}x`])
      readTrailers(text, []);
    expect(process.cpuUsage(started).user).toBeLessThan(500_000);
  });
});
