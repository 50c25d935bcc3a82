import { createHash } from 'node:crypto';
import { SpoolFull } from '@postern/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ACCOUNT,
  allowReader,
  LOCAL_KEY,
  type LocalAgent,
  type LocalAgentOptions,
  ROLE,
  sessionOf,
  startLocalAgent,
} from '#testing/local-agent.ts';
import { type Answer, type Call, signedCall } from '#testing/signed-call.ts';

let agent: LocalAgent;
async function start(options: LocalAgentOptions = {}): Promise<void> {
  agent = await startLocalAgent(options);
  await agent.emulator.seedTable('us-east-1', { name: 'pets', items: [{ id: { S: '1' } }] });
}
afterEach(() => agent.stop());

const dynamodb = (operation: string, more: Partial<Call> = {}): Call => ({
  service: 'dynamodb',
  body: '{}',
  ...more,
  headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `DynamoDB_20120810.${operation}`, ...more.headers },
});
const form = (text: string, more: Partial<Call> = {}): Call => ({
  service: 'sts',
  headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
  body: text,
  ...more,
});
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
/** What AWS saw, but for the agent's own calls of STS. */
const atAws = () => agent.emulator.log().filter(({ identity }) => identity?.roleArn !== undefined);
const allowed = { allowed: true as const, decision: { allowed: true, reason: '', steps: [] } };
const messageOf = (answer: Answer): string =>
  /"message":"((?:[^"\\]|\\.)*)"/.exec(answer.text)?.[1] ?? /<Message>([^<]*)/.exec(answer.text)?.[1] ?? '';

describe('a request that is allowed', () => {
  beforeEach(() => start());

  it('reaches AWS as the role, signed for the true host and region, and its answer comes back as it is', async () => {
    const answer = await signedCall(agent, dynamodb('ListTables'));
    expect(JSON.parse(answer.text)).toEqual({ TableNames: ['pets'] });
    expect(answer.headers['x-amz-crc32']).toMatch(/^\d+$/);
    expect(atAws()).toMatchObject([
      {
        host: 'dynamodb.us-east-1.amazonaws.com',
        operation: 'ListTables',
        verified: true,
        identity: { roleArn: ROLE, sessionName: 'alice' },
      },
    ]);
    expect(JSON.stringify(agent.emulator.log())).not.toContain(LOCAL_KEY.accessKeyId);
  });

  it('stands in the audit log before and after, without its body', async () => {
    await signedCall(agent, dynamodb('ListTables', { body: '{"Limit":7}' }));
    await signedCall(agent, form('Action=GetCallerIdentity&Version=2011-06-15'));
    const [intent, outcome, other] = agent.events;
    expect(intent).toMatchObject({
      code: 'T2013I',
      kind: 'app.session.dynamodb.request',
      user: 'alice',
      resource: 'app/aws',
      fields: {
        phase: 'intent',
        app_name: 'aws',
        aws_role_arn: ROLE,
        aws_service: 'dynamodb',
        aws_region: 'us-east-1',
        aws_host: 'dynamodb.us-east-1.amazonaws.com',
        operation: 'ListTables',
        target: 'DynamoDB_20120810.ListTables',
        payload: 'SHA256',
        app_labels: { env: 'dev' },
      },
    });
    expect(outcome?.fields).toMatchObject({
      phase: 'outcome',
      request_id: intent?.id,
      outcome: 'answered',
      status_code: 200,
      request_bytes: 11,
    });
    expect(outcome?.fields['aws_request_id']).toMatch(/./);
    expect(outcome?.fields['bytes']).toBeGreaterThan(10);
    expect(other).toMatchObject({
      code: 'T2009I',
      kind: 'app.session.request',
      fields: { aws_service: 'sts', operation: 'GetCallerIdentity' },
    });
    expect(JSON.stringify(agent.events)).not.toContain('Limit');
  });

  it('may name the hash of its body, and is one with the hash or none', async () => {
    const body = '{"Limit":1}';
    const named = dynamodb('ListTables', { body, headers: { 'x-amz-content-sha256': sha256(body) } });
    expect((await signedCall(agent, named)).status).toBe(200);
    expect(atAws().at(-1)).toMatchObject({ payload: 'hash', verified: true });
    const other = await signedCall(agent, { ...named, headers: { ...named.headers, 'x-amz-content-sha256': sha256('{}') } });
    expect(other.status).toBe(400);
    expect(messageOf(other)).toMatch(/does not match/);
    expect(atAws()).toHaveLength(1);
  });

  it('is for whatever region and service it was signed for', async () => {
    await signedCall(agent, dynamodb('ListTables', { region: 'eu-west-1' }));
    await signedCall(agent, { service: 'lambda', method: 'GET', path: '/2015-03-31/functions/' });
    await signedCall(agent, {
      service: 'logs',
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'Logs_20140328.DescribeLogGroups' },
      body: '{}',
    });
    expect(atAws().map(({ host, verified }) => [host, verified])).toEqual([
      ['dynamodb.eu-west-1.amazonaws.com', true],
      ['lambda.us-east-1.amazonaws.com', true],
      ['logs.us-east-1.amazonaws.com', true],
    ]);
  });

  it('is for the host of its connection in forward-proxy mode', async () => {
    agent.setFacts({ connectHost: 'iam.amazonaws.com:443' });
    const call = form('Action=ListUsers&Version=2010-05-08', { service: 'iam', host: 'iam.amazonaws.com' });
    expect((await signedCall(agent, call)).status).toBe(200);
    expect(atAws().at(-1)).toMatchObject({ host: 'iam.amazonaws.com', verified: true });
  });
});

