import { describe, expect, it } from 'vitest';
import { shorterThanAsked } from '#login/shorter-than-asked.ts';

const HOUR_MS = 3_600_000;

describe('a sign-in that is shorter than --ttl asked for', () => {
  it('says how long it lasts, and why', () => {
    expect(shorterThanAsked(999_999, 30 * HOUR_MS - 200)).toBe(
      'this sign-in lasts 30h0m0s and not 999999 minutes: no role gives more than 30 hours, and max_session_ttl may give less',
    );
  });

  it('says nothing where it got what it asked for, the moments of the sign-in apart, or asked for nothing', () => {
    expect(shorterThanAsked(60, HOUR_MS - 3_000)).toBeUndefined();
    expect(shorterThanAsked(undefined, HOUR_MS)).toBeUndefined();
  });
});
