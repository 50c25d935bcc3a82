import { hash } from 'node:crypto';
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

/** What is recorded of a request to S3, in its intent and in its outcome. */
async function recorded(call: Omit<Call, 'region' | 'service'>) {
  const before = agent.events.length;
  await signedCall(agent, { service: 's3', region: 'eu-west-1', method: 'GET', ...call });
  await expect.poll(() => agent.events.length).toBe(before + 2);
  const [intent, outcome] = agent.events.slice(before);
  const told = (fields: Readonly<Record<string, unknown>> | undefined) =>
    Object.fromEntries(Object.entries(fields ?? {}).filter(([name]) => /^(?:path|raw_query|query|copy_source)/.test(name)));
  expect(told(outcome?.fields)).toEqual(told(intent?.fields));
  return told(intent?.fields);
}

// Path and query ended at 1,024 characters without a word: a key of S3 may have three times as many, and the log did not tell which it was.
it('an object with the longest of keys is told by its whole path, and of what is cut there is a mark and the hash of the whole', async () => {
  const longest = `/files/${'%C3%BC'.repeat(512)}`;
  expect(longest.length).toBe('/files/'.length + 3 * 1024);
  expect(await recorded({ path: longest })).toEqual({ path: longest, raw_query: '' });
  const [fits, past] = [4096, 4097].map((length) => `/files/${'k'.repeat(length - '/files/'.length)}`) as [string, string];
  expect(await recorded({ path: fits })).toEqual({ path: fits, raw_query: '' });
  expect(await recorded({ path: past })).toEqual({
    path: fits,
    path_truncated: true,
    path_sha256: hash('sha256', past),
    raw_query: '',
  });
});

it('a query is told up to the same length, and no hash of it is made of what may not be told', async () => {
  const [fits, past] = [4096, 4097].map((length) => `prefix=${'k'.repeat(length - 'prefix='.length)}`) as [string, string];
  expect(await recorded({ path: `/files?${fits}` })).toEqual({ path: '/files', raw_query: fits });
  expect(await recorded({ path: `/files?x-amz-server-side-encryption-customer-key=secret&${past}` })).toEqual({
    path: '/files',
    raw_query: fits,
    query_truncated: true,
    query_sha256: hash('sha256', past),
  });
});

it('a copy tells its source, cut as a path is and without what a query may hide', async () => {
  const copy = (source: string) => recorded({ method: 'PUT', path: '/files/copy', headers: { 'x-amz-copy-source': source } });
  expect(await copy('/files/seeded')).toEqual({ path: '/files/copy', raw_query: '', copy_source: '/files/seeded' });
  expect(await copy('files/seeded?versionId=v1&X-Amz-Signature=abc')).toMatchObject({
    copy_source: 'files/seeded?versionId=v1',
    copy_source_truncated: true,
  });
  expect(await copy('files/seeded?versionId=v1')).toEqual({ path: '/files/copy', raw_query: '', copy_source: 'files/seeded?versionId=v1' });
  const [fits, past] = [4096, 4097].map((length) => `files/${'k'.repeat(length - 'files/'.length)}`) as [string, string];
  expect(await copy(fits)).toEqual({ path: '/files/copy', raw_query: '', copy_source: fits });
  expect(await copy(past)).toMatchObject({ copy_source: fits, copy_source_truncated: true, copy_source_sha256: hash('sha256', past) });
});

it('a request with two sources of a copy is refused: the log could tell the one and AWS take the other', async () => {
  const answer = await signedCall(agent, {
    service: 's3',
    region: 'eu-west-1',
    method: 'PUT',
    path: '/files/copy',
    unsigned: { 'x-amz-copy-source': ['files/seeded', 'files/other'] },
  });
  expect(answer).toMatchObject({ status: 400, text: expect.stringContaining('x-amz-copy-source stands twice') as unknown });
});
