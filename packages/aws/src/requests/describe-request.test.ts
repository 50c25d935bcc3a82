import { limits } from '@postern/limits';
import { describe, expect, test } from 'vitest';
import { awsTarget } from '#endpoints/aws-target.ts';
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
      { service: 's3', path: '/v20180820/jobs', target: { host: '111122223333.s3-control.eu-west-1.amazonaws.com', isS3Control: true } },
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

// A client that wants its DeleteFunction to stand in the log as GetFunction says so in the protocol of another service.
describe('a request that names two operations, or one in a protocol that its service has not, has no name', () => {
  const cbor = ['smithy-protocol', 'rpc-v2-cbor'];
  test.each<[string, Partial<RequestHead>, string]>([
    ['lambda', { method: 'DELETE', path: '/2015-03-31/functions/f', headers: ['x-amz-target', 'AWSLambda.GetFunction'] }, ''],
    ['route53', { path: '/service/x/operation/ListHostedZones', headers: cbor }, ''],
    ['sns', { headers: [...form, 'x-amz-target', 'SNS.ListTopics'] }, 'Action=DeleteTopic'],
    ['sns', { headers: form, query: 'Action=ListTopics' }, '%41ction=DeleteTopic'],
    ['sns', { headers: form, query: 'Action=ListTopics' }, 'a=b&%61%43tion'],
    ['sns', { headers: form, query: 'Action=ListTopics' }, 'a=b;Action=DeleteTopic'],
    ['sns', { headers: form, query: 'Action=ListTopics' }, `${'x'.repeat(4096)}&Action=DeleteTopic`],
    ['sns', { headers: ['content-type', 'multipart/form-data; boundary=b'], query: 'Action=ListTopics' }, '--b\r\n'],
    ['sns', { headers: [...form, 'content-encoding', 'gzip'], query: 'Action=ListTopics' }, '\u001f'],
    ['sns', { headers: ['content-type', `${form[1]?.replace('8', '16')}`], query: 'Action=ListTopics' }, 'A=1'],
    ['sns', { headers: [...form, ...cbor], path: '/service/Sns/operation/ListTopics' }, 'Action=DeleteTopic'],
    ['sns', { headers: [...form, ...cbor] }, 'Action=DeleteTopic'],
    ['ses', { headers: form, method: 'DELETE', path: '/v2/email/identities/x' }, 'Action=ListIdentities'],
    ['dynamodb', { path: '/service/x/operation/ListTables', headers: [...json('DynamoDB_20120810.DeleteTable', '1.0'), ...cbor] }, ''],
    ['dynamodb', { path: '/service/x/operation/ListTables', headers: json('DynamoDB_20120810.DeleteTable', '1.0') }, ''],
    ['dynamodb', { query: 'Action=ListTables', headers: json('DynamoDB_20120810.DeleteTable', '1.0') }, ''],
    ['monitoring', { path: '/service/x/operation/ListMetrics', headers: [...cbor, ...json('x.DeleteAlarms')] }, ''],
    ['monitoring', { path: '/service/x/operation/ListMetrics', headers: [...cbor, ...cbor] }, ''],
    ['monitoring', { path: '/service/x/operation/ListMetrics', headers: [...cbor, ...form] }, 'Action=DeleteAlarms'],
    ['monitoring', { headers: [...form, 'x-amz-target', 'x.ListMetrics'] }, 'Action=DeleteAlarms'],
    ['monitoring', { headers: ['content-type', 'application/cbor', 'x-amz-target', 'x.ListMetrics'] }, ''],
    ['brand-new', { headers: json('New.ListThings') }, '{}'],
  ])('of %s: %o', (service, given, body) => {
    expect(describeRequest(head({ service, ...given }), whole(body))).toEqual({ protocol: expect.any(String) });
  });

  test.each<[string, Partial<RequestHead>, string, string]>([
    ['sns', { headers: form }, `TopicArn=a&Message=${'x'.repeat(4096)}%3BAction%3DB&Action=Publish`, 'Publish'],
    ['sqs', { headers: form, path: '/111122223333/queue' }, 'Action=SendMessage&X=action', 'SendMessage'],
    ['kinesis', { headers: ['content-type', 'application/x-amz-cbor-1.1', 'x-amz-target', 'Kinesis_20131202.PutRecord'] }, '', 'PutRecord'],
    ['monitoring', { path: '/service/x/operation/ListMetrics', headers: [...cbor, 'content-type', 'application/cbor'] }, '', 'ListMetrics'],
    ['monitoring', { headers: json('GraniteServiceVersion20100801.ListMetrics', '1.0') }, '{}', 'ListMetrics'],
  ])('but as SDKs write it, it has: %s %o', (service, given, body, operation) => {
    expect(describeRequest(head({ service, ...given }), whole(body))).toMatchObject({ operation });
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
    ['CreateAccessKey', { service: 'iam' }, 'Action=CreateAccessKey'],
    [
      'GetDataAccess',
      { service: 's3', method: 'GET', path: '/v20180820/accessgrantsinstance/dataaccess', headers: ['x-amz-account-id', '111122223333'] },
      undefined,
    ],
    ['GetTemporaryGlueTableCredentials', { service: 'lakeformation', path: '/GetTemporaryGlueTableCredentials' }, undefined],
  ])('%s is recognised', (name, given, body) => expect(operation(given, body)).toMatchObject({ operation: name }));

  // A bucket called s3-control-… made its host be taken for S3 Control's, and an endpoint of S3 Control in a VPC was taken for S3's: what hands
  // out keys was recognised at neither.
  const own = '123456789012.control.vpce-0123456789abcdef0-abcdefgh.s3.us-east-1.vpce.amazonaws.com';
  test.each([
    ['s3-control-x--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com', '/?session', 'CreateSession', 's3'],
    ['s3-control-x.s3.us-east-1.amazonaws.com', '/?session', 'CreateSession', 's3'],
    ['s3-control-x.s3.us-east-1.amazonaws.com', '/k', 'GetObject', 's3'],
    ['s3-control-fips.dualstack.s3.us-east-1.amazonaws.com', '/', 'ListObjects', 's3'],
    [own, '/v20180820/accessgrantsinstance/dataaccess?durationSeconds=43200', 'GetDataAccess', 'rest-xml'],
    [own, '/v20180820/jobs', undefined, 'rest-xml'],
    [own.slice(13), '/v20180820/jobs', undefined, 'rest-xml'],
    [own.replace('control', 'bucket'), '/v20180820/accessgrantsinstance/dataaccess', 'GetDataAccess', 's3'],
    ['123456789012.s3-control.us-east-1.amazonaws.com', '/x?session', 'CreateSession', 'rest-xml'],
    ['s3-control.dualstack.us-east-1.amazonaws.com', '/v20180820/jobs', undefined, 'rest-xml'],
  ])('at %s %s is %s in %s', (host, asked, name, protocol) => {
    const service = host.includes('.s3express') ? 's3express' : 's3';
    const scope = { service, region: 'us-east-1' };
    const target = awsTarget({ host, scope, ownHosts: host.includes('vpce') ? [{ host, ...scope }] : [] });
    if ('refusal' in target) throw new Error(target.refusal);
    expect(target).not.toMatchObject({ isS3Control: true, bucket: expect.anything() });
    const [path = '', query = ''] = asked.split('?');
    expect(operation({ service, method: 'GET', path, query, target })).toMatchObject({
      protocol,
      ...(name !== undefined && { operation: name }),
    });
  });

  // Every GET of S3 whose query does not parse was taken for CreateSession, and refused.
  test.each([
    ['s3', 'prefix=a;b', undefined],
    ['s3', 'prefix=%FF', undefined],
    ['s3', 'prefix=a;b&%53ession', 'CreateSession'],
    ['s3', 'prefix=%FF;session=', 'CreateSession'],
    ['s3', 'prefix=%FF&session%3D', 'CreateSession'],
    ['s3express', 'prefix=a;b', 'CreateSession'],
    ['s3express', 'prefix=%FF', 'CreateSession'],
  ])('of %s with the query %s is %s', (service, query, name) => {
    expect(operation({ service, method: 'GET', query, target: { host: 'b', bucket: 'b' } })).toEqual({
      protocol: 's3',
      ...(name !== undefined && { operation: name }),
    });
  });

  test('the control host of S3 on Outposts is spoken to in its own protocol', () => {
    const target = awsTarget({ host: 's3-outposts.us-east-1.amazonaws.com', scope: { service: 's3-outposts', region: 'us-east-1' } });
    if ('refusal' in target) throw new Error(target.refusal);
    const given = { service: 's3-outposts', method: 'GET', path: '/S3Outposts/ListEndpoints', target };
    expect(operation(given)).toMatchObject({ protocol: 'rest-json' });
    expect(operation({ ...given, headers: ['content-encoding', 'gzip'] })).toHaveProperty('refusal');
  });

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
    // GetComputeAccess by its path, which was judged as the ListBuilds of its target
    [
      'a path of CBOR beside a target',
      { service: 'gamelift', path: '/service/GameLift/operation/GetComputeAccess', headers: json('GameLift.ListBuilds') },
      '{}',
      /have the path \//,
    ],
    [
      'two protocols',
      {
        service: 'gamelift',
        path: '/service/GameLift/operation/GetComputeAccess',
        headers: [...json('GameLift.ListBuilds'), 'smithy-protocol', 'x', 'smithy-protocol', 'rpc-v2-cbor'],
      },
      '{}',
      /smithy-protocol/,
    ],
    [
      'CBOR, said twice',
      {
        service: 'gamelift',
        path: '/service/GameLift/operation/ListBuilds',
        headers: ['smithy-protocol', 'rpc-v2-cbor', 'smithy-protocol', 'rpc-v2-cbor'],
      },
      '',
      /smithy-protocol/,
    ],
    [
      'CBOR beside a target',
      { service: 'gamelift', headers: ['content-type', 'application/cbor', 'x-amz-target', 'GameLift.ListBuilds'] },
      '',
      /two ways/,
    ],
    ['a path beside a form', { headers: form, path: '/service/Sts/operation/AssumeRole' }, 'Action=GetCallerIdentity', /have the path \//],
    ['another protocol beside a form', { headers: [...form, 'smithy-protocol', 'x'] }, 'Action=AssumeRole', /smithy-protocol/],
    [
      'another protocol for a REST service',
      { service: 'datazone', method: 'GET', path: '/v2/domains/d', headers: ['smithy-protocol', 'x', 'smithy-protocol', 'rpc-v2-cbor'] },
      '',
      /smithy-protocol/,
    ],
    // IAM has an API in REST too, for which these were taken: no operation was looked for in them
    ['an escaped Action in the query', { service: 'iam', method: 'GET', query: '%41ction=CreateAccessKey' }, '', /Action plainly/],
    [
      'a form of no type',
      { service: 'iam', headers: ['content-type', 'text/plain'] },
      'Action=CreateAccessKey',
      /does not name one operation/,
    ],
    [
      'a form in other letters',
      { headers: ['content-type', `${form[1]?.replace('8', '16')}`] },
      'Action=GetCallerIdentity',
      /does not name/,
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

  test('another form that goes on has no name, since it may have a second one, and of all else nothing is read', () => {
    const given = head({ service: 'sns', headers: form });
    expect(bodyWanted(given)).toBe(limits.awsFormBytes);
    expect(describeRequest(given, { bytes: Buffer.from('Action=Publish&Mess'), whole: false })).toEqual({ protocol: 'query' });
    expect(bodyWanted(head({ service: 'kms', headers: json('TrentService.Decrypt') }))).toBe(0);
    expect(bodyWanted(head({ service: 's3' }))).toBe(0);
  });
});

test('a request that says nothing is answered in what its service speaks', () => {
  expect(
    ['sts', 'kms', 'dynamodb', 'cloudfront', 's3', 'lambda', ''].map((service) => protocolOf(head({ service, method: 'GET' }))),
  ).toEqual(['query', 'json-1.1', 'json-1.0', 'rest-xml', 's3', 'rest-json', 'rest-json']);
});
