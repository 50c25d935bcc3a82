import { Agent } from 'node:http';
import { join } from 'node:path';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { freePort } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { clientEnv, openStage, ROLE_ARN } from './stage.ts';

const cannot = lacking('aws', 'boto3');
const READER = `arn:aws:iam::${ACCOUNT}:role/team/Reader`;
const ELSEWHERE = `arn:aws:iam::999999999999:role/${ROLE}`;
const sessionOf = (roleArn: string) => {
  const [, account = '', name = ''] = /::(\d+):role\/(?:.*\/)?([^/]+)$/.exec(roleArn) ?? [];
  return `arn:aws:sts::${account}:assumed-role/${name}/alice`;
};

describe.skipIf(cannot !== undefined)('several roles of one application', () => {
  const cluster = new Cluster();
  const env = () => ({ ...clientEnv(), AWS_CONFIG_FILE: join(cluster.dir, 'aws-config') });
  const whoAmI = async (line: string) =>
    (JSON.parse(await cluster.mustSh(`${line} sts get-caller-identity`, { env: env() })) as { Arn: string }).Arn;
  let port = 0;

  beforeAll(async () => {
    await openStage(cluster, { arns: [ROLE_ARN, READER, ELSEWHERE] });
    port = await freePort();
  });
  afterAll(async () => {
    await cluster.sh('tsh down');
    await cluster.stop();
  });

  it('another login switches the role, and --aws-role is for one command alone', async () => {
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE_ARN} aws`);
    expect(await whoAmI('tsh aws')).toBe(sessionOf(ROLE_ARN));
    await cluster.mustSh('tsh apps login --aws-role Reader aws');
    expect(await whoAmI('tsh aws')).toBe(sessionOf(READER));
    expect(await whoAmI(`tsh aws --aws-role ${ELSEWHERE}`)).toBe(sessionOf(ELSEWHERE));
    expect(await whoAmI('tsh aws')).toBe(sessionOf(READER));
  });

  it('a name that two accounts have is asked for as an ARN', async () => {
    const said = await cluster.sh(`tsh apps login --aws-role ${ROLE} aws`);
    expect(said.code).toBe(1);
    for (const arn of [ROLE_ARN, ELSEWHERE]) expect(said.stderr).toContain(arn);
  });

  it('one local port serves roles of two accounts, each by its profile, in one process', async () => {
    for (const [name, arn] of Object.entries({ here: ROLE_ARN, reader: READER, there: ELSEWHERE }))
      await cluster.mustSh(`tsh aws configure --aws-role ${arn} --profile ${name} --region us-east-1`, { env: env() });
    await cluster.mustSh(`tsh up --port ${port}`, { env: env() });
    const told = await cluster.mustSh(`python3 ${join(import.meta.dirname, 'clients.py')} profiles here reader there here`, { env: env() });
    expect(JSON.parse(told)).toEqual({ arns: [ROLE_ARN, READER, ELSEWHERE, ROLE_ARN].map(sessionOf) });
  });

  it('requests that take turns on one connection are each of the role whose key signs them', async () => {
    const httpAgent = new Agent({ keepAlive: true, maxSockets: 1 });
    const clientOf = async (roleArn: string) => {
      const printed = await cluster.mustSh(`tsh apps config aws --aws-role ${roleArn} --format=aws-credential-process`);
      const { AccessKeyId, SecretAccessKey } = JSON.parse(printed) as { AccessKeyId: string; SecretAccessKey: string };
      const credentials = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey };
      return new DynamoDBClient({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials, requestHandler: { httpAgent } });
    };
    const roles = [ROLE_ARN, ELSEWHERE, ELSEWHERE, ROLE_ARN, READER, ROLE_ARN];
    const clients = new Map(await Promise.all([ROLE_ARN, READER, ELSEWHERE].map(async (arn) => [arn, await clientOf(arn)] as const)));
    const before = cluster.dynamoDbAtAws().length;
    for (const arn of roles) await clients.get(arn)?.send(new ListTablesCommand({}));
    expect(
      cluster
        .dynamoDbAtAws()
        .slice(before)
        .map(({ identity }) => identity?.arn),
    ).toEqual(roles.map(sessionOf));
    await expect.poll(() => Object.values(httpAgent.freeSockets).flat().length).toBe(1);
    httpAgent.destroy();
  });

  it('a logout takes out the profiles of every role, and ends what is open', async () => {
    expect(await cluster.mustSh('tsh apps logout', { env: env() })).toBe('Logged out of all apps.\n');
    const said = await cluster.sh('aws --profile here sts get-caller-identity', { env: env() });
    expect(said.code).not.toBe(0);
    expect(said.stderr).toContain('here');
  });
});