describe('a request that is refused', () => {
  beforeEach(() => start());
  const refusedAs = async (call: Call, kind: { readonly status: number; readonly says: RegExp }) => {
    const answer = await signedCall(agent, call);
    expect([answer.status, messageOf(answer)]).toEqual([kind.status, expect.stringMatching(kind.says)]);
    expect(agent.emulator.log()).toEqual([]);
    const last = agent.events.at(-1);
    expect(last).toMatchObject({ success: false, fields: { phase: 'refusal', status_code: kind.status } });
    expect(last?.code).toMatch(/^T20(?:09|13)E$/);
    return answer;
  };

  it.each<[string, Call, { readonly status: number; readonly says: RegExp }]>([
    [
      'another key',
      dynamodb('ListTables', { key: { ...LOCAL_KEY, accessKeyId: 'AKIAYESTERDAY2345678' } }),
      { status: 400, says: /not known here: use the keys that tsh shows/ },
    ],
    [
      'another secret',
      dynamodb('ListTables', { key: { ...LOCAL_KEY, secretAccessKey: 'guessed' } }),
      { status: 400, says: /does not match/ },
    ],
    [
      'a date of yesterday',
      dynamodb('ListTables', { signingDate: new Date(Date.now() - 86_400_000) }),
      { status: 400, says: /Signature expired/ },
    ],
    [
      'a date of in half an hour',
      dynamodb('ListTables', { signingDate: new Date(Date.now() + 1_800_000) }),
      { status: 400, says: /not yet current/ },
    ],
    [
      'a target behind the signature',
      dynamodb('ListTables', { unsigned: { 'x-amz-target': 'DynamoDB_20120810.DeleteTable' } }),
      { status: 400, says: /does not match/ },
    ],
    [
      'an unknown service',
      { service: 'nosuch', method: 'GET', path: '/' },
      { status: 403, says: /"nosuch|cannot be reached by its endpoint/ },
    ],
    ['an unknown region', dynamodb('ListTables', { region: 'xx-nowhere-1' }), { status: 400, says: /no AWS partition has a region/ }],
    [
      'a region of another partition',
      dynamodb('ListTables', { region: 'cn-north-1' }),
      { status: 400, says: /is in partition aws-cn, the application in aws/ },
    ],
    [
      'version 2 of signing',
      { service: 's3', method: 'GET', path: '/b/k', unsigned: { authorization: 'AWS AKIA:c2ln' } },
      { status: 400, says: /Version 2/ },
    ],
    [
      'a bearer key',
      { service: 'bedrock', method: 'POST', path: '/model/x/invoke', body: '{}', unsigned: { authorization: 'Bearer abc' } },
      { status: 400, says: /bearer/ },
    ],
    ['a page of a browser', dynamodb('ListTables', { unsigned: { origin: 'https://evil.example' } }), { status: 400, says: /Origin/ }],
    [
      'an action named twice',
      form('Action=GetCallerIdentity&Action=AssumeRole&Version=2011-06-15'),
      { status: 400, says: /names its Action twice/ },
    ],
  ])('AG-04 for %s says so in the words of who asked, and AWS sees nothing', async (_what, call, kind) => {
    await refusedAs(call, kind);
  });

  it('by the rules says which, in each protocol', async () => {
    agent.setRoles([{ ...allowReader, deny: { awsRoleArns: ['Reader'] } }]);
    const words =
      /User alice is not authorized to perform [\w:]+ on app\/aws as role arn:.*: denied by role dev: deny.aws_role_arns Reader/;
    const json = await refusedAs(dynamodb('ListTables'), { status: 400, says: words });
    expect(JSON.parse(json.text)).toMatchObject({ __type: expect.stringContaining('AccessDeniedException') as unknown });
    const query = await refusedAs(form('Action=ListUsers&Version=2010-05-08', { service: 'iam' }), { status: 403, says: words });
    expect(query.text).toMatch(/^<ErrorResponse>.*<Code>AccessDenied<\/Code>/);
    const s3 = await refusedAs({ service: 's3', method: 'GET', path: '/files/a' }, { status: 403, says: words });
    expect(s3.text).toMatch(/<Error><Code>AccessDenied<\/Code>/);
    const rest = await refusedAs({ service: 'lambda', method: 'GET', path: '/2015-03-31/functions/' }, { status: 403, says: words });
    expect(rest.headers['x-amzn-errortype']).toBe('AccessDeniedException');
    const ec2 = await refusedAs(form('Action=DescribeInstances&Version=2016-11-15', { service: 'ec2' }), { status: 403, says: words });
    expect(ec2.text).toContain('<Response><Errors><Error><Code>UnauthorizedOperation</Code>');
  });

  it('where the certificate names a role of another account, partition or form, whatever the rules say', async () => {
    for (const [principal, says] of [
      ['arn:aws:iam::999988887777:role/Reader', /no role allows|denied|not allow/],
      ['arn:aws-cn:iam::111122223333:role/Reader', /partition aws-cn/],
      ['Reader', /is not the ARN of an IAM role/],
      ['*', /is not the ARN/],
    ] as const) {
      agent.setSession(sessionOf({ principal, standing: standingOfAgent() }));
      await refusedAs(dynamodb('ListTables'), { status: 400, says });
    }
  });

  it('where the application is bound to another account by its label', async () => {
    await agent.stop();
    await start({ labels: { env: 'dev', aws_account_id: '999988887777' } });
    await refusedAs(dynamodb('ListTables'), { status: 400, says: /is for account 999988887777/ });
  });

  it('where its connection was opened to another host, and where its scope is of another service than the host', async () => {
    agent.setFacts({ connectHost: 's3.us-east-1.amazonaws.com' });
    await refusedAs(
      { service: 's3', method: 'GET', path: '/', host: 'evil.example' },
      { status: 403, says: /is not the host that the connection was opened to/ },
    );
    const other = await refusedAs(
      { service: 'dynamodb', method: 'GET', path: '/', host: 's3.us-east-1.amazonaws.com' },
      { status: 400, says: /correct service: 's3'/ },
    );
    expect(other.text).toMatch(/InvalidSignature|SignatureDoesNotMatch/);
  });

  it('where the connection names no key at all', async () => {
    agent.setFacts({ localKey: undefined });
    await refusedAs(dynamodb('ListTables'), { status: 400, says: /update tsh/ });
  });

  function standingOfAgent() {
    return {
      check: () => undefined,
      awsCredentialOperations: () => 'cap' as const,
      authorize: () => ({ allowed: false as const, cause: 'rule' as const, reason: 'no role allows it' }),
    };
  }
});

describe('the order of things', () => {
  it('is audit before AWS: what cannot be recorded is not sent, STS included', async () => {
    let full = true;
    await start({
      spool: (real) => ({
        ...real,
        write: (event, done) =>
          full
            ? setImmediate(() => done(new SpoolFull('audit unavailable: the spool is full', { where: 'here' })))
            : real.write(event, done),
      }),
    });
    const refused = await signedCall(agent, dynamodb('ListTables'));
    expect([refused.status, messageOf(refused)]).toEqual([503, expect.stringMatching(/not sent: audit unavailable/)]);
    expect(agent.emulator.log()).toEqual([]);
    full = false;
    expect((await signedCall(agent, dynamodb('ListTables'))).status).toBe(200);
  });

  it('is decision before STS: an ended session is told the reason', async () => {
    await start();
    agent.setStanding({
      check: () => undefined,
      awsCredentialOperations: () => 'cap',
      authorize: () => ({ allowed: false, cause: 'expired', reason: 'the certificate has expired: sign in again with tsh login' }),
    });
    const answer = await signedCall(agent, dynamodb('ListTables'));
    expect(answer.text).toMatch(/ExpiredToken.*tsh login/);
    expect(agent.emulator.log()).toEqual([]);
  });

  it('is credentials before anything is sent: what STS refuses is told without the agent’s own name', async () => {
    await start();
    agent.setSession(
      sessionOf({
        principal: `arn:aws:iam::${ACCOUNT}:role/Nobody`,
        standing: { check: () => undefined, awsCredentialOperations: () => 'cap', authorize: () => allowed },
      }),
    );
    const answer = await signedCall(agent, dynamodb('ListTables'));
    expect(messageOf(answer)).toMatch(/role\/Nobody cannot be assumed by this agent/);
    expect(answer.text).not.toContain('user/agent');
    expect(agent.events.at(-1)).toMatchObject({ code: 'T2013E', fields: { outcome: 'not_sent', phase: 'outcome' } });
  });
});

describe('operations that hand out keys', () => {
  const assume = (more: string) =>
    `Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::${ACCOUNT}:role/Reader&RoleSessionName=deploy${more}`;
  const standing = (option: 'deny' | 'cap') => ({
    check: () => undefined,
    awsCredentialOperations: () => option,
    authorize: () => allowed,
  });
  const asked = () => atAws().at(-1)?.parameters?.['DurationSeconds'];
  beforeEach(() => start());

  it('AG-11 are cut to what is left of the certificate, in a form and in a query string, and what was handed out is recorded', async () => {
    agent.setSession(sessionOf({ standing: standing('cap'), notAfterMs: Date.now() + 20 * 60_000 }));
    for (const call of [
      form(assume('&DurationSeconds=43200')),
      form(assume('')),
      { service: 'sts', method: 'GET', path: `/?${assume('&DurationSeconds=43200')}` },
    ]) {
      const answer = await signedCall(agent, call);
      expect(answer.status, answer.text).toBe(200);
      expect(Number(asked())).toBeGreaterThan(1100);
      expect(Number(asked())).toBeLessThanOrEqual(1200);
      const outcome = agent.events.at(-1)?.fields;
      expect(outcome).toMatchObject({ operation: 'AssumeRole', handed_out: [expect.stringMatching(/^ASIA/)] });
      expect(answer.text).toContain(String(outcome?.['handed_out']));
      expect(outcome?.['handed_out_seconds']).toBeLessThanOrEqual(1200);
      const secret = /<SecretAccessKey>([^<]+)/.exec(answer.text)?.[1] ?? 'none';
      expect(JSON.stringify(agent.events)).not.toContain(secret);
    }
  });

  it('are refused where less than fifteen minutes are left, and where a role denies them', async () => {
    agent.setSession(sessionOf({ standing: standing('cap'), notAfterMs: Date.now() + 10 * 60_000 }));
    const short = await signedCall(agent, form(assume('&DurationSeconds=900')));
    expect([short.status, messageOf(short)]).toEqual([403, expect.stringMatching(/15 min at least, and your session ends in 9 min/)]);
    agent.setSession(sessionOf({ standing: standing('deny') }));
    const denied = await signedCall(agent, form(assume('')));
    expect([denied.status, messageOf(denied)]).toEqual([403, expect.stringMatching(/sts:AssumeRole.*aws_credential_operations: deny/)]);
    expect(agent.emulator.log()).toEqual([]);
  });

  it('that carry no signature, and access keys that last, are refused', async () => {
    agent.setSession(sessionOf({ standing: standing('cap') }));
    const identity = form(
      `Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=${ROLE}&RoleSessionName=x&WebIdentityToken=t&DurationSeconds=43200`,
    );
    expect((await signedCall(agent, identity)).status).toBe(400);
    const lasting = await signedCall(agent, form('Action=CreateAccessKey&Version=2010-05-08', { service: 'iam' }));
    expect([lasting.status, messageOf(lasting)]).toEqual([403, expect.stringMatching(/lasts until it is deleted/)]);
    expect(agent.emulator.log()).toEqual([]);
  });
});
