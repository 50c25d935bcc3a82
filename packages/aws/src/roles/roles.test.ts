import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { roleArn } from '#roles/role-arn.ts';
import { sessionName } from '#roles/session-name.ts';

const place = { region: 'eu-west-1', accountId: '123456789012' };

describe('roleArn', () => {
  test.each(['Reader', 'role/Reader', 'arn:aws:iam::123456789012:role/Reader'])(
    '%s is the role Reader, however a rule spells it',
    (principal) => {
      const found = roleArn({ principal, ...place });
      expect(found).toMatchObject({ arn: 'arn:aws:iam::123456789012:role/Reader', name: 'Reader', accountId: '123456789012' });
      expect(found).toHaveProperty(
        'spellings',
        expect.arrayContaining([principal, 'Reader', 'role/Reader', 'arn:aws:iam::123456789012:role/Reader']),
      );
    },
  );

  test.each(['role/team/a/Reader', 'team/a/Reader', 'arn:aws:iam::123456789012:role/team/a/Reader'])(
    '%s keeps its path, and its bare name is a spelling too',
    (principal) => {
      expect(roleArn({ principal, ...place })).toMatchObject({
        arn: 'arn:aws:iam::123456789012:role/team/a/Reader',
        name: 'Reader',
        spellings: expect.arrayContaining(['Reader', 'team/a/Reader']),
      });
    },
  );

  test('the partition is that of the region', () => {
    expect(roleArn({ principal: 'Reader', region: 'cn-north-1', accountId: '123456789012' })).toMatchObject({
      arn: 'arn:aws-cn:iam::123456789012:role/Reader',
    });
  });

  test.each([
    ['the same role in another account', 'arn:aws:iam::210987654321:role/Reader', /in account 210987654321/],
    ['the same role in another partition', 'arn:aws-cn:iam::123456789012:role/Reader', /in partition aws-cn/],
    ['a session of the role', 'arn:aws:sts::123456789012:assumed-role/Reader/alice', /not a role/],
    ['a user', 'arn:aws:iam::123456789012:user/alice', /not an ARN of an IAM role/],
    ['a role of another service', 'arn:aws:ec2::123456789012:role/Reader', /not an ARN/],
    ['a role with a region', 'arn:aws:iam:eu-west-1:123456789012:role/Reader', /not an ARN/],
    ['an ARN without a name', 'arn:aws:iam::123456789012:role/', /not the name/],
    ['a wildcard', 'arn:aws:iam::123456789012:role/*', /not the name/],
    ['a bare wildcard', '*', /not the name/],
    ['nothing', '', /1 to 64/],
    ['a line break', 'Reader\n', /not the name/],
    ['a name with a parameter behind it', 'Reader&Action=GetSessionToken', /not the name/],
    ['a trailing slash', 'Reader/', /not the name/],
    ['a name of 65 characters', 'a'.repeat(65), /not the name/],
  ])('%s is refused', (_, principal, reason) => {
    expect(roleArn({ principal, ...place })).toMatchObject({ refusal: expect.stringMatching(reason) });
  });

  test('a name of 64 characters is a name; a resource without a real account or region has no roles', () => {
    expect(roleArn({ principal: 'a'.repeat(64), ...place })).not.toHaveProperty('refusal');
    expect(roleArn({ principal: 'Reader', region: 'eu-west-1', accountId: '1234' })).toHaveProperty('refusal');
    expect(roleArn({ principal: 'Reader', region: 'local', accountId: '123456789012' })).toHaveProperty('refusal');
  });

  test('every spelling of a role leads to that role again', () => {
    const name = fc.stringMatching(/^[\w+=,.@-]{1,20}$/);
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 3 }), (segments) => {
        const found = roleArn({ principal: `role/${segments.join('/')}`, ...place });
        if ('refusal' in found) throw new Error(found.refusal);
        // the bare name is for rules: asked for, it would be the role of that name without a path
        for (const principal of found.spellings.filter((spelling) => spelling !== found.name)) {
          if (!principal.startsWith('role/role/')) expect(roleArn({ principal, ...place })).toMatchObject({ arn: found.arn });
        }
      }),
    );
  });
});

describe('sessionName', () => {
  test.each(['alice', 'alice@example.com', 'a.b+c=d,e-f_g', 'al', 'a'.repeat(64)])('%s is legal and stays', (user) =>
    expect(sessionName(user)).toBe(user),
  );

  test.each([
    'a',
    '',
    'alice smith',
    'ünal',
    'a/b:c',
    'a'.repeat(65),
    'x\n&Action=GetCallerIdentity',
    '李'.repeat(300),
    'alice-0123456789abcdef',
  ])('%j becomes legal, with the hash of the original', (user) => expect(sessionName(user)).toMatch(/^[\w+=,.@-]{1,47}-[0-9a-f]{16}$/));

  test('two users never share a session name, however alike they are', () => {
    const user = fc.oneof(fc.string({ maxLength: 80 }), fc.string({ unit: fc.constantFrom('a', 'A', ' ', '/', '-', '0'), maxLength: 70 }));
    fc.assert(
      fc.property(user, user, (a, b) => {
        expect(sessionName(a)).toMatch(/^[\w+=,.@-]{2,64}$/);
        if (a !== b) expect(sessionName(a)).not.toBe(sessionName(b));
        // a name that looks like somebody's changed name cannot be chosen
        if (sessionName(a) !== a) expect(sessionName(sessionName(a))).not.toBe(sessionName(a));
      }),
      { numRuns: 5000 },
    );
  });
});
