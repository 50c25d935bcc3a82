import { limits } from '@postern/limits';
import { describe, expect, test } from 'vitest';
import type { RequestHead } from '#requests/aws-request.ts';
import { bodyWanted, describeRequest } from '#requests/describe-request.ts';
import { protocolOf } from '#requests/protocol-of.ts';

const form = ['content-type', 'application/x-www-form-urlencoded; charset=utf-8'];
const head = (given: Partial<RequestHead>): RequestHead => ({
  method: 'POST',
  path: '/',
  query: '',
  headers: [],
  service: 'sts',
  ...given,
});
const whole = (text: string) => ({ bytes: Buffer.from(text), whole: true });
const json = (target: string, version = '1.1') => ['Content-Type', `application/x-amz-json-${version}`, 'X-Amz-Target', target];

describe('what a request says of itself', () => {
  test.each<[string, Partial<RequestHead>, string | undefined, object]>([
    [
      'JSON 1.0',
      { service: 'dynamodb', headers: json('DynamoDB_20120810.GetItem', '1.0') },
      undefined,
      { protocol: 'json-1.0', operation: 'GetItem' },
    ],
    ['JSON 1.1', { service: 'kms', headers: json('TrentService.Decrypt') }, undefined, { protocol: 'json-1.1', operation: 'Decrypt' }],
    ['a form', { service: 'iam', headers: form }, 'Action=ListUsers&Version=2010-05-08', { protocol: 'query', operation: 'ListUsers' }],
    ['a form of EC2', { service: 'ec2', headers: form }, 'Action=DescribeInstances', { protocol: 'ec2', operation: 'DescribeInstances' }],
    [
      'a form in the query string',
      { method: 'GET', query: 'Action=GetCallerIdentity&X-Amz-Signature=0' },
      '',
      { protocol: 'query', operation: 'GetCallerIdentity' },
    ],
    [
      'SQS in a form, as SDKs of some years ago',
      { service: 'sqs', headers: form },
      'Action=SendMessage&X=1',
      { protocol: 'query', operation: 'SendMessage' },
    ],
    [
      'CBOR',
      {
        service: 'monitoring',
        path: '/service/GraniteServiceVersion20100801/operation/GetMetricData',
        headers: ['Smithy-Protocol', 'rpc-v2-cbor'],
      },
      undefined,
      { protocol: 'rpc-v2-cbor', operation: 'GetMetricData' },
    ],
    [
      'a REST service',
      { service: 'lambda', path: '/2015-03-31/functions/f/invocations' },
      undefined,
      { protocol: 'rest-json', operation: 'Invoke' },
    ],
    [
      'a REST service in XML',
      { service: 'route53', path: '/2013-04-01/hostedzone' },
      undefined,
      { protocol: 'rest-xml', operation: 'CreateHostedZone' },
    ],
    ['an API of a customer', { service: 'execute-api', headers: form }, 'Action=DropTable', { protocol: 'rest-json' }],
    ['a service that no table knows', { service: 'brand-new' }, undefined, { protocol: 'rest-json' }],
    [
      'S3 Control, by its host',
      { service: 's3', path: '/v20180820/jobs', target: { host: '111122223333.s3-control.eu-west-1.amazonaws.com' } },
      undefined,
      { protocol: 'rest-xml', operation: 'CreateJob' },
    ],
    // was taken for GetObject
    [
      'S3 Control of directory buckets',
      {
        service: 's3express',
        method: 'GET',
        path: '/v20180820/accesspointfordirectory',
        target: { host: 's3express-control.eu-west-1.amazonaws.com' },
      },
      undefined,
      { protocol: 's3', operation: 'ListAccessPointsForDirectoryBuckets' },
    ],
    // was refused as not spoken by S3
    [
      'S3 on Outposts',
      { service: 's3-outposts', method: 'GET', path: '/S3Outposts/ListEndpoints', target: { host: 's3-outposts.eu-west-1.amazonaws.com' } },
      undefined,
      { protocol: 'rest-json', operation: 'ListEndpoints' },
    ],
    ['S3', { service: 's3', method: 'PUT', path: '/b/k' }, undefined, { protocol: 's3', operation: 'PutObject' }],
  ])('%s', (_, given, body, expected) => {
    expect(describeRequest(head(given), body === undefined ? undefined : whole(body))).toEqual(expected);
  });

  test('two targets name no operation, and neither does one that is none', () => {
    const twice = [...json('TrentService.Decrypt'), 'x-amz-target', 'TrentService.Encrypt'];
    expect(describeRequest(head({ service: 'kms', headers: twice }))).toEqual({ protocol: 'json-1.1' });
    expect(describeRequest(head({ service: 'kms', headers: json('Decrypt') }))).toEqual({ protocol: 'json-1.1' });
  });
});

