import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fullJitterBackoff, spreadMs } from '#backoff.ts';
import { tunnelLimits } from '#limits.ts';
import { readAnswer, readDial, writeAnswer, writeDial } from '#reverse/dial-frame.ts';

describe('the dial message', () => {
  it('is read as it was written, with whatever head follows', () => {
    const id = fc.uint8Array({ minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(id, fc.string({ maxLength: 100 }), fc.uint8Array({ maxLength: 300 }), (resourceId, clientAddress, head) => {
        const dial = { resourceId: Buffer.from(resourceId), clientAddress: clientAddress.toWellFormed(), head: Buffer.from(head) };
        expect(readDial(writeDial(dial))).toEqual(dial);
      }),
    );
  });

  it('is refused with a named error, never a crash, whatever bytes come instead', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          readDial(Buffer.from(bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad_request' });
        }
      }),
      { numRuns: 5000 },
    );
    expect(() => readDial(Buffer.from([0, 0, 0, 0]))).toThrow(/malformed/);
  });

  it('is answered by one byte, or by a reason that is cut to its limit', () => {
    expect(readAnswer(writeAnswer())).toBeUndefined();
    expect(readAnswer(writeAnswer('not here'))).toBe('not here');
    expect(readAnswer(writeAnswer('x'.repeat(9999)))).toHaveLength(512);
    expect(() => readAnswer(Buffer.from([7]))).toThrow(/malformed/);
    expect(() => readAnswer(Buffer.alloc(0))).toThrow(/malformed/);
  });
});

describe('full-jitter backoff', () => {
  it('draws evenly below a ceiling that doubles up to its cap, and starts over when reset', () => {
    const backoff = fullJitterBackoff({ baseMs: 100, capMs: 1000, random: () => 0.999 });
    expect(Array.from({ length: 6 }, () => backoff.nextMs())).toEqual([99, 199, 399, 799, 999, 999]);
    backoff.reset();
    expect(backoff.nextMs()).toBe(99);
    expect(fullJitterBackoff({ baseMs: 100, capMs: 1000, random: () => 0 }).nextMs()).toBe(0);
  });

  it('draws from the time that a lost server wanted, where that is longer, and never from more than half a minute', () => {
    const backoff = fullJitterBackoff({ baseMs: 100, capMs: 1000, random: () => 0.999 });
    expect(backoff.nextMs({ ms: 20_000, missed: false })).toBe(19_983);
    expect(backoff.nextMs({ ms: 50, missed: false })).toBe(199);
    expect(backoff.nextMs({ ms: tunnelLimits.maxSpreadMs, missed: false })).toBe(29_975);
    expect(backoff.nextMs({ ms: tunnelLimits.maxSpreadMs + 1_000_000, missed: false })).toBe(29_975);
    // Who missed his moment takes the same one of the next such time, and no shorter waits between.
    expect(backoff.nextMs({ ms: 20_000, missed: true })).toBe(20_000);
    expect(backoff.nextMs({ ms: 50, missed: true })).toBe(999);
    expect([spreadMs(0, 4), spreadMs(5_000, 4), spreadMs(7_500, 4), spreadMs(7_501, 4)]).toEqual([0, 20_000, 30_000, 30_000]);
  });

  it('has fewer come in the beginning of that time than in its end, and nobody after it', () => {
    const DRAWN = 5_000;
    let drawn = 0;
    const backoff = fullJitterBackoff({ baseMs: 100, capMs: 1000, random: () => drawn++ / DRAWN });
    const moments = Array.from({ length: DRAWN }, () => backoff.nextMs({ ms: 25_000, missed: false }));
    const cameIn = (fifth: number) => moments.filter((ms) => Math.floor(ms / 5_000) === fifth).length;
    expect(Math.max(...moments)).toBeLessThan(25_000);
    expect([0, 1, 2, 3, 4].map((fifth) => Math.round((cameIn(fifth) / DRAWN) * 100))).toEqual([13, 18, 21, 23, 24]);
  });
});
