import { describe, expect, it } from 'vitest';
import { ClockSkew } from '#forwarding/clock-skew.ts';

describe('a clock that is not AWS’s', () => {
  it('is told of in seconds, once a minute, and not where it is right or AWS says no date', () => {
    const awsMs = Date.parse('Tue, 15 Nov 1994 08:12:31 GMT');
    let nowMs = awsMs + 30_000;
    let monotonicMs = 0;
    const told: number[] = [];
    const skew = new ClockSkew({ nowMs: () => nowMs, monotonicMs: () => monotonicMs, onSkew: (seconds) => told.push(seconds) });
    const date = new Date(awsMs).toUTCString();
    skew.seen(date);
    skew.seen('yesterday');
    expect(told).toEqual([]);
    nowMs = awsMs - 7_200_000;
    skew.seen(date);
    monotonicMs = 59_000;
    skew.seen(date);
    expect(told).toEqual([-7200]);
    nowMs = awsMs + 7_200_000;
    monotonicMs = 61_000;
    skew.seen(date);
    expect(told).toEqual([-7200, 7200]);
  });
});
