import { limits } from '@postern/limits';
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

it('takes five attempts of a name in half a minute and twenty of a network in a minute, and not one more [limit signInsPerName] [limit signInsPerNetwork]', () => {
  const { signInsPerName, signInsPerNetwork } = limits;
  const byName = new SignInLimits();
  const ofAlice = (at: number, i: number) => byName.take('alice', `192.0.2.${i}`, at);
  for (let i = 0; i < signInsPerName.count; i++) expect(ofAlice(0, i)).toBe(true);
  expect(ofAlice(signInsPerName.withinMs - 1, 100)).toBe(false);
  expect(ofAlice(signInsPerName.withinMs, 101)).toBe(true);
  const byNetwork = new SignInLimits();
  const fromThere = (at: number, i: number) => byNetwork.take(`user${i}`, '192.0.2.1', at);
  for (let i = 0; i < signInsPerNetwork.count; i++) expect(fromThere(0, i)).toBe(true);
  expect(fromThere(signInsPerNetwork.withinMs - 1, 100)).toBe(false);
  expect(fromThere(signInsPerNetwork.withinMs, 101)).toBe(true);
});

it('does not count against a name what an address sends past its share', () => {
  const signIns = new SignInLimits();
  for (let i = 0; i < 20; i++) signIns.take(`user${i}`, '192.0.2.1', 0);
  for (let i = 0; i < 20; i++) expect(signIns.take('alice', '192.0.2.1', 0)).toBe(false);
  expect(signIns.take('alice', '192.0.2.2', 0)).toBe(true);
});
