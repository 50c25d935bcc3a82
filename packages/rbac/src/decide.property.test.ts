import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { compileSubject, decide } from '#index.ts';
import type { AccessRequest, LabelSelector, Role, RoleConditions, Subject } from '#model.ts';
import { oracle } from '#decide-oracle.ts';

const key = fc.constantFrom('env', 'team', '__proto__', 'constructor', 'a.b');
const text = fc.constantFrom('prod', 'dev', 'dev-1', '', '*', '^.*$', 'a.b', 'axb', '{{external.team}}', 'red', 'Prod\n');
const pattern = fc.constantFrom(
  'prod',
  'dev',
  'dev-*',
  '*',
  '*-1',
  'a.b',
  '^dev|prod$',
  '^(dev|prod)$',
  '^a.b$',
  '^[a-z]+-[0-9]$',
  '{{external.team}}',
  'dev-{{internal.logins}}',
  '*{{external.team}}',
  '^{{external.team}}(-1)?$',
  '{{external.absent}}',
);
const principal = fc.constantFrom(
  'Admin',
  'Reader',
  'role/Path/Admin',
  '*',
  'x-{{external.team}}',
  '{{internal.db_users}}',
  '{{external.absent}}',
);
const arn = fc.constantFrom('arn:aws:iam::123456789012:role/Admin', 'Reader', '{{internal.aws_role_arns}}');

const map = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.array(fc.tuple(key, value), { maxLength: 3 }).map((pairs) => Object.fromEntries(pairs));
const values = fc.array(pattern, { maxLength: 3 });
const selector: fc.Arbitrary<LabelSelector> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ '*': ['*'] }) },
  { weight: 4, arbitrary: map(values) },
);

const conditions: fc.Arbitrary<RoleConditions> = fc.record(
  { dbLabels: selector, appLabels: selector, dbUsers: fc.array(principal, { maxLength: 3 }), awsRoleArns: fc.array(arn, { maxLength: 2 }) },
  { requiredKeys: [] },
);
// Half of the roles deny nothing: with a deny in each, hardly anything would be allowed and little tested.
const role: fc.Arbitrary<Role> = fc.record({
  name: fc.constantFrom('access', 'dev', 'ops'),
  version: fc.constantFrom('v3', 'v6', 'v8'),
  allow: conditions,
  deny: fc.oneof({ weight: 5, arbitrary: fc.constant<RoleConditions>({}) }, { weight: 1, arbitrary: conditions }),
  options: fc.constant({}),
});
const traitName = fc.constantFrom('team', 'logins', 'db_users', 'aws_role_arns', '__proto__');
const subject: fc.Arbitrary<Subject> = fc.record({
  user: fc.constant('alice'),
  roles: fc.array(role, { maxLength: 4 }),
  traits: fc
    .array(fc.tuple(traitName, fc.array(fc.oneof(text, fc.constantFrom('Admin', 'reader', '1')), { maxLength: 2 })), { maxLength: 4 })
    .map((pairs) => Object.fromEntries(pairs)),
});
const request: fc.Arbitrary<AccessRequest> = fc.record(
  {
    kind: fc.constantFrom('db' as const, 'app' as const),
    name: fc.constant('orders'),
    labels: map(text),
    principal: fc.array(
      fc.constantFrom('Admin', 'admin', 'Reader', 'x-red', '*', 'role/Path/Admin', 'arn:aws:iam::123456789012:role/Admin', 'x-*'),
      { maxLength: 2 },
    ),
    deniedAs: fc.array(fc.constantFrom('Reader', 'admin', 'role/Path/Admin'), { maxLength: 1 }),
  },
  { requiredKeys: ['kind', 'name', 'labels'] },
);

describe('a decision', () => {
  it('RB-01 is the one that a second, independent reading of the rules makes, for 10,000 random role sets', { timeout: 120_000 }, () => {
    let allowed = 0;
    fc.assert(
      fc.property(subject, request, (who, what) => {
        const decision = decide(compileSubject(who), what);
        if (decision.allowed) allowed += 1;
        expect(decision.allowed).toBe(oracle(who, what));
        expect(decision.reason).not.toBe('');
      }),
      { numRuns: 10_000 },
    );
    // Neither always yes nor always no, or the property would say little.
    expect(allowed).toBeGreaterThan(1000);
    expect(allowed).toBeLessThan(9000);
  });

  it('RB-01 does not depend on the order of the roles', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(
        subject.chain((who) => fc.tuple(fc.constant(who), fc.shuffledSubarray([...who.roles], { minLength: who.roles.length }))),
        request,
        ([who, roles], what) => {
          expect(decide(compileSubject({ ...who, roles }), what).allowed).toBe(decide(compileSubject(who), what).allowed);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('is never turned from no to yes by one more role that only denies', () => {
    fc.assert(
      fc.property(subject, conditions, request, (who, deny, what) => {
        const stricter: Role = { name: 'strict', version: 'v6', allow: {}, deny, options: {} };
        const before = decide(compileSubject(who), what).allowed;
        const after = decide(compileSubject({ ...who, roles: [...who.roles, stricter] }), what).allowed;
        expect(after && !before).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });
});
