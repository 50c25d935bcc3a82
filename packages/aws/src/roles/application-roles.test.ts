import { describe, expect, test } from 'vitest';
import { applicationRoles, readRoleArn } from '#roles/application-roles.ts';
import { resolveRole } from '#roles/resolve-role.ts';
import { samePartition } from '#roles/role-partition.ts';

const arn = (name: string, account = '123456789012', partition = 'aws') => `arn:${partition}:iam::${account}:role/${name}`;
const roles = (arns: readonly string[], more: { readonly denied?: readonly string[]; readonly accountId?: string } = {}) =>
  applicationRoles({ arns, partition: 'aws', ...more });

describe('applicationRoles', () => {
  test('are the granted ones of the partition, by name, each once', () => {
    expect(roles([arn('Writer'), arn('team/a/Reader'), arn('Writer'), arn('Reader', '123456789012', 'aws-cn')])).toEqual([
      { arn: arn('team/a/Reader'), name: 'Reader', accountId: '123456789012', partition: 'aws' },
      { arn: arn('Writer'), name: 'Writer', accountId: '123456789012', partition: 'aws' },
    ]);
  });

  test('with the account label of the application only those of that account', () => {
    expect(roles([arn('Reader'), arn('Reader', '210987654321')], { accountId: '210987654321' }).map((role) => role.arn)).toEqual([
      arn('Reader', '210987654321'),
    ]);
  });

  test('a denied role is none, however its letters are cased, and a denied star leaves none', () => {
    expect(roles([arn('Reader'), arn('Writer')], { denied: [arn('WRITER')] }).map(({ name }) => name)).toEqual(['Reader']);
    expect(roles([arn('Reader')], { denied: ['*'] })).toEqual([]);
  });

  test.each([
    '*',
    'Reader',
    '',
    arn('*'),
    'arn:aws:iam:123456789000:role/x',
    'arn:aws:iam::123456789012:user/x',
    `${arn('Reader')}\n`,
    arn('a'.repeat(65)),
  ])('%j grants nothing, and takes nothing from the others', (odd) =>
    expect(roles([odd, arn('Reader')]).map(({ name }) => name)).toEqual(['Reader']),
  );

  test('the ARN of the guide that lacks a colon is refused with the one it should be', () => {
    expect(readRoleArn('arn:aws:iam:123456789000:role/role_for_alice')).toEqual({
      refusal: expect.stringContaining('two colons, arn:aws:iam::123456789000:role/role_for_alice'),
    });
  });
});

describe('resolveRole', () => {
  const two = roles([arn('Reader'), arn('Writer')]);

  test('the only role is taken unasked, and one of several is asked for with all of them listed', () => {
    expect(resolveRole(undefined, roles([arn('Reader')]))).toMatchObject({ arn: arn('Reader') });
    expect(resolveRole('', two)).toEqual({
      refusal: `there are 2 AWS roles to choose from; give one with --aws-role: ${arn('Reader')}, ${arn('Writer')}`,
      code: 'several',
      roles: two,
    });
  });

  test.each(['Writer', arn('Writer')])('%s is the role', (asked) => expect(resolveRole(asked, two)).toMatchObject({ arn: arn('Writer') }));

  test('a name with its path is one too', () => {
    expect(resolveRole('team/a/Reader', roles([arn('team/a/Reader'), arn('Writer')]))).toMatchObject({ arn: arn('team/a/Reader') });
  });

  test('a name in two accounts needs the ARN', () => {
    const both = roles([arn('Reader'), arn('Reader', '210987654321'), arn('Writer')]);
    expect(resolveRole('Reader', both)).toMatchObject({
      code: 'ambiguous',
      refusal: expect.stringContaining(arn('Reader', '210987654321')),
    });
    expect(resolveRole(arn('Reader', '210987654321'), both)).toMatchObject({ accountId: '210987654321' });
  });

  test.each(['reader', 'Readers', arn('Reader', '210987654321'), arn('Reader').toUpperCase(), '*'])('%s is not found', (asked) => {
    expect(resolveRole(asked, two)).toMatchObject({ code: 'unknown', refusal: expect.stringContaining('is not found') });
  });

  test('an ARN that is none is refused as that, and nobody’s roles are said to be nobody’s', () => {
    expect(resolveRole('arn:aws:iam:123456789012:role/Reader', two)).toMatchObject({ code: 'not_an_arn' });
    expect(resolveRole('arn:aws:sts::123456789012:assumed-role/Reader/alice', two)).toMatchObject({ code: 'not_an_arn' });
    for (const asked of [undefined, 'Reader']) {
      expect(resolveRole(asked, [])).toMatchObject({ code: 'none_allowed', refusal: expect.stringContaining('an administrator grants') });
    }
  });

  test('ten are listed, and of eleven the last is counted', () => {
    const many = (count: number) => roles(Array.from({ length: count }, (_, i) => arn(`Role${i}`)));
    expect(resolveRole(undefined, many(10))).toHaveProperty('refusal', expect.not.stringContaining('more'));
    expect(resolveRole(undefined, many(11))).toHaveProperty('refusal', expect.stringMatching(/and 1 more$/));
  });
});

test('a region is in the partition of the role, or its credentials are not valid there', () => {
  const [role] = roles([arn('Reader')]);
  if (role === undefined) throw new Error('no role');
  expect(samePartition(role, 'eu-west-1')).toBeUndefined();
  expect(samePartition(role, '*')).toBeUndefined();
  expect(samePartition(role, 'cn-north-1')).toEqual({ refusal: expect.stringContaining('region cn-north-1 is in partition aws-cn') });
  expect(samePartition(role, 'us-gov-west-1')).toHaveProperty('refusal');
  expect(samePartition(role, 'nowhere')).toEqual({ refusal: expect.stringContaining('no AWS partition') });
});
