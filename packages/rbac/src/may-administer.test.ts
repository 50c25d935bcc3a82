import { describe, expect, it } from 'vitest';

import { type AdminRule, type Role, compileSubject, lockMode, mayAdminister, presetRoles, sessionTtlMs } from '#index.ts';

function role(name: string, allow: readonly AdminRule[], deny: readonly AdminRule[] = []): Role {
  return { name, version: 'v6', allow: { rules: allow }, deny: { rules: deny }, options: {} };
}
function may(roles: readonly Role[], kind: string, verb: string) {
  return mayAdminister(compileSubject({ user: 'alice', roles, traits: {} }), kind, verb);
}
const preset = (name: string): readonly Role[] => presetRoles.filter((candidate) => candidate.name === name);

describe('mayAdminister', () => {
  it('lets an editor write roles, and neither an auditor nor somebody with access only', () => {
    expect(may(preset('editor'), 'role', 'update')).toMatchObject({ allowed: true, role: 'editor' });
    expect(may(preset('auditor'), 'role', 'update')).toMatchObject({
      allowed: false,
      reason: 'no role allows update on role (roles: auditor)',
    });
    expect(may(preset('access'), 'user', 'read').allowed).toBe(false);
  });

  it('lets an auditor read audit events, and neither an editor nor somebody with access only', () => {
    expect(may(preset('auditor'), 'event', 'read').allowed).toBe(true);
    expect(may(preset('auditor'), 'event', 'delete').allowed).toBe(false);
    expect(may(preset('editor'), 'event', 'read').allowed).toBe(false);
    expect(may(preset('access'), 'event', 'list').allowed).toBe(false);
  });

  it('never shows an editor the keys of a certificate authority', () => {
    expect(may(preset('editor'), 'cert_authority', 'read').allowed).toBe(false);
    expect(may(preset('editor'), 'cert_authority', 'readnosecrets').allowed).toBe(true);
  });

  it('takes * for every kind and every verb, and lets a deny of any role win', () => {
    const all = role('all', [{ resources: ['*'], verbs: ['*'] }]);
    expect(may([all], 'lock', 'create').allowed).toBe(true);
    expect(may([all, role('no', [], [{ resources: ['lock'], verbs: ['*'] }])], 'lock', 'create')).toMatchObject({
      allowed: false,
      reason: 'denied by role no: deny.rules create lock',
    });
    expect(may([role('no', [], [{ resources: ['*'], verbs: ['delete'] }]), all], 'lock', 'create').allowed).toBe(true);
  });

  it('takes the right to read for the right to read without secrets, never the other way round', () => {
    expect(may([role('r', [{ resources: ['user'], verbs: ['read'] }])], 'user', 'readnosecrets').allowed).toBe(true);
    expect(may([role('r', [{ resources: ['user'], verbs: ['readnosecrets'] }])], 'user', 'read').allowed).toBe(false);
    expect(
      may(
        [role('all', [{ resources: ['user'], verbs: ['*'] }]), role('no', [], [{ resources: ['user'], verbs: ['readnosecrets'] }])],
        'user',
        'read',
      ).allowed,
    ).toBe(false);
  });
});

describe('sessionTtlMs', () => {
  const hour = 3_600_000;
  const withTtl = (maxSessionTtlMs: number): Role => ({ name: 'r', version: 'v6', allow: {}, deny: {}, options: { maxSessionTtlMs } });

  it('is the shortest of what was asked, what each role allows, and 30 hours', () => {
    expect(sessionTtlMs([withTtl(8 * hour), withTtl(2 * hour)], 4 * hour, 12 * hour)).toBe(2 * hour);
    expect(sessionTtlMs([withTtl(8 * hour)], 4 * hour, 12 * hour)).toBe(4 * hour);
    expect(sessionTtlMs([], undefined, 12 * hour)).toBe(12 * hour);
    expect(sessionTtlMs([withTtl(90 * hour)], 1e308, 12 * hour)).toBe(30 * hour);
  });

  it.each([-1, 0, Number.NaN])('takes %d for not asked', (asked) => {
    expect(sessionTtlMs([withTtl(2 * hour)], asked, 12 * hour)).toBe(2 * hour);
    expect(sessionTtlMs([], asked, 12 * hour)).toBe(12 * hour);
  });
});

describe('lockMode', () => {
  it('is strict where any role says so', () => {
    const strict: Role = { name: 's', version: 'v6', allow: {}, deny: {}, options: { lock: 'strict' } };
    expect(lockMode([...presetRoles, strict])).toBe('strict');
    expect(lockMode(presetRoles)).toBe('best_effort');
  });
});
