import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { resolveDynamoDbUri } from '#endpoints/dynamodb-uri.ts';

describe('resolveDynamoDbUri', () => {
  test.each([
    ['dynamodb.us-east-1.amazonaws.com', 'dynamodb', 'standard'],
    ['aws://dynamodb.us-east-1.amazonaws.com', 'dynamodb', 'standard'],
    ['https://dynamodb.us-east-1.amazonaws.com:443', 'dynamodb', 'standard'],
    ['https://dynamodb.us-east-1.amazonaws.com/', 'dynamodb', 'standard'],
    ['streams.dynamodb.us-east-1.amazonaws.com:443', 'streams', 'standard'],
    ['dynamodb-fips.us-east-1.amazonaws.com', 'dynamodb', 'fips'],
    ['dynamodb.us-east-1.api.aws', 'dynamodb', 'dualstack'],
    ['123456789012.ddb.us-east-1.amazonaws.com', 'dynamodb', 'account'],
    ['vpce-0123456789abcdef0-abcdefgh.dynamodb.us-east-1.vpce.amazonaws.com', 'dynamodb', 'vpc'],
    ['vpce-0123456789abcdef0-abcdefgh-us-east-1a.dynamodb.us-east-1.vpce.amazonaws.com', 'dynamodb', 'vpc'],
    ['vpce-0123456789abcdef0-abcdefgh.streams.dynamodb.us-east-1.vpce.amazonaws.com', 'streams', 'vpc'],
  ])('%s is an endpoint', (uri, service, variant) => {
    const host = uri.replace(/^[a-z]+:\/\//, '').replace(/(:443)?\/?$/, '');
    expect(resolveDynamoDbUri(uri)).toMatchObject({ service, region: 'us-east-1', host, variant });
  });

  test('the partition comes from the region', () => {
    expect(resolveDynamoDbUri('dynamodb.cn-north-1.amazonaws.com.cn')).toMatchObject({ region: 'cn-north-1' });
    expect(resolveDynamoDbUri('dynamodb.cn-north-1.amazonaws.com')).toHaveProperty('refusal');
    expect(resolveDynamoDbUri('dynamodb.us-east-1.amazonaws.com.cn')).toHaveProperty('refusal');
  });

  // strings that pass naive checks, most of them measured on URL parsers that send the request elsewhere
  test.each([
    'attacker.example.com://s3.amazonaws.com',
    's3.amazonaws.com@evil.com',
    'dynamodb.us-east-1.amazonaws.com@evil.com',
    'evil.com#.amazonaws.com',
    'evil.com/.amazonaws.com',
    'evil.com?.amazonaws.com',
    'evil.com\\.amazonaws.com',
    's3.amazonaws.com.evil.com',
    'dynamodb.us-east-1.amazonaws.com.evil.com',
    'evilamazonaws.com',
    'evildynamodb.us-east-1.amazonaws.com',
    'x.amazonaws.com%2eevil.com',
    'dynamodb。us-east-1.amazonaws.com',
    'dyn\u212Aamodb.us-east-1.amazonaws.com',
    'dynamodb.us-east-1.a\tmazonaws.com',
    'dynamodb.us-east-1.amazonaws.com\n',
    '0x7f.1',
    '[::ffff:169.254.169.254]',
    '[::ffff:a9fe:a9fe]',
    '169.254.169.254',
    'localhost:6379',
    'localhost:8000',
    'evil.example:443',
    'dynamodb.us-east-1.amazonaws.com.',
    'dynamodb.us-east-1.amazonaws.com:8443',
    'DynamoDB.us-east-1.amazonaws.com',
    'http://dynamodb.us-east-1.amazonaws.com',
    'https://user@dynamodb.us-east-1.amazonaws.com',
    'https://dynamodb.us-east-1.amazonaws.com/path',
    'https://dynamodb.us-east-1.amazonaws.com?x=y',
    's3.us-east-1.amazonaws.com',
    'dynamodb.amazonaws.com',
    'dynamodb.us-east-1.evil.com',
    'ec2-1-2-3-4.us-east-1.compute.amazonaws.com',
    'dynamodb.us-east-1.elb.amazonaws.com',
    'x.execute-api.us-east-1.amazonaws.com',
    '12345678901.ddb.us-east-1.amazonaws.com',
    '123456789012.ddb.cn-north-1.amazonaws.com.cn',
    'vpce-svc-0123456789abcdef0.us-east-1.vpce.amazonaws.com',
    'vpce-0123456789abcdef0-abcdefgh.vpce-svc-0123456789abcdef0.us-east-1.vpce.amazonaws.com',
    'vpce-0123456789abcdef0-abcdefgh.s3.us-east-1.vpce.amazonaws.com',
    'vpce-0123456789abcdef0-abcdefgh.evil.com.dynamodb.us-east-1.vpce.amazonaws.com',
    '',
    'aws://',
    `${'a.'.repeat(200)}dynamodb.us-east-1.amazonaws.com`,
  ])('%j is refused', (uri) => {
    expect(resolveDynamoDbUri(uri)).toHaveProperty('refusal');
  });

  test('whatever passes is the exact host that stands in the text, and one of AWS', () => {
    const piece = fc.constantFrom(
      'dynamodb',
      'streams',
      'us-east-1',
      'amazonaws',
      'com',
      'evil',
      '.',
      '..',
      '@',
      ':443',
      '/',
      '#',
      'aws://',
      'https://',
      'cn',
      '%2e',
      'vpce-0123456789abcdef0-abcdefgh',
      'vpce',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const uri = pieces.join('');
        const result = resolveDynamoDbUri(uri);
        if ('refusal' in result) return;
        expect(new URL(uri.includes('://') ? uri.replace(/^aws:/, 'https:') : `https://${uri}`).hostname).toBe(result.host);
        expect(result.host).toMatch(/dynamodb\.us-east-1\.(vpce\.)?amazonaws\.com$/);
      }),
      { numRuns: 5000 },
    );
  });
});
