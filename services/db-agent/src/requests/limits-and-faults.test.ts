import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { SpoolFull } from '@postern/agent';
import { afterEach, describe, expect, it } from 'vitest';
import { call, type LocalAgent, type LocalAgentOptions, sessionOf, startLocalAgent } from '#testing/local-agent.ts';

let agent: LocalAgent;
afterEach(() => agent.stop());
async function start(options: LocalAgentOptions = {}): Promise<void> {
  agent = await startLocalAgent(options);
  await agent.emulator.seedTable('us-east-1', { name: 'pets', items: [{ id: { S: '1' } }] });
}
const allowed = { allowed: true as const, decision: { allowed: true, reason: '', steps: [] } };
const dynamoAtAws = () => agent.emulator.log().filter(({ operation }) => operation !== 'AssumeRole');

/** Writes bytes as they are and reads until the connection ends. */
async function raw(bytes: string): Promise<string> {
  const socket: Socket = connect(agent.port, '127.0.0.1');
  socket.write(bytes);
  let said = '';
  socket.on('data', (chunk) => (said += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return said;
}
const head = (more: string) =>
  `POST / HTTP/1.1\r\nHost: 127.0.0.1:${agent.port}\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\n${more}\r\n`;

describe('the audit log comes first', () => {
  it('AU-01 a request whose intent cannot be kept is refused, AWS and STS see nothing, and the next one is served', async () => {
    let full = true;
    await start({
      spool: (real) => ({
        ...real,
        report: real.report,
        stats: () => real.stats(),
        flush: () => real.flush(),
        drain: (options) => real.drain(options),
        close: () => real.close(),
        writeLater: (event) => real.writeLater(event),
        write: (event, done) =>
          full
            ? queueMicrotask(() => done(new SpoolFull('the spool holds as much as it may', { where: '/var/lib/postern/spool' })))
            : real.write(event, done),
      }),
    });
    const refused = await call(agent, 'ListTables');
    expect(refused.status).toBe(503);
    expect(refused.json.message).toMatch(/the request was not sent: the spool holds/);
    expect(refused.body.includes('/var/lib')).toBe(false);
    expect(agent.emulator.log()).toHaveLength(0);
    full = false;
    expect((await call(agent, 'ListTables')).status).toBe(200);
  });

  it('AWS has the request only after the intent is on disk, and every request at AWS has its intent', async () => {
    const durable: string[] = [];
    await start({
      spool: (real) => ({
        ...real,
        report: real.report,
        stats: () => real.stats(),
        flush: () => real.flush(),
        drain: (options) => real.drain(options),
        close: () => real.close(),
        writeLater: (event) => real.writeLater(event),
        write: (event, done) => {
          expect(dynamoAtAws()).toHaveLength(durable.length);
          real.write(event, (error) => {
            if (error === undefined) durable.push(event.id);
            done(error);
          });
        },
      }),
    });
    for (let i = 0; i < 5; i += 1) await call(agent, 'ListTables');
    expect(dynamoAtAws()).toHaveLength(5);
    expect(durable).toHaveLength(5);
  });
});

describe('credentials', () => {
  it('that STS denies are told in words and recorded, and DynamoDB sees nothing', async () => {
    await start();
    agent.setSession(
      sessionOf({
        principal: 'Nobody',
        standing: { check: () => undefined, awsCredentialOperations: () => 'cap', authorize: () => allowed },
      }),
    );
    const answer = await call(agent, 'ListTables');
    expect(answer.status).toBe(400);
    expect(answer.json.__type).toMatch(/AccessDeniedException/);
    expect(answer.json.message).toMatch(/Nobody/);
    expect(dynamoAtAws()).toHaveLength(0);
    expect(agent.events.map(({ fields }) => fields['phase'])).toEqual(['intent', 'outcome']);
    expect(agent.events[1]).toMatchObject({ code: 'TDY01E', success: false, fields: { outcome: 'not_sent' } });
  });

  it.each(['expired', 'malformed'] as const)('that STS gives out %s are not used', async (creds) => {
    await start();
    agent.emulator.setMode('AssumeRole', { creds });
    const answer = await call(agent, 'ListTables');
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(dynamoAtAws()).toHaveLength(0);
    agent.emulator.setMode('AssumeRole', undefined);
    expect((await call(agent, 'ListTables')).status).toBe(200);
  });

  it('of a role that refuses tags and source identity are had without them', async () => {
    await start();
    agent.setSession(
      sessionOf({
        principal: 'Plain',
        standing: { check: () => undefined, awsCredentialOperations: () => 'cap', authorize: () => allowed },
      }),
    );
    expect((await call(agent, 'ListTables')).status).toBe(200);
    expect(dynamoAtAws()[0]?.identity).toMatchObject({ sessionName: 'alice', tags: {} });
  });

  it('are each person’s own, whoever else asks at the same time', async () => {
    await start();
    const sessions = ['alice', 'bob'].map((user) =>
      sessionOf({ user, standing: { check: () => undefined, awsCredentialOperations: () => 'cap', authorize: () => allowed } }),
    );
    const agents = sessions.map(() => new Agent({ keepAlive: true, maxSockets: 1 }));
    for (const [at, session] of sessions.entries()) {
      agent.setSession(session);
      await call(agent, 'ListTables', {}, { agent: agents[at] ?? new Agent() });
    }
    const put = (at: number, n: number) =>
      call(
        agent,
        'PutItem',
        { TableName: 'pets', Item: { id: { S: `${sessions[at]?.user}-${n}` } } },
        { agent: agents[at] ?? new Agent() },
      );
    await Promise.all(Array.from({ length: 100 }, (_, n) => put(n % 2, n)));
    for (const each of agents) each.destroy();
    const events = agent.events.filter(({ fields }) => fields['phase'] === 'intent');
    for (const user of ['alice', 'bob']) {
      expect(dynamoAtAws().filter(({ identity }) => identity?.sessionName === user)).toHaveLength(51);
      expect(events.filter((event) => event.user === user)).toHaveLength(51);
    }
  });
});

describe('faults of AWS', () => {
  it('are passed on, recorded, and never tried again', async () => {
    await start();
    agent.emulator.setMode('PutItem', { status: 500 });
    expect((await call(agent, 'PutItem', { TableName: 'pets', Item: { id: { S: '2' } } })).status).toBe(500);
    agent.emulator.setMode('PutItem', { resetAfterBytes: 0 });
    const lost = await call(agent, 'PutItem', { TableName: 'pets', Item: { id: { S: '3' } } });
    expect(lost.status).toBe(503);
    expect(lost.json.message).toMatch(/it may have acted/);
    expect(dynamoAtAws().filter(({ operation }) => operation === 'PutItem')).toHaveLength(2);
    expect(agent.events.at(-1)).toMatchObject({ code: 'TDY01E', success: false, fields: { phase: 'outcome', outcome: 'unknown' } });
  });
});

describe('limits', () => {
  it('many large bodies at once are served or told to come again, and the memory for them is given back', async () => {
    await start();
    const body = Buffer.concat([
      Buffer.from('{"TableName":"pets","Item":{"id":{"S":"'),
      Buffer.alloc(15 * 1024 * 1024, 'x'),
      Buffer.from('"}}}'),
    ]);
    const first = await Promise.all(Array.from({ length: 20 }, () => call(agent, 'PutItem', body)));
    const statuses = first.map(({ status }) => status);
    expect(statuses.every((status) => status === 400 || status === 503)).toBe(true);
    expect(statuses.filter((status) => status === 400).length).toBeGreaterThanOrEqual(10);
    expect(statuses).toContain(503);
    expect(first.find(({ status }) => status === 503)?.json.message).toMatch(/as many request bodies as it may/);
    expect((await call(agent, 'PutItem', body)).status).toBe(400);
  }, 60_000);

  it('headers over 16 KiB, a hundred lines, or what is no HTTP end the connection', async () => {
    await start();
    expect(await raw(head(`X-Long: ${'x'.repeat(20_000)}\r\n`))).toMatch(/^HTTP\/1\.1 431/);
    expect(await raw(head(Array.from({ length: 120 }, (_, at) => `x-${at}: 1\r\n`).join('')))).toMatch(/100 header lines/);
    expect(await raw('GARBAGE\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/);
    expect(await raw(head('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n') + '0\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/);
    expect(await raw(head('Transfer-Encoding: chunked\r\n') + '1\r\nx\r\n'.repeat(100_000))).toMatch(/pieces too small/);
    expect(await raw(`CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n`)).not.toMatch(/200/);
    expect(dynamoAtAws()).toHaveLength(0);
    expect(agent.events.filter(({ code }) => code === 'TDY01E').length).toBeGreaterThanOrEqual(4);
  });

  it('two Host lines are refused, though Node would take the first', async () => {
    await start();
    expect(await raw(head('Host: evil.example\r\nContent-Length: 0\r\n'))).toMatch(/host stands twice/);
  });

  it('100 Continue is said after the decision and not before', async () => {
    await start();
    const ask = () =>
      new Promise<{ continued: boolean; status: number }>((resolve, reject) => {
        let continued = false;
        const headers = {
          expect: '100-continue',
          'content-type': 'application/x-amz-json-1.0',
          'x-amz-target': 'DynamoDB_20120810.ListTables',
          'content-length': '2',
        };
        const request = httpRequest({ agent: false, port: agent.port, host: '127.0.0.1', method: 'POST', headers }, (response) => {
          response.resume();
          resolve({ continued, status: response.statusCode ?? 0 });
          if (!continued) request.destroy();
        });
        request.on('continue', () => {
          continued = true;
          request.end('{}');
        });
        request.on('error', reject);
        request.flushHeaders();
      });
    expect(await ask()).toEqual({ continued: true, status: 200 });
    agent.setRoles([]);
    expect(await ask()).toEqual({ continued: false, status: 400 });
  });

  it('a client that leaves in the middle costs nothing and leaves an outcome', async () => {
    await start();
    agent.emulator.setMode('ListTables', { delayMs: 5000 });
    const abort = new AbortController();
    const answer = call(agent, 'ListTables', {}, { signal: abort.signal });
    await expect.poll(() => dynamoAtAws().length).toBe(1);
    abort.abort();
    await expect(answer).rejects.toThrow();
    await expect.poll(() => agent.service.underWay).toBe(0);
    expect(agent.events.at(-1)).toMatchObject({ fields: { phase: 'outcome', outcome: 'unknown' } });
  });
});

describe('a session that ends', () => {
  it('answers with the reason first and is cut then', async () => {
    await start();
    let stopped = false;
    const reason = { allowed: false as const, cause: 'locked' as const, reason: 'user alice is locked: ask security' };
    const session = sessionOf({
      standing: {
        check: () => (stopped ? reason : undefined),
        awsCredentialOperations: () => 'cap',
        authorize: () => (stopped ? reason : allowed),
      },
    });
    agent.setSession(session);
    const keepAlive = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await call(agent, 'ListTables', {}, { agent: keepAlive })).status).toBe(200);
    stopped = true;
    session.end(reason);
    const refused = await call(agent, 'ListTables', {}, { agent: keepAlive });
    expect(refused.json.message).toMatch(/as role Reader: user alice is locked: ask security/);
    const endedMs = performance.now();
    await expect.poll(() => session.streamCount, { timeout: 5000 }).toBe(0);
    expect(performance.now() - endedMs).toBeLessThan(4000);
    keepAlive.destroy();
  });
});

/** Skips where the machine lacks the program, and says so; fails where everything is demanded. */
function has(name: string, probe: readonly string[]): boolean {
  const found = spawnSync(probe[0] ?? '', probe.slice(1), { stdio: 'ignore' }).status === 0;
  if (!found && (process.env['CI'] || process.env['REQUIRE_ALL'])) throw new Error(`${name} is needed by this test`);
  if (!found) console.warn(`skipped: install ${name} to run this test`);
  return found;
}

describe('real clients', () => {
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: 'none',
    AWS_SECRET_ACCESS_KEY: 'none',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_MAX_ATTEMPTS: '1',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const run = promisify(execFile);

  it.runIf(has('boto3 (pip install boto3)', ['python3', '-c', 'import boto3']))(
    'boto3 reads, pages, is refused in words, and may sign for the region local',
    async () => {
      await start();
      const script = `
import boto3, botocore
def client(region): return boto3.client('dynamodb', endpoint_url='${agent.url}', region_name=region, aws_access_key_id='x', aws_secret_access_key='y')
print(client('us-east-1').list_tables()['TableNames'], client('local').get_item(TableName='pets', Key={'id': {'S': '1'}})['Item'])
try: client('us-east-1').get_item(TableName='none', Key={'id': {'S': '1'}})
except botocore.exceptions.ClientError as e: print(e.response['Error']['Code'])
`;
      const { stdout } = await run('python3', ['-c', script], { env });
      expect(stdout).toBe("['pets'] {'id': {'S': '1'}}\nResourceNotFoundException\n");
      agent.setRoles([]);
      const refused = await run('python3', ['-c', script], { env }).catch((error: { stderr: string }) => error);
      expect('stderr' in refused ? refused.stderr : '').toMatch(
        /AccessDeniedException.*User alice is not authorized to perform dynamodb:ListTables on db\/orders/s,
      );
    },
    60_000,
  );

  it.runIf(has('the AWS CLI', ['aws', '--version']))(
    'the AWS CLI lists tables and shows the sentence of a refusal',
    async () => {
      await start();
      const list = ['dynamodb', 'list-tables', `--endpoint-url=http://localhost:${agent.port}`, '--output=json'];
      const { stdout } = await run('aws', list, { env });
      expect(JSON.parse(stdout)).toEqual({ TableNames: ['pets'] });
      agent.setRoles([]);
      const refused = await run('aws', list, { env }).catch((error: { stderr: string }) => error);
      expect('stderr' in refused ? refused.stderr : '').toMatch(/AccessDeniedException.*User alice is not authorized/s);
    },
    60_000,
  );
});
