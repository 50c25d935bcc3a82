import { describe, expect, it } from 'vitest';
import { ViewAge } from '#membership/view-age.ts';

describe('the age of the view', () => {
  it('is without end before auth was heard, and grows from then on', () => {
    const at = { wall: 1_000_000, steady: 0, heard: undefined as number | undefined };
    const age = new ViewAge({ lastHeardMs: () => at.heard, nowMs: () => at.wall, monotonicMs: () => at.steady });
    expect(age.ageMs()).toBe(Number.POSITIVE_INFINITY);
    at.heard = at.wall;
    expect(age.ageMs()).toBe(0);
    at.wall += 60_000;
    at.steady += 60_000;
    expect(age.ageMs()).toBe(60_000);
  });

  it('is not made less by a clock that is turned back, and is made more by one turned forward', () => {
    const at = { wall: 10_000_000, steady: 0, heard: 10_000_000 };
    const age = new ViewAge({ lastHeardMs: () => at.heard, nowMs: () => at.wall, monotonicMs: () => at.steady });
    expect(age.ageMs()).toBe(0);
    at.wall -= 7_200_000;
    at.steady += 300_000;
    expect(age.ageMs()).toBe(300_000);
    at.wall += 14_400_000;
    expect(age.ageMs()).toBe(7_200_000);
  });
});
