import { describe, expect, test } from 'vitest';
import { innerPresignedUrl, isUnsignedOperation } from '#requests/inner-presigned-url.ts';

const inner = (service: string, operation: string | undefined, text: { readonly body?: string; readonly query?: string }) =>
  innerPresignedUrl({ service, operation, query: text.query ?? '', body: Buffer.from(text.body ?? '') });

describe('innerPresignedUrl', () => {
  test.each([
    ['ec2', 'CopySnapshot', 'PresignedUrl'],
    ['rds', 'CopyDBSnapshot', 'PreSignedUrl'],
    ['rds', 'CopyDBClusterSnapshot', 'PreSignedUrl'],
    ['rds', 'CreateDBCluster', 'PreSignedUrl'],
    ['rds', 'CreateDBInstanceReadReplica', 'PreSignedUrl'],
    ['rds', 'StartDBInstanceAutomatedBackupsReplication', 'PreSignedUrl'],
  ])('%s:%s with a %s is refused in words, in form and query string, and without one it goes on', (service, operation, member) => {
    const said = { refusal: expect.stringContaining(`${service}:${operation} carries a ${member}`) };
    expect(inner(service, operation, { body: `Action=${operation}&${member}=https%3A%2F%2Fec2` })).toEqual(said);
    expect(inner(service, operation, { query: `Action=${operation}&${member.toLowerCase()}=x` })).toEqual(said);
    expect(inner(service, operation, { body: `Action=${operation}&SourceRegion=us-east-1` })).toBeUndefined();
  });

  test('other operations may have a parameter of that name', () => {
    expect(inner('ec2', 'DescribeSnapshots', { body: 'PresignedUrl=x' })).toBeUndefined();
    expect(inner('ec2', undefined, { body: 'PresignedUrl=x' })).toBeUndefined();
  });
});

test('operations that take no signature are known, and their neighbours take one', () => {
  expect(isUnsignedOperation('sts', 'AssumeRoleWithWebIdentity')).toBe(true);
  expect(isUnsignedOperation('cognito-idp', 'SignUp')).toBe(true);
  expect(isUnsignedOperation('sso-oauth', 'CreateToken')).toBe(true);
  expect(isUnsignedOperation('sts', 'AssumeRole')).toBe(false);
  expect(isUnsignedOperation('cognito-idp', 'AdminCreateUser')).toBe(false);
  expect(isUnsignedOperation('sts', undefined)).toBe(false);
});
