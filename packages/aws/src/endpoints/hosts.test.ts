import { describe, expect, test } from 'vitest';
import { dynamodbHost, stsHost } from '#endpoints/hosts.ts';
import { partitionOf, partitions } from '#endpoints/partitions.ts';

describe('partitionOf', () => {
  test.each([
    ['us-east-1', 'aws'],
    ['ap-southeast-7', 'aws'],
    ['mx-central-1', 'aws'],
    ['us-gov-west-1', 'aws-us-gov'],
    ['cn-north-1', 'aws-cn'],
    ['eusc-de-east-1', 'aws-eusc'],
    ['us-iso-east-1', 'aws-iso'],
    ['us-isob-east-1', 'aws-iso-b'],
    ['eu-isoe-west-1', 'aws-iso-e'],
    ['us-isof-south-1', 'aws-iso-f'],
  ])('%s is a region of %s, and of no other partition', (region, id) => {
    expect(partitions.filter((partition) => partition.region.test(region)).map((partition) => partition.id)).toEqual([id]);
    expect(partitionOf(region)?.id).toBe(id);
  });

  test.each([
    '',
    'local',
    'us-east',
    'us-east-1.evil.com',
    'US-EAST-1',
    'us-east-1\n',
    'xx-unknown-9',
    'us_east_1',
    'aws-global',
    'us-east-1/',
    'us-gov-1',
  ])('%j is no region, where the SDK would answer aws', (region) => expect(partitionOf(region)).toBeUndefined());
});

describe('hosts built from tables', () => {
  test.each([
    [{ service: 'dynamodb', region: 'us-east-1' }, 'dynamodb.us-east-1.amazonaws.com'],
    [{ service: 'streams', region: 'us-east-1' }, 'streams.dynamodb.us-east-1.amazonaws.com'],
    [{ service: 'dynamodb', region: 'cn-north-1' }, 'dynamodb.cn-north-1.amazonaws.com.cn'],
    [{ service: 'streams', region: 'eusc-de-east-1' }, 'streams.dynamodb.eusc-de-east-1.amazonaws.eu'],
    [{ service: 'dynamodb', region: 'eu-west-1', accountId: '123456789012' }, '123456789012.ddb.eu-west-1.amazonaws.com'],
    [{ service: 'streams', region: 'eu-west-1', accountId: '123456789012' }, 'streams.dynamodb.eu-west-1.amazonaws.com'],
    [{ service: 'dynamodb', region: 'us-gov-west-1', accountId: '123456789012' }, 'dynamodb.us-gov-west-1.amazonaws.com'],
    [{ service: 'dynamodb', region: 'us-east-1', accountId: '123456789012', variant: 'fips' }, 'dynamodb-fips.us-east-1.amazonaws.com'],
    [{ service: 'streams', region: 'us-east-1', variant: 'fips' }, 'streams.dynamodb-fips.us-east-1.amazonaws.com'],
    [{ service: 'dynamodb', region: 'us-east-1', variant: 'dualstack' }, 'dynamodb.us-east-1.api.aws'],
    [{ service: 'streams', region: 'cn-north-1', variant: 'dualstack' }, 'streams-dynamodb.cn-north-1.api.amazonwebservices.com.cn'],
  ] as const)('%j is %s', (target, host) => expect(dynamodbHost(target)).toBe(host));

  test('STS is asked in the region, in the partition of the region', () => {
    expect(stsHost('eu-central-1')).toBe('sts.eu-central-1.amazonaws.com');
    expect(stsHost('cn-north-1')).toBe('sts.cn-north-1.amazonaws.com.cn');
  });

  test('a region of no partition and an account id of another shape throw', () => {
    expect(() => dynamodbHost({ service: 'dynamodb', region: 'us-east-1.evil.com' })).toThrow(RangeError);
    expect(() => stsHost('evil.com/')).toThrow(RangeError);
    expect(() => dynamodbHost({ service: 'dynamodb', region: 'us-east-1', accountId: '1.evil.com/' })).toThrow(RangeError);
  });
});
