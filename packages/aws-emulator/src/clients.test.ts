import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Emulator, startEmulator } from '#index.ts';
import { present } from '#testing/present.ts';

const run = promisify(execFile);
const hasCli = present('aws', ['--version'], 'install the AWS CLI to run its tests');
const hasBoto = present('python3', ['-c', 'import boto3'], 'install boto3 for python3 to run its tests');

let emulator: Emulator;
const directory = mkdtempSync(join(tmpdir(), 'emulator-'));
const rawLog = join(directory, 'raw.jsonl');
const env = {
  PATH: process.env['PATH'] ?? '',
  HOME: directory,
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLEEXAMPLE00',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_REGION: 'eu-west-1',
  AWS_DEFAULT_REGION: 'eu-west-1',
  AWS_EC2_METADATA_DISABLED: 'true',
};
beforeAll(async () => {
  emulator = await startEmulator({
    accountId: '123456789012',
    accessKeys: [{ id: env.AWS_ACCESS_KEY_ID, secret: env.AWS_SECRET_ACCESS_KEY }],
    roles: [{ name: 'Reader' }],
    hosts: 'any',
    rawLog,
  });
  await emulator.seedTable('eu-west-1', { name: 'orders', items: [{ id: { S: '1' } }] });
});
afterAll(async () => {
  await emulator.close();
  rmSync(directory, { recursive: true });
});

describe.skipIf(!hasCli)('the AWS CLI', () => {
  const aws = (...args: string[]) => run('aws', [...args, '--endpoint-url', emulator.url], { env });

  it('lists tables and reads items', async () => {
    expect(JSON.parse((await aws('dynamodb', 'list-tables')).stdout)).toEqual({ TableNames: ['orders'] });
    expect(JSON.parse((await aws('dynamodb', 'scan', '--table-name', 'orders')).stdout)).toMatchObject({ Count: 1 });
  });

  it('assumes a role, and shows a refusal in words', async () => {
    const assumed = await aws('sts', 'assume-role', '--role-arn', 'arn:aws:iam::123456789012:role/Reader', '--role-session-name', 'alice');
    expect(JSON.parse(assumed.stdout)).toMatchObject({ AssumedRoleUser: { Arn: 'arn:aws:sts::123456789012:assumed-role/Reader/alice' } });
    await expect(
      aws('sts', 'assume-role', '--role-arn', 'arn:aws:iam::123456789012:role/Admin', '--role-session-name', 'alice'),
    ).rejects.toMatchObject({
      stderr: expect.stringContaining('AccessDenied'),
    });
  });

  it('leaves a line for each request in the raw log', () => {
    const lines = readFileSync(rawLog, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly operation: string; readonly verified: boolean });
    expect(lines.map(({ operation }) => operation)).toEqual(expect.arrayContaining(['ListTables', 'Scan', 'AssumeRole']));
    expect(lines.every(({ verified }) => verified)).toBe(true);
  });
});

describe.skipIf(!hasBoto)('boto3', () => {
  it('pages through a table and reads its stream', async () => {
    const script = `
import boto3, sys
url = sys.argv[1]
db = boto3.client('dynamodb', endpoint_url=url)
db.create_table(TableName='paged', AttributeDefinitions=[{'AttributeName':'id','AttributeType':'S'}], KeySchema=[{'AttributeName':'id','KeyType':'HASH'}],
  BillingMode='PAY_PER_REQUEST', StreamSpecification={'StreamEnabled': True, 'StreamViewType': 'KEYS_ONLY'})
db.get_waiter('table_exists').wait(TableName='paged', WaiterConfig={'Delay': 1})
for i in range(7): db.put_item(TableName='paged', Item={'id': {'S': str(i)}})
pages = list(db.get_paginator('scan').paginate(TableName='paged', PaginationConfig={'PageSize': 3}))
st = boto3.client('dynamodbstreams', endpoint_url=url)
arn = st.list_streams(TableName='paged')['Streams'][0]['StreamArn']
shard = st.describe_stream(StreamArn=arn)['StreamDescription']['Shards'][0]['ShardId']
it = st.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType='TRIM_HORIZON')['ShardIterator']
print(sum(p['Count'] for p in pages), len(pages), len(st.get_records(ShardIterator=it)['Records']))
`;
    const { stdout } = await run('python3', ['-c', script, emulator.url], { env });
    expect(stdout.trim()).toBe('7 3 7');
  });
});

describe('over TLS', () => {
  it('answers where it is given a key and a certificate', async () => {
    const pem = (name: string) => readFileSync(createRequire(import.meta.url).resolve(`dynalite/ssl/server-${name}.pem`));
    const secure = await startEmulator({ accountId: '123456789012', accessKeys: [], key: pem('key'), cert: pem('crt') });
    const status = await new Promise((resolve, reject) => {
      const request = httpsRequest(
        secure.url,
        { rejectUnauthorized: false, method: 'POST', headers: { host: 'sts.us-east-1.amazonaws.com' } },
        (response) => resolve(response.resume().statusCode),
      );
      request.on('error', reject).end();
    });
    expect(secure.url).toMatch(/^https:/u);
    expect([status, secure.log().at(-1)?.refusal]).toEqual([403, 'MissingAuthenticationTokenException']);
    await secure.close();
  });
});

describe('the program', () => {
  it('starts alone, without native code, and stops on a signal', async () => {
    const program = spawn(process.execPath, ['--no-addons', join(import.meta.dirname, 'main.ts'), '--port', '0', '--table', 'orders'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const line = await new Promise<string>((resolve) => program.stderr.once('data', (chunk: Buffer) => resolve(chunk.toString())));
    expect(line).toMatch(/^AWS emulator on http:\/\/127\.0\.0\.1:\d+, account 123456789012/u);
    program.kill('SIGTERM');
    expect(await new Promise((resolve) => program.once('exit', resolve))).toBe(0);
  });
});
