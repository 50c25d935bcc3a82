import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { gatherWrites } from '#local-port/gather-writes.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('pieces that are written in one turn', () => {
  it('leave together where they are of a long body, in order and whole, and one by one where they are not', async () => {
    const left: number[][] = [];
    const to = new Writable({
      write: (chunk: Buffer, _encoding, done) => (left.push([chunk.length]), done()),
      writev: (chunks, done) => (left.push(chunks.map(({ chunk }) => (chunk as Buffer).length)), done()),
    });
    const gather = gatherWrites(to);
    const write = (...sizes: number[]) => {
      for (const size of sizes) {
        gather(size);
        to.write(Buffer.alloc(size));
      }
    };
    write(100, 200);
    expect(left).toEqual([[100], [200]]);
    write(16_384, 9, 16_375);
    expect(left).toHaveLength(2);
    await turn();
    expect(left.slice(2)).toEqual([[16_384, 9, 16_375]]);
    write(5_000);
    to.end();
    await turn();
    expect(left.slice(3)).toEqual([[5_000]]);
    expect(to.writableFinished).toBe(true);
  });
});
