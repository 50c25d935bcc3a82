import { describe, expect, it } from 'vitest';
import type { Refused } from '#authorise/authorizer.ts';
import { Permit } from '#authorise/permit.ts';

const denied: Refused = { allowed: false, cause: 'rule', reason: 'denied by role dev' };

describe('a permit', () => {
  it('is cut once, with the reason, when it is reviewed and would be refused, and not before', () => {
    let now: Refused | undefined;
    const cuts: Refused[] = [];
    const permit = new Permit(() => now);
    permit.onCut((why) => cuts.push(why));
    permit.review();
    expect([permit.ended, cuts]).toEqual([undefined, []]);
    now = denied;
    permit.review();
    permit.review();
    expect([permit.ended, cuts]).toEqual([denied, [denied]]);
  });

  it('that was refused once stays refused, whatever is allowed later', () => {
    let now: Refused | undefined = denied;
    const permit = new Permit(() => now);
    expect(permit.refusal()).toBe(denied);
    now = undefined;
    expect(permit.refusal()).toBe(denied);
  });

  it('of which nobody can decide is refused', () => {
    const cuts: Refused[] = [];
    const permit = new Permit(() => {
      throw new Error('a role of nonsense');
    });
    permit.onCut((why) => cuts.push(why));
    permit.review();
    expect(cuts).toMatchObject([{ allowed: false, reason: expect.stringContaining('a role of nonsense') as string }]);
  });
});
