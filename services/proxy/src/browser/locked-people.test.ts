import { expect, it } from 'vitest';
import { isPersonLocked } from '#browser/locked-people.ts';

it('a person is locked by name or by role, by all fields of a lock together, and for as long as it lasts', () => {
  const alice = { user: 'alice', roles: ['access', 'dev'] };
  const isLocked = (target: Record<string, string>, expires?: string) =>
    isPersonLocked(alice, [{ spec: { target, ...(expires === undefined ? {} : { expires }) } }], 1_000);
  for (const target of [{ user: 'alice' }, { role: 'dev' }, { user: 'alice', role: 'dev' }, { user: 'alice', server_id: '' }])
    expect([target, isLocked(target)]).toEqual([target, true]);
  for (const target of [
    { user: 'bob' },
    { role: 'ops' },
    { user: 'alice', role: 'ops' },
    { server_id: 'alice' },
    { user: 'alice', server_id: 'x' },
    {},
  ])
    expect([target, isLocked(target)]).toEqual([target, false]);
  expect(isLocked({ user: 'alice' }, new Date(1_000).toISOString())).toBe(false);
  expect(isLocked({ user: 'alice' }, new Date(1_001).toISOString())).toBe(true);
});
