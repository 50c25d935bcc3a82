import { crc32, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MAX_BODY_BYTES } from '#config.ts';
import { ACCOUNT, allowReader, call, type LocalAgent, sessionOf, startLocalAgent } from '#testing/local-agent.ts';

let agent: LocalAgent;
let logged = 0;
beforeAll(async () => {
  agent = await startLocalAgent();
  await agent.emulator.seedTable('us-east-1', {
    name: 'pets',
    items: Array.from({ length: 40 }, (_, at) => ({ id: { S: `pet-${at}` }, text: { S: 'lorem ipsum '.repeat(20) } })),
  });
});
afterAll(() => agent.stop());
beforeEach(() => {
  agent.setRoles([allowReader]);
  agent.setStanding(undefined);
  logged = agent.emulator.log().length;
});

const atAws = () => agent.emulator.log().slice(logged);
const dynamoAtAws = () => atAws().filter(({ operation }) => operation !== 'AssumeRole');
const recorded = (from: number) => agent.events.slice(from).filter(({ kind }) => kind === 'db.session.dynamodb.request');

describe('a request that is allowed', () => {
  it('reaches AWS as the role, signed for the true host and region, and its answer comes back as it is', async () => {
    const from = agent.events.length;
    const answer = await call(
      agent,
      'ListTables',
      {},
      { headers: { cookie: 'secret=1', 'x-amz-security-token': 'client-token', 'x-amz-date': '20200101T000000Z' } },
    );
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ TableNames: ['pets'] });
    expect(Number(answer.headers['x-amz-crc32'])).toBe(crc32(answer.body));
    const [sent] = dynamoAtAws();
    expect(sent).toMatchObject({ verified: true, host: 'dynamodb.us-east-1.amazonaws.com', region: 'us-east-1', operation: 'ListTables' });
    expect(sent?.identity).toMatchObject({
      arn: `arn:aws:sts::${ACCOUNT}:assumed-role/Reader/alice`,
      sourceIdentity: 'alice',
      tags: { team: 'shop', 'postern:user': 'alice' },
    });
    const names = sent?.headers.map(([name]) => name.toLowerCase()) ?? [];
    expect(names.filter((name) => name === 'authorization')).toHaveLength(1);
    expect(JSON.stringify(sent?.headers)).not.toMatch(/AKIDCLIENT|client-token|secret=1|20200101/);
    const [intent, outcome] = recorded(from);
    expect(intent).toMatchObject({
      code: 'TDY01I',
      user: 'alice',
      resource: 'db/orders',
      success: true,
      fields: {
        phase: 'intent',
        operation: 'ListTables',
        target: 'DynamoDB_20120810.ListTables',
        db_user: 'Reader',
        db_labels: { env: 'dev' },
        db_aws_region: 'us-east-1',
      },
    });
    expect(outcome).toMatchObject({
      code: 'TDY01I',
      success: true,
      fields: {
        phase: 'outcome',
        outcome: 'answered',
        status_code: 200,
        request_id: intent?.fields['request_id'],
        aws_request_id: answer.headers['x-amzn-requestid'],
      },
    });
  });

  it('asks STS once for many requests at once', async () => {
    agent.setSession(
      sessionOf({
        user: 'bob',
        standing: {
          check: () => undefined,
          awsCredentialOperations: () => 'cap',
          authorize: () => ({ allowed: true, decision: { allowed: true, reason: '', steps: [] } }),
        },
      }),
    );
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(agent, 'DescribeTable', { TableName: 'pets' })));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(atAws().filter(({ operation }) => operation === 'AssumeRole')).toHaveLength(1);
    expect(dynamoAtAws().every(({ identity }) => identity?.sessionName === 'bob')).toBe(true);
    agent.setSession(
      sessionOf({
        standing: {
          check: () => undefined,
          awsCredentialOperations: () => 'cap',
          authorize: () => ({ allowed: true, decision: { allowed: true, reason: '', steps: [] } }),
        },
      }),
    );
  });

  it('gets compressed answers as AWS compressed them', async () => {
    const answer = await call(agent, 'Scan', { TableName: 'pets' }, { headers: { 'accept-encoding': 'gzip' } });
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(Number(answer.headers['x-amz-crc32'])).toBe(crc32(answer.body));
    expect(JSON.parse(gunzipSync(answer.body).toString())).toMatchObject({ Count: 40 });
  });

  it('goes to the host of the Streams by its target', async () => {
    const answer = await call(agent, 'DynamoDBStreams_20120810.ListStreams', {});
    expect(answer.status).toBe(200);
    expect(atAws()[0]).toMatchObject({ host: 'streams.dynamodb.us-east-1.amazonaws.com', verified: true });
  });

  it('gets errors of AWS as they are', async () => {
    const from = agent.events.length;
    const answer = await call(agent, 'GetItem', { TableName: 'nothing', Key: { id: { S: '1' } } });
    expect(answer.status).toBe(400);
    expect(answer.json.__type).toMatch(/ResourceNotFoundException/);
    expect(recorded(from)[1]).toMatchObject({ code: 'TDY01I', success: false, fields: { status_code: 400, tables: ['nothing'] } });
  });

  it('may be a body without a length, and has its consumed capacity recorded where it asked for it', async () => {
    const from = agent.events.length;
    const answer = await call(
      agent,
      'PutItem',
      { TableName: 'pets', Item: { id: { S: 'x' } }, ReturnConsumedCapacity: 'TOTAL' },
      { headers: { 'transfer-encoding': 'chunked', 'content-length': [] } },
    );
    expect(answer.status).toBe(200);
    expect(recorded(from)[1]?.fields['consumed_capacity']).toMatchObject({ TableName: 'pets' });
    expect(JSON.stringify(agent.events.map(({ fields }) => fields))).not.toContain('lorem');
  });

  it('may be as large as DynamoDB allows, and arrives to the byte', async () => {
    const head = '{"RequestItems":{"pets":[{"PutRequest":{"Item":{"id":{"S":"limit"},"pad":{"S":"';
    const tail = '"}}}}]}}';
    const body = Buffer.concat([Buffer.from(head), Buffer.alloc(16 * 1024 * 1024 - head.length - tail.length, 'x'), Buffer.from(tail)]);
    await call(agent, 'BatchWriteItem', body);
    expect(dynamoAtAws()[0]).toMatchObject({ bodyBytes: 16 * 1024 * 1024, verified: true });
  });
});

