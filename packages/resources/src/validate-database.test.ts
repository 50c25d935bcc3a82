import { describe, expect, it } from 'vitest';

import { type Database, ResourceError, dynamoDbUri, parseDocuments, validateDatabase } from '#index.ts';

function problems(more: Partial<Database>): readonly string[] {
  const database: Database = {
    name: 'orders',
    protocol: 'dynamodb',
    labels: {},
    region: 'us-east-1',
    accountId: '123456789012',
    sessionTags: {},
    ...more,
  };
  return validateDatabase(database).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('validateDatabase', () => {
  it('takes the database of the guide, with its account replaced', () => {
    expect(problems({ name: 'example-dynamodb' })).toEqual([]);
    expect(problems({ uri: 'dynamodb.us-east-1.amazonaws.com:443' })).toEqual([]);
  });

  it("refuses the guide's placeholder for an account in a sentence", () => {
    expect(problems({ accountId: 'abcd1234-this-is-an-example' })).toEqual([
      'spec.aws.account_id: abcd1234-this-is-an-example is the placeholder of the guide; an AWS account id has 12 digits, such as 123456789012',
    ]);
    for (const accountId of ['12345678901', '1234567890123', '12345678901a', ''])
      expect(problems({ accountId })[0]).toContain('has 12 digits');
  });

  it.each(['', '1orders', 'orders-', 'or_ders', 'a'.repeat(64), '../x', 'a b', 'ordérs', '__proto__'])('refuses the name %j', (name) => {
    expect(problems({ name })[0]).toContain('the name of a database');
  });

  it('refuses other protocols, and regions that are none', () => {
    expect(problems({ protocol: 'postgres' })).toEqual(['spec.protocol: postgres is not supported; the protocol is dynamodb']);
    for (const region of ['local', 'us-east', 'US-EAST-1', 'us-east-1.evil.com', 'us-east-1\n', 'evil'])
      expect(problems({ region })[0]).toContain('is not an AWS region');
    for (const region of ['us-gov-west-1', 'cn-north-1', 'eusc-de-east-1', 'ap-southeast-5']) expect(problems({ region })).toEqual([]);
  });

  it('takes the region from the address, refuses two that differ, and none', () => {
    expect(problems({ region: undefined as never, uri: 'dynamodb.eu-west-1.amazonaws.com' })).toEqual([]);
    expect(problems({ uri: 'dynamodb.eu-west-1.amazonaws.com' })).toEqual([
      'spec.uri: is in region eu-west-1, but spec.aws.region is us-east-1',
    ]);
    expect(problems({ region: undefined as never })[0]).toContain('spec.aws.region: is missing');
  });

  it('refuses what STS would refuse later', () => {
    expect(problems({ assumeRoleArn: 'arn:aws:iam::210987654321:role/path/Hop' })).toEqual([]);
    expect(problems({ assumeRoleArn: 'Hop' })[0]).toContain('must be the ARN of an IAM role');
    expect(problems({ assumeRoleArn: 'arn:aws-cn:iam::210987654321:role/Hop' })[0]).toContain(
      'is in partition aws-cn, but region us-east-1 is in aws',
    );
    expect(problems({ externalId: 'x&Action=DeleteRole' })[0]).toContain('spec.aws.external_id');
    expect(problems({ sessionTags: { 'aws:x': 'y' } })[0]).toContain('belong to AWS');
    expect(problems({ sessionTags: { team: 'a', Team: 'b' } })[0]).toContain('given twice');
    expect(problems({ sessionTags: { team: 'a\nb' } })[0]).toContain('the value of a tag');
  });
});

describe('the address of a database', () => {
  it.each([
    ['dynamodb.us-east-1.amazonaws.com', 'us-east-1'],
    ['https://dynamodb.us-east-1.amazonaws.com:443/', 'us-east-1'],
    ['aws://dynamodb.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
    ['dynamodb.cn-north-1.amazonaws.com.cn:443', 'cn-north-1'],
    ['dynamodb-fips.us-west-2.amazonaws.com', 'us-west-2'],
    ['streams.dynamodb.us-east-1.amazonaws.com', 'us-east-1'],
    ['dynamodb.eu-west-1.api.aws', 'eu-west-1'],
    ['123456789012.ddb.us-east-1.amazonaws.com', 'us-east-1'],
  ])('may be %s', (uri, region) => {
    expect(dynamoDbUri(uri)).toEqual({ region });
  });

  // Teleport 18.7.6 and 17.7.23: whoever could write a database had the agent send signed requests to his own host.
  it.each([
    'evil.example:443',
    'dynamodb.us-east-1.amazonaws.com.evil.com',
    '169.254.169.254',
    '[::ffff:a9fe:a9fe]',
    'localhost:6379',
    'http://dynamodb.us-east-1.amazonaws.com',
    'https://https://dynamodb.us-east-1.amazonaws.com',
    'dynamodb.us-east-1.amazonaws.com:8443',
    'dynamodb.us-east-1.amazonaws.com.',
    'dynamodb.us-east-1.amazonaws.com/path',
    'dynamodb.us-east-1.amazonaws.com@evil.com',
    'evil.com#.dynamodb.us-east-1.amazonaws.com',
    'attacker.example.com://dynamodb.us-east-1.amazonaws.com',
    'DYNAMODB.us-east-1.amazonaws.com',
    'dynamodb。us-east-1.amazonaws.com',
    'dynamodb.us-east-1.ama\tzonaws.com',
    'dynamodb.us-east-1.amazonaws.com\n',
    'dynamodb.us-east-1.amazonaws.com.cn',
    'dynamodb.cn-north-1.amazonaws.com',
    'dynamodb.amazonaws.com',
    's3.us-east-1.amazonaws.com',
    'iam.amazonaws.com',
    'dax.us-east-1.amazonaws.com',
    'x.dynamodb.us-east-1.amazonaws.com',
    'vpce-1.dynamodb.us-east-1.vpce.amazonaws.com',
    '0x7f.1',
    '',
    'a'.repeat(100_000),
    `${'us-east-1.'.repeat(5000)}amazonaws.com`,
  ])('may not be %j', (uri) => {
    expect(dynamoDbUri(uri)).toHaveProperty('refusal');
    if (uri !== '') expect(problems({ uri })[0]).toMatch(/^spec\.uri: is not an address of DynamoDB/u);
  });

  it('is refused in a file with its place, and no resource comes of it', () => {
    const text =
      'kind: db\nversion: v3\nmetadata:\n  name: orders\nspec:\n  protocol: dynamodb\n  uri: evil.example:443\n  aws:\n    region: us-east-1\n    account_id: 123456789012\n';
    expect(() => parseDocuments(text, { file: 'db.yaml' })).toThrow(/^db\.yaml:7:8: spec\.uri: is not an address of DynamoDB/u);
    expect(parseDocuments(text.replace('  uri: evil.example:443\n', ''), { file: 'db.yaml' })[0]?.resource.spec).toMatchObject({
      aws: { account_id: '123456789012' },
    });
  });

  it('is refused together with settings of other engines and reserved labels', () => {
    const text =
      'kind: db\nversion: v3\nmetadata: {name: orders, labels: {teleport.internal/x: y, teleport.dev/origin: dynamic}}\nspec: {protocol: dynamodb, tls: {mode: 2}, aws: {region: us-east-1, account_id: "123456789012", rds: {instance_id: x}}}\n';
    expect(() => parseDocuments(text, { file: 'db.yaml' })).toThrow(ResourceError);
    expect(() => parseDocuments(text, { file: 'db.yaml' })).toThrow('spec.tls: does not apply to DynamoDB');
    const plain = text.replace(', tls: {mode: 2}', ', tls: {mode: 0}, ad: {}, gcp: {}, dynamic_labels: null').replace('instance_id: x', '');
    expect(() => parseDocuments(plain, { file: 'db.yaml' })).toThrow(
      /^db\.yaml:3:35: metadata\.labels\["teleport\.internal\/x"\]: labels under this prefix belong to the system$/u,
    );
    expect(parseDocuments(plain.replace('teleport.internal/x: y, ', ''), { file: 'db.yaml' })).toHaveLength(1);
  });
});
