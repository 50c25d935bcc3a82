import { expect, it } from 'vitest';
import { JoinLimits } from '#join/join-limits.ts';
import { SignInLimits } from '#login/sign-in.ts';

// A customer's /64 holds more addresses than anybody can try: a limit on each of them was no limit.
it('counts a whole IPv6 network as one address, for sign-ins and for joins', () => {
  const signIns = new SignInLimits();
  const taken = Array.from({ length: 40 }, (_, i) => signIns.take(`user${i}`, `2001:db8::${i.toString(16)}`, 0));
  expect(taken.filter(Boolean)).toHaveLength(20);
  expect(signIns.take('neighbour', '2001:db8:0:1::1', 0)).toBe(true);
  const joins = new JoinLimits();
  const failed = Array.from({ length: 40 }, (_, i) => joins.countFailure(`2001:db8::${i.toString(16)}`, 0));
  expect(failed.filter(({ isWithinLimit }) => isWithinLimit)).toHaveLength(20);
});

it('does not count against a name what an address sends past its share', () => {
  const signIns = new SignInLimits();
  for (let i = 0; i < 20; i++) signIns.take(`user${i}`, '192.0.2.1', 0);
  for (let i = 0; i < 20; i++) expect(signIns.take('alice', '192.0.2.1', 0)).toBe(false);
  expect(signIns.take('alice', '192.0.2.2', 0)).toBe(true);
});