describe('a request is refused, nothing reaches AWS, and one record says why', () => {
  const refusals: readonly [string, () => Promise<Awaited<ReturnType<typeof call>>>, number, RegExp][] = [
    ['unknown operations', () => call(agent, 'DynamoDB_20120810.Nothing'), 400, /not an operation/],
    ['operations in another case', () => call(agent, 'dynamodb_20120810.ListTables'), 400, /not an operation/],
    ['other services', () => call(agent, 'Kinesis_20131202.PutRecord'), 400, /not an operation/],
    ['an old version of the API', () => call(agent, 'DynamoDB_20111205.ListTables'), 400, /not an operation/],
    ['a target of 10 kB', () => call(agent, `DynamoDB_20120810.${'x'.repeat(10_000)}`), 400, /not an operation/],
    [
      'two targets',
      () =>
        call(agent, 'ListTables', {}, { headers: { 'x-amz-target': ['DynamoDB_20120810.ListTables', 'DynamoDB_20120810.DeleteTable'] } }),
      400,
      /x-amz-target stands twice/,
    ],
    ['another path', () => call(agent, 'ListTables', {}, { path: '/x' }), 400, /path must be/],
    ['a query', () => call(agent, 'ListTables', {}, { path: '/?X-Amz-Signature=00' }), 400, /path must be/],
    ['another content type', () => call(agent, 'ListTables', {}, { headers: { 'content-type': 'application/json' } }), 400, /content type/],
    ['a compressed request', () => call(agent, 'ListTables', {}, { headers: { 'content-encoding': 'gzip' } }), 400, /encoding/],
    ['a foreign Host', () => call(agent, 'ListTables', {}, { headers: { host: `evil.example:${agent.port}` } }), 403, /Host "evil/],
    ['a page of a browser', () => call(agent, 'ListTables', {}, { headers: { origin: 'https://evil.example' } }), 403, /browser page/],
    [
      'duplicate JSON keys',
      () => call(agent, 'GetItem', Buffer.from('{"TableName":"pets","TableName":"secret","Key":{}}')),
      400,
      /TableName|twice|duplicate/i,
    ],
    [
      'a table of another account',
      () => call(agent, 'GetItem', { TableName: 'arn:aws:dynamodb:us-east-1:999999999999:table/pets', Key: {} }),
      400,
      /account/,
    ],
    [
      'a table of another region',
      () => call(agent, 'GetItem', { TableName: `arn:aws:dynamodb:eu-west-1:${ACCOUNT}:table/pets`, Key: {} }),
      400,
      /region/,
    ],
    ['what is no JSON', () => call(agent, 'GetItem', Buffer.from('{')), 400, /GetItem/],
    ['endpoint discovery', () => call(agent, 'DescribeEndpoints'), 400, /discovery/],
  ];

  it.each(refusals)('for %s', async (_what, send, status, says) => {
    const from = agent.events.length;
    const answer = await send();
    expect(answer.status).toBe(status);
    expect(answer.json.message).toMatch(says);
    expect(answer.json.__type).toMatch(/Exception$/);
    expect(dynamoAtAws()).toHaveLength(0);
    const [record, ...more] = recorded(from);
    expect(more).toHaveLength(0);
    expect(record).toMatchObject({
      code: 'TDY01E',
      success: false,
      user: 'alice',
      resource: 'db/orders',
      fields: { phase: 'refusal', status_code: status },
    });
  });

  it('by the rule that denies, in AWS’s own words', async () => {
    const from = agent.events.length;
    agent.setSession(
      sessionOf({
        standing: {
          check: () => undefined,
          awsCredentialOperations: () => 'cap',
          authorize: () => ({
            allowed: false,
            cause: 'rule',
            role: 'contractor',
            reason: 'denied by role contractor: deny.db_labels env=dev',
          }),
        },
      }),
    );
    const answer = await call(agent, 'PutItem', { TableName: 'pets', Item: {} });
    agent.setSession(
      sessionOf({
        standing: {
          check: () => undefined,
          awsCredentialOperations: () => 'cap',
          authorize: () => ({ allowed: true, decision: { allowed: true, reason: '', steps: [] } }),
        },
      }),
    );
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({
      __type: 'com.amazon.coral.service#AccessDeniedException',
      message:
        'User alice is not authorized to perform dynamodb:PutItem on db/orders as role Reader: denied by role contractor: deny.db_labels env=dev',
    });
    expect(recorded(from)[0]).toMatchObject({ fields: { role: 'contractor', operation: 'PutItem' } });
    expect(atAws()).toHaveLength(0);
  });

  it('where the port that tsh listens on was not told', async () => {
    agent.setLocalPort(undefined);
    const answer = await call(agent, 'ListTables');
    agent.setLocalPort(agent.port);
    expect(answer.status).toBe(403);
    expect(answer.json.message).toMatch(/update tsh/);
  });

  it('over the limit with and without a length, whole and not cut', async () => {
    const body = Buffer.alloc(MAX_BODY_BYTES + 1, 'x');
    const withLength = await call(agent, 'BatchWriteItem', body);
    expect(withLength.status).toBe(413);
    expect(withLength.json.__type).toMatch(/RequestEntityTooLarge/);
    const chunked = await call(agent, 'BatchWriteItem', body, { headers: { 'transfer-encoding': 'chunked', 'content-length': [] } });
    expect(chunked.status).toBe(413);
    expect(dynamoAtAws()).toHaveLength(0);
  });
});
