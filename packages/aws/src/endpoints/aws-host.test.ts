import { describe, expect, it } from 'vitest';
import { awsDomains, isAwsHost } from '#endpoints/aws-host.ts';

describe('a host that is AWS’s own', () => {
  it.each([
    'dynamodb.us-east-1.amazonaws.com',
    'dynamodb.us-east-1.amazonaws.com:443',
    'sts.amazonaws.com',
    'my.bucket.s3.eu-west-1.amazonaws.com',
    'iam.us-gov.amazonaws.com',
    's3.cn-north-1.amazonaws.com.cn',
    'lambda.eu-west-1.api.aws',
    '123456789012.ddb.us-east-1.amazonaws.com',
    // Younger than any table; only services have such names.
    'service-of-tomorrow.us-east-1.amazonaws.com',
    // Typed wrong: whoever dialled it himself would ask a stranger's name server, and be told of a proxy that failed.
    'dynamodb.moon-east-1.amazonaws.com',
  ])('%s', (host) => expect(isAwsHost(host)).toBe(true));

  it.each([
    ['a registry', '123456789012.dkr.ecr.us-east-1.amazonaws.com'],
    ['a cluster of EKS', 'ABCDEF.gr7.us-east-1.eks.amazonaws.com'.toLowerCase()],
    ['a database', 'db.abc.us-east-1.rds.amazonaws.com'],
    ['a download', 'awscli.amazonaws.com'],
    ['an API of a customer', 'abc123.execute-api.us-east-1.amazonaws.com'],
    ['neither a service nor a region that is known', 'example.moon-east-1.amazonaws.com'],
    ['a region of another partition', 'dynamodb.us-east-1.amazonaws.com.cn'],
    ['another port', 'dynamodb.us-east-1.amazonaws.com:8443'],
    ['a name that only ends like it', 'evilamazonaws.com'],
    ['a name that only begins like it', 'sts.amazonaws.com.evil.example'],
    ['an address', '169.254.169.254'],
    ['a trailing dot', 'sts.amazonaws.com.'],
    ['upper case', 'STS.amazonaws.com'],
  ])('is not %s: %s', (_what, host) => expect(isAwsHost(host)).toBe(false));

  it('stands below one of the domains, which are those of every partition', () => {
    expect(awsDomains()).toEqual(expect.arrayContaining(['amazonaws.com', 'api.aws', 'amazonaws.com.cn', 'amazonaws.eu']));
    expect(new Set(awsDomains()).size).toBe(awsDomains().length);
  });
});
