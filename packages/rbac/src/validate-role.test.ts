import { limits } from '@postern/limits';
import { describe, expect, it } from 'vitest';

import { type Role, type RoleConditions, presetRoles, validateRole } from '#index.ts';

function problems(allow: RoleConditions, deny: RoleConditions = {}, more: Partial<Role> = {}): readonly string[] {
  return validateRole({ name: 'r', version: 'v6', allow, deny, options: {}, ...more }).map(({ path, message }) => `${path}: ${message}`);
}
function problemOf(value: string): string | undefined {
  return problems({ dbLabels: { env: ['dev', value] } })[0];
}

describe('validateRole', () => {
  it('finds nothing wrong with the preset roles and with what the guides write', () => {
    for (const role of presetRoles) expect(validateRole(role)).toEqual([]);
    expect(problems({ appLabels: { '*': ['*'] }, awsRoleArns: ['arn:aws:iam:123456789000:role/{{email.local(external.email)}}'] })).toEqual(
      [],
    );
  });

  it.each(['^(?=a)$', '^(?<!a)b$', '^(a)\\1$', '^a{1,1001}$', '^[a-$', '^(a$'])(
    'RB-03 refuses %s, which RE2 does not know, with its place',
    (pattern) => {
      expect(problemOf(pattern)).toMatch(/^spec\.allow\.db_labels\.env\[1\]: not a regular expression that RE2 accepts: /u);
    },
  );

  it('takes an expression at the longest and refuses one character more [limit regexCharacters]', () => {
    // A class is one instruction however it is written, so that its length alone decides.
    const ofLength = (characters: number) => `^[${'a'.repeat(characters - 4)}]$`;
    expect(problemOf(ofLength(limits.regexCharacters))).toBeUndefined();
    expect(problemOf(ofLength(limits.regexCharacters + 1))).toContain('longer than 1024');
  });

  it('refuses a role whose expressions are too large together, at once, and takes one that has many', () => {
    const labels = (expressions: number) =>
      Object.fromEntries(
        Array.from({ length: 60 }, (_, label) => [
          `l${label}`,
          Array.from({ length: expressions / 60 }, (_, i) => `^x${label}y${i}z[a-c]{1,60}(dev|prod|test)$`),
        ]),
      );
    expect(problems({ dbLabels: labels(120) })).toEqual([]);
    const startedMs = performance.now();
    const found = problems({ dbLabels: labels(4_800), appLabels: labels(4_800) });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^spec\.allow\.db_labels\.l\d+\[\d+\]: the regular expressions of this role are too large together/);
  });

  it('refuses an expression that is too large, and takes one of the usual size', () => {
    expect(problemOf('^(a?){1000}a{100}$')).toContain('too large');
    expect(problemOf('^(prod|staging)-[a-z]{2}-[0-9]+$')).toBeUndefined();
  });

  it.each([
    ['{{internal.db_user}}', 'internal.db_user is not a variable'],
    ['{{external.a}}{{external.b}}', 'cannot read'],
    ['{{external.a', 'at most one'],
    ['a}}', 'at most one'],
    ['x{1}{{external.a}}', 'at most one'],
    ['{{user.name}}', 'user.name is not known'],
    ['{{strings.upper(external.a)}}', 'strings.upper is not known'],
    ['{{email.local(external.a}}', 'expected )'],
    ['{{regexp.replace(external.a, "(", "")}}', 'not a regular expression'],
    ['{{regexp.replace(external.a, "\\d", "")}}', 'write a backslash as'],
    ['{{external["a"}}', 'expected ]'],
    ['{{}}', 'expected a name'],
    ['', 'must not be empty'],
  ])('refuses the value %s', (value, message) => {
    expect(problemOf(value)).toContain(message);
  });

  it('refuses functions nested without end', () => {
    expect(problemOf(`{{${'email.local('.repeat(2000)}external.a${')'.repeat(2000)}}}`)).toContain('longer than');
    expect(problemOf(`{{${'email.local('.repeat(20)}external.a${')'.repeat(20)}}}`)).toContain('nested deeper');
  });

  it('refuses patterns where only whole names count, since they would grant or deny nothing', () => {
    expect(problems({ awsRoleArns: ['*'] })).toEqual(['spec.allow.aws_role_arns[0]: patterns are not supported here; name each role']);
    expect(problems({ dbUsers: ['dev-*'] })[0]).toContain("or write '*' alone for all");
    expect(problems({}, { dbUsers: ['^Admin$'] })[0]).toContain('spec.deny.db_users[0]: patterns are not supported here');
    expect(problems({ dbUsers: ['*'] }, { awsRoleArns: ['*'], dbUsers: ['*'] })).toEqual([]);
  });

  it('refuses names of labels that would not mean what they look like', () => {
    expect(problems({ dbLabels: { 'env-*': ['a'] } })[0]).toContain('a pattern cannot stand in the name');
    expect(problems({ dbLabels: { '*': ['prod'] } })[0]).toContain("can only have the value '*'");
    expect(problems({}, { dbLabels: { '{{external.a}}': ['*'] } })[0]).toContain('a template cannot stand in the name');
  });

  it('refuses unknown versions, verbs, plural kinds and an empty session', () => {
    expect(problems({}, {}, { version: 'v9' })[0]).toContain('v9 is not a version of role');
    expect(problems({ rules: [{ resources: ['users'], verbs: ['reed'] }] })).toEqual([
      'spec.allow.rules[0].resources[0]: users is not a kind (did you mean user?)',
      'spec.allow.rules[0].verbs[0]: reed is not a verb; known ones: *, list, create, read, readnosecrets, update, delete, rotate, use',
    ]);
    expect(problems({}, {}, { options: { maxSessionTtlMs: -1 } })[0]).toContain('must be longer than 0');
  });
});
