import { describe, expect, it } from 'vitest';

import { appRoles, awsCredentialOperations, chooseAppRole, compileSubject, decideApp, type Role, type RoleConditions } from '#index.ts';

const admin = 'arn:aws:iam::123456789012:role/Admin';
const reader = 'arn:aws:iam::123456789012:role/team/Reader';
const otherAdmin = 'arn:aws:iam::999999999999:role/Admin';
const china = 'arn:aws-cn:iam::123456789012:role/Admin';
const everywhere = { '*': ['*'] };
const app = (labels: Readonly<Record<string, string>> = {}, partition = 'aws') => ({ name: 'aws', labels, partition });

function subject(...conditions: readonly { readonly allow?: RoleConditions; readonly deny?: RoleConditions }[]) {
  const roles = conditions.map(({ allow = {}, deny = {} }, at): Role => ({ name: `r${at}`, version: 'v5', allow, deny, options: {} }));
  return compileSubject({ user: 'alice', roles, traits: {} });
}
const grants = (...awsRoleArns: readonly string[]) => ({ allow: { appLabels: everywhere, awsRoleArns } });

describe('a role of an application', () => {
  it('is allowed as the ARN that a role grants, and as nothing else', () => {
    const alice = subject(grants(admin));
    expect(decideApp(alice, app(), admin).allowed).toBe(true);
    const others = [
      otherAdmin,
      china,
      admin.toLowerCase(),
      'arn:aws:iam::123456789012:role/team/Admin',
      'arn:aws:iam::123456789012:role/a/../Admin',
      'arn:aws:sts::123456789012:assumed-role/Admin/x',
      'arn:aws:iam::123456789012:user/Admin',
      'Admin',
      '*',
      '',
      `${admin}\n`,
    ];
    for (const arn of others) expect([arn, decideApp(alice, app(), arn).allowed]).toEqual([arn, false]);
  });

  it('that a role grants by name alone is no account’s role', () => {
    expect(decideApp(subject(grants('Admin')), app({ aws_account_id: '123456789012' }), admin).allowed).toBe(false);
  });

  it('is of the application’s partition and, where it is bound to one, of its account', () => {
    const alice = subject(grants(admin, otherAdmin, china));
    expect(appRoles(alice, app())).toEqual([admin, otherAdmin]);
    expect(appRoles(alice, app({}, 'aws-cn'))).toEqual([china]);
    expect(appRoles(alice, app({ aws_account_id: '999999999999' }))).toEqual([otherAdmin]);
    expect(decideApp(alice, app({ aws_account_id: '999999999999' }), admin).reason).toBe(
      `the role ${admin} is in account 123456789012, and app/aws is for account 999999999999`,
    );
    expect(decideApp(alice, app(), china).reason).toContain('is in partition aws-cn, and app/aws is in aws');
  });

  it.each([admin.toUpperCase().replace('ARN:AWS:IAM', 'arn:aws:iam'), 'admin', 'role/ADMIN', admin, '*'])(
    'is denied by %j in whatever case, with account and path or without',
    (denied) => {
      const alice = subject(grants(admin, reader), { deny: { awsRoleArns: [denied] } });
      expect(decideApp(alice, app(), admin).allowed).toBe(false);
      expect(appRoles(alice, app())).toEqual(denied === '*' ? [] : [reader]);
    },
  );

  it.each(['Reader', 'role/team/reader', 'team/Reader', 'arn:aws:iam::123456789012:role/Reader'])(
    'with a path is denied by %j too',
    (denied) => {
      expect(decideApp(subject(grants(reader), { deny: { awsRoleArns: [denied] } }), app(), reader).allowed).toBe(false);
    },
  );

  it('of another account is not denied by the ARN of this one', () => {
    expect(decideApp(subject(grants(otherAdmin), { deny: { awsRoleArns: [admin] } }), app(), otherAdmin).allowed).toBe(true);
  });

  it('is listed nowhere where the labels are not granted', () => {
    const alice = subject({ allow: { appLabels: { env: ['dev'] }, awsRoleArns: [admin] } });
    expect(appRoles(alice, app({ env: 'prod' }))).toEqual([]);
    expect(appRoles(alice, app({ env: 'dev' }))).toEqual([admin]);
  });
});

describe('the role that is meant', () => {
  it('is the only one where none is given, and a question where there are several', () => {
    expect(chooseAppRole(subject(grants(admin)), app(), '')).toEqual({ arn: admin });
    expect(chooseAppRole(subject(grants(admin, reader)), app(), '')).toEqual({ problem: 'none given', choice: [admin, reader] });
    expect(chooseAppRole(subject(), app(), '')).toEqual({ problem: 'none allowed', choice: [] });
  });

  it('is found by its name, with its path or without, where one account has it', () => {
    const alice = subject(grants(admin, reader));
    for (const name of ['Reader', 'team/Reader', 'role/team/Reader', 'role/Reader'])
      expect(chooseAppRole(alice, app(), name)).toEqual({ arn: reader });
    expect(chooseAppRole(alice, app(), 'reader')).toEqual({ problem: 'none allowed', choice: [admin, reader] });
  });

  it('is not guessed where several accounts have the name, and is clear where the application has one account', () => {
    const alice = subject(grants(admin, otherAdmin));
    expect(chooseAppRole(alice, app(), 'Admin')).toEqual({ problem: 'ambiguous', choice: [admin, otherAdmin] });
    expect(chooseAppRole(alice, app({ aws_account_id: '999999999999' }), 'Admin')).toEqual({ arn: otherAdmin });
  });
});

it('operations that hand out keys are refused where one role of several says so', () => {
  const role = (options: Role['options']): Role => ({ name: 'r', version: 'v5', allow: {}, deny: {}, options });
  expect(awsCredentialOperations([])).toBe('cap');
  expect(awsCredentialOperations([role({}), role({ awsCredentialOperations: 'cap' })])).toBe('cap');
  expect(awsCredentialOperations([role({ awsCredentialOperations: 'cap' }), role({ awsCredentialOperations: 'deny' })])).toBe('deny');
});