describe('a service whose operations hand out keys is understood without doubt, or the request is refused', () => {
  const operation = (given: Partial<RequestHead>, body?: string) =>
    describeRequest(head(given), body === undefined ? undefined : whole(body));

  test.each([
    ['AssumeRole', { headers: form }, 'Action=AssumeRole&Version=2011-06-15'],
    ['AssumeRole', { method: 'GET', query: 'Version=2011-06-15&Action=AssumeRole' }, ''],
    ['AssumeRoleWithSAML', { headers: form }, 'SAMLAssertion=a%2Bb%3D&Action=AssumeRoleWithSAML'],
    ['GetAccessToken', { service: 'ssm', headers: json('AmazonSSM.GetAccessToken') }, undefined],
    ['GetRoleCredentials', { service: 'awsssoportal', method: 'GET', path: '/federation/credentials' }, undefined],
    ['GetRoleCredentials', { service: 'awsssoportal', method: 'GET', path: '//x/..//Federation/%63redentials/' }, undefined],
    ['AssumeQueueRoleForUser', { service: 'deadline', method: 'GET', path: '/2023-10-12/farms/f-1/queues/q-1/user-roles' }, undefined],
    ['GetConnection', { service: 'datazone', method: 'GET', path: '/v2/domains/d/connections/c', query: 'withSecret=true' }, undefined],
    ['CreateSession', { service: 's3express', method: 'GET', path: '/', query: 'session', target: { host: 'x', bucket: 'b' } }, undefined],
    ['CreateSession', { service: 's3', method: 'GET', path: '/b', query: '%73ession=' }, undefined],
    [
      'GetDataAccess',
      { service: 's3', method: 'GET', path: '/v20180820/accessgrantsinstance/dataaccess', headers: ['x-amz-account-id', '111122223333'] },
      undefined,
    ],
    ['GetTemporaryGlueTableCredentials', { service: 'lakeformation', path: '/GetTemporaryGlueTableCredentials' }, undefined],
  ])('%s is recognised', (name, given, body) => expect(operation(given, body)).toMatchObject({ operation: name }));

  // A router that decodes before it splits, or reads a backslash as a slash, sees the route of keys where ours saw one segment more or less.
  test.each([
    '/v2/domains/d/environments/e%2Fcredentials',
    '/v2%2fdomains%2Fd/environments/e/credentials',
    '/v2/domains/d/environments/e%252Fcredentials',
    '/v2/domains/d/environments/e%5Ccredentials',
    '/v2/domains/d/environments/e\\credentials',
    '/v2/domains/d/environments/e%2F%63redentials',
    '/v2/domains/d/environments/e/x%2F..%2Fcredentials',
    '/v2/domains/d/environments/e/x/%2e%2e%2fcredentials',
    '/v2/domains/d/environments/e/credentials;v=1',
    '/v2/domains/d/environments/e;%zz/credentials',
    '/v2/domains/d%ff/environments/%2e%2e/credentials',
    '/v2/domains/../environments/e/credentials',
    '/v2/domains/%zz/environments/e%2Fcredentials',
  ])('GetEnvironmentCredentials is recognised in %s', (path) => {
    for (const method of ['GET', 'HEAD', 'get']) {
      expect(operation({ service: 'datazone', method, path })).toMatchObject({ operation: 'GetEnvironmentCredentials' });
    }
  });

  test.each([
    ['datazone', { headers: ['X-HTTP-Method-Override', 'GET'] }],
    ['datazone', { headers: ['x-http-method', 'GET'] }],
    ['awsssoportal', { headers: ['X-Method-Override', ''] }],
    ['deadline', { query: 'a=1&_method=GET' }],
    ['s3', { headers: ['x-http-method-override', 'GET'], method: 'PUT' }],
  ])('another method than its own is refused to a request of %s', (service, given) => {
    expect(operation({ service, path: '/v2/domains/d/environments/e/credentials', ...given })).toEqual({
      refusal: expect.stringContaining('another method than their own'),
    });
  });

  // Their keys and names hold escaped slashes every day, and nothing of theirs hands out keys.
  test.each<[string, Partial<RequestHead>, string | undefined]>([
    ['an object', { service: 's3', method: 'GET', path: '/b/a%2Fcredentials' }, 'GetObject'],
    ['an object whose key has a backslash', { service: 's3', method: 'PUT', path: '/b/a%5Cb;c' }, 'PutObject'],
    ['a function by its ARN', { service: 'lambda', path: '/2017-03-31/tags/arn%3Aaws%3Alambda%2Fx', method: 'GET' }, 'ListTags'],
    ['an API of a customer', { service: 'execute-api', path: '/a%2Fb', headers: ['X-HTTP-Method-Override', 'PATCH'] }, undefined],
    ['a domain of datazone', { service: 'datazone', method: 'GET', path: '/v2/domains/d/environments/a%2Fb' }, 'GetEnvironment'],
  ])('%s with an escaped slash is what it was', (_, given, name) => {
    const described = operation(given);
    expect(described).not.toHaveProperty('refusal');
    expect('operation' in described ? described.operation : undefined).toBe(name);
  });

  test.each([
    ['the same path under another method', { service: 'awsssoportal', method: 'POST', path: '/federation/credentials' }],
    [
      'a connection without its secret',
      { service: 'datazone', method: 'GET', path: '/v2/domains/d/connections/c', query: 'withSecret=false' },
    ],
    ['an object of that name', { service: 's3', method: 'GET', path: '/v20180820/accessgrantsinstance/dataaccess' }],
  ])('%s hands out none', (_, given) => {
    expect(operation(given)).not.toHaveProperty('operation', expect.stringMatching(/Credentials|Connection|DataAccess/));
    expect(operation(given)).not.toHaveProperty('refusal');
  });

  test.each<[string, Partial<RequestHead>, string, RegExp]>([
    ['JSON for a service of forms', { headers: json('AWSSecurityTokenServiceV20110615.AssumeRole') }, '{}', /not spoken to in json-1.1/],
    [
      'CBOR for one',
      { path: '/service/Sts/operation/AssumeRole', headers: ['smithy-protocol', 'rpc-v2-cbor'] },
      '',
      /not spoken to in rpc-v2-cbor/,
    ],
    ['a target beside a form', { service: 'ec2', headers: [...form, 'x-amz-target', 'x.y'] }, 'Action=X', /not spoken to|two ways/],
    ['an Action in query string and body', { headers: form, query: 'Action=GetCallerIdentity' }, 'Action=AssumeRole', /Action twice/],
    ['an Action that is there twice', { headers: form }, 'Action=GetCallerIdentity&Action=AssumeRole', /Action twice/],
    ['an Action in other letters beside it', { headers: form }, 'Action=GetCallerIdentity&action=AssumeRole', /Action twice/],
    ['an Action with an escape', { headers: form }, '%41ction=AssumeRole', /Action plainly/],
    ['an Action whose value has one', { headers: form }, 'Action=Assume%52ole', /Action plainly/],
    ['an Action in other letters', { headers: form }, 'ACTION=AssumeRole', /Action plainly/],
    ['a semicolon between parameters', { headers: form }, 'Action=GetCallerIdentity;Action=AssumeRole', /not encoded as a form/],
    ['a broken escape', { headers: form }, 'Action=AssumeRole&X=%G0', /not encoded as a form/],
    ['a line break', { headers: form }, 'Action=AssumeRole\n&X=1', /not encoded as a form/],
    ['no Action', { headers: form }, 'Version=2011-06-15', /names no Action/],
    [
      'a form in parts',
      { headers: ['content-type', 'multipart/form-data; boundary=b'] },
      '--b\r\nContent-Disposition: form-data; name="Action"',
      /not encoded/,
    ],
    ['a compressed form', { headers: [...form, 'Content-Encoding', 'gzip'] }, 'Action=GetCallerIdentity', /compressed/],
    [
      'two targets',
      { service: 'ssm', headers: [...json('AmazonSSM.GetParameter'), 'X-Amz-Target', 'AmazonSSM.GetAccessToken'] },
      '{}',
      /one operation/,
    ],
    [
      'a target and an Action',
      { service: 'ssm', headers: json('AmazonSSM.GetParameter'), query: 'Action=GetAccessToken' },
      '{}',
      /two ways/,
    ],
    [
      'a target for a REST service',
      { service: 'lakeformation', headers: json('AWSLakeFormation.GetTemporaryGlueTableCredentials') },
      '{}',
      /not spoken to/,
    ],
  ])('%s is refused', (_, given, body, reason) => {
    expect(operation(given, body)).toEqual({ refusal: expect.stringMatching(reason) });
  });

  test(`[limit awsFormBytes] a form of ${limits.awsFormBytes} bytes is read, and one that goes on is refused`, () => {
    const given = head({ headers: form });
    expect(bodyWanted(given)).toBe(limits.awsFormBytes);
    const bytes = Buffer.from('Action=AssumeRole&X='.padEnd(limits.awsFormBytes, 'x'));
    expect(describeRequest(given, { bytes, whole: true })).toMatchObject({ operation: 'AssumeRole' });
    expect(describeRequest(given, { bytes, whole: false })).toEqual({ refusal: expect.stringContaining(`${limits.awsFormBytes} bytes`) });
  });

  test('of other forms the beginning is enough, and of all else nothing', () => {
    expect(bodyWanted(head({ service: 'sns', headers: form }))).toBe(4096);
    expect(
      describeRequest(head({ service: 'sns', headers: form }), { bytes: Buffer.from('Action=Publish&Mess'), whole: false }),
    ).toMatchObject({
      operation: 'Publish',
    });
    expect(bodyWanted(head({ service: 'kms', headers: json('TrentService.Decrypt') }))).toBe(0);
    expect(bodyWanted(head({ service: 's3' }))).toBe(0);
  });
});

test('a request that says nothing is answered in what its service speaks', () => {
  expect(
    ['sts', 'kms', 'dynamodb', 'cloudfront', 's3', 'lambda', ''].map((service) => protocolOf(head({ service, method: 'GET' }))),
  ).toEqual(['query', 'json-1.1', 'json-1.0', 'rest-xml', 's3', 'rest-json', 'rest-json']);
});
