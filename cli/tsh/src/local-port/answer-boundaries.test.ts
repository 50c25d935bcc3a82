import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerBoundaries } from '#local-port/answer-boundaries.ts';

const answer = (bytes: number) => Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\nDate: now\r\n\r\n${'x'.repeat(bytes)}`);

describe('the boundaries of answers', () => {
  it('are found after each whole answer and nowhere else, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(40), { minLength: 1, maxLength: 4 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 60 })),
        (sizes, cuts) => {
          const bytes = Buffer.concat(sizes.map(answer));
          const ends = new Set<number>();
          for (let at = 0, i = 0; i < sizes.length; i += 1) ends.add((at += answer(sizes[i] ?? 0).length));
          const boundaries = new AnswerBoundaries();
          for (let at = 0; at < bytes.length; ) {
            const chunk = bytes.subarray(at, at + (cuts.next().value as number));
            boundaries.take(chunk);
            at += chunk.length;
            expect(boundaries.between).toBe(ends.has(at));
          }
        },
      ),
    );
  });

  it('are passed by "100 Continue", and never found in or after what has no length', () => {
    const boundaries = new AnswerBoundaries();
    boundaries.take(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'));
    expect(boundaries.between).toBe(true);
    boundaries.take(answer(3));
    expect(boundaries.between).toBe(true);
    boundaries.take(Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'));
    expect(boundaries.between).toBe(false);
    for (const odd of ['nonsense\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n', 'x'.repeat(70_000)]) {
      const other = new AnswerBoundaries();
      other.take(Buffer.from(odd));
      other.take(answer(3));
      expect(other.between).toBe(false);
    }
  });

  it('are not known any more once HEAD was asked, whose answer names a length and has no body', () => {
    const boundaries = new AnswerBoundaries();
    boundaries.take(answer(3));
    boundaries.loseTrack();
    boundaries.take(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n'));
    boundaries.take(answer(3));
    expect(boundaries.between).toBe(false);
  });
});
