import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LocalAgent, ROLE, startLocalAgent } from '#testing/local-agent.ts';
import { type Call, signedCall } from '#testing/signed-call.ts';

let agent: LocalAgent;
beforeAll(async () => {
  agent = await startLocalAgent();
  agent.emulator.seedObject('eu-west-1', { bucket: 'files', key: 'seeded', body: 'seeded' });
});
afterAll(() => agent.stop());

const form = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
const json = (version: string, target: string) => ({ 'content-type': `application/x-amz-json-${version}`, 'x-amz-target': target });
const cbor = { 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor' };
const metrics = '/service/GraniteServiceVersion20100801/operation/ListMetrics';

type Row = {
  readonly call: Omit<Call, 'region'>;
  readonly operation: string;
  readonly host?: string;
  readonly region?: string;
  readonly status?: number;
};
const rows: readonly (readonly [string, Row])[] = [
  [
    'json-1.0',
    { call: { service: 'dynamodb', headers: json('1.0', 'DynamoDB_20120810.ListTables'), body: '{}' }, operation: 'ListTables' },
  ],
  [
    'json-1.1',
    { call: { service: 'logs', headers: json('1.1', 'Logs_20140328.DescribeLogGroups'), body: '{}' }, operation: 'DescribeLogGroups' },
  ],
  ['rest-json', { call: { service: 'lambda', path: '/2015-03-31/functions/f/invocations', body: '{"a":1}' }, operation: 'Invoke' }],
  [
    'rest-xml',
    {
      call: { service: 'route53', method: 'GET', path: '/2013-04-01/hostedzone?maxitems=1' },
      operation: 'ListHostedZones',
      host: 'route53.amazonaws.com',
      region: 'us-east-1',
    },
  ],
  ['rest-xml of S3', { call: { service: 's3', method: 'GET', path: '/files/seeded' }, operation: 'GetObject' }],
  ['rest-xml of S3 that AWS refuses', { call: { service: 's3', method: 'GET', path: '/files/none' }, operation: 'GetObject', status: 404 }],
  [
    'query',
    { call: { service: 'sts', headers: form, body: 'Action=GetCallerIdentity&Version=2011-06-15' }, operation: 'GetCallerIdentity' },
  ],
  ['ec2', { call: { service: 'ec2', headers: form, body: 'Action=DescribeRegions&Version=2016-11-15' }, operation: 'DescribeRegions' }],
  [
    'rpc-v2-cbor',
    {
      call: { service: 'monitoring', path: metrics, headers: cbor, body: Buffer.from([0xa0]) },
      operation: 'ListMetrics',
    },
  ],
];

it.each(rows)(
  'a request in %s is recorded with its service, operation, region, host, role, status, request id, bytes and duration',
  async (_, { call, operation, region = 'eu-west-1', host = `${call.service}.${region}.amazonaws.com`, status = 200 }) => {
    const before = agent.events.length;
    const startedMs = Date.now();
    const answer = await signedCall(agent, { ...call, region });
    const tookMs = Date.now() - startedMs;
    await expect.poll(() => agent.events.length).toBe(before + 2);
    const [intent, outcome] = agent.events.slice(before);
    const asked = {
      aws_service: call.service,
      operation,
      aws_region: region,
      aws_host: host,
      aws_role_arn: ROLE,
      method: call.method ?? 'POST',
    };
    // what AWS's stand-in saw and answered, and the client got, is the judge
    expect(agent.emulator.log().at(-1)).toMatchObject({ verified: true, host, identity: { roleArn: ROLE } });
    expect(answer.status).toBe(status);
    const kind = call.service === 'dynamodb' ? ['app.session.dynamodb.request', 'T2013'] : ['app.session.request', 'T2009'];
    expect(intent).toMatchObject({ kind: kind[0], code: `${kind[1]}I`, user: 'alice', fields: { ...asked, phase: 'intent' } });
    const requestId = answer.headers['x-amzn-requestid'] ?? answer.headers['x-amz-request-id'];
    expect(requestId).toMatch(/^[\w-]{10,}$/);
    expect(outcome).toMatchObject({
      kind: kind[0],
      success: status < 400,
      fields: {
        ...asked,
        phase: 'outcome',
        request_id: intent?.id,
        outcome: 'answered',
        status_code: status,
        aws_request_id: requestId,
        request_bytes: call.body?.length ?? 0,
        bytes: answer.body.length,
      },
    });
    const took = outcome?.fields['duration_ms'];
    expect(typeof took).toBe('number');
    expect(took).toBeGreaterThanOrEqual(0);
    expect(took).toBeLessThanOrEqual(tookMs);
  },
);
