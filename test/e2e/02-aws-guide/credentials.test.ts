import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACCOUNT, Cluster, KEY_ID, KEY_SECRET, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { type Daemon, freePort, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentYaml, clientEnv, openStage } from '#02-aws-guide/stage.ts';

const cannot = lacking('aws', 'openssl');
/** From when good keys are in the file. */
const BACK_MS = 30_000;

interface Keys {
  readonly id: string;
  readonly secret: string;
  readonly token?: string;
}

// They were found and not yet over, so that /readyz said ok for as long as STS refused them.
describe.skipIf(cannot !== undefined)('the agents’ own keys are there, and STS refuses them', () => {
  const cluster = new Cluster();
  const file = join(cluster.dir, 'keys-of-the-agents');
  const agents: { readonly daemon: Daemon; readonly diag: string }[] = [];
  const secrets: string[] = [KEY_SECRET];
  let tunnel = 0;

  /** A session of "AWS", whose keys say nothing of their end; one that is over already where it is wanted so. */
  const sessionKeys = async (end?: 'expired'): Promise<Keys> => {
    if (end !== undefined) await cluster.awsFault('AssumeRole', { creds: end, times: 1 });
    const host = 'sts.us-east-1.amazonaws.com';
    const form = `Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::${ACCOUNT}:role/${ROLE}&RoleSessionName=the-agent`;
    const answer = await cluster.mustSh(
      `curl -sS --aws-sigv4 aws:amz:us-east-1:sts --user '${KEY_ID}:${KEY_SECRET}' --connect-to ${host}:80:127.0.0.1:${cluster.emulatorPort} --data '${form}' http://${host}/`,
    );
    const part = (name: string) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(answer)?.[1] ?? `no ${name} in ${answer}`;
    return { id: part('AccessKeyId'), secret: part('SecretAccessKey'), token: part('SessionToken') };
  };
  const put = ({ id, secret, token }: Keys) => {
    secrets.push(secret, ...(token === undefined ? [] : [token]));
    const lines = ['[default]', `aws_access_key_id = ${id}`, `aws_secret_access_key = ${secret}`];
    writeFileSync(file, [...lines, ...(token === undefined ? [] : [`aws_session_token = ${token}`]), ''].join('\n'));
  };

  /** By way of the application's agent, of the database's agent, and for a browser: what each says where it fails. */
  const asked = [
    ['tsh aws', () => cluster.sh('tsh aws dynamodb list-tables', { env: clientEnv() }), /\(ServiceUnavailableException\)/],
    [
      'aws',
      () => cluster.sh(`aws dynamodb list-tables --endpoint-url=http://localhost:${tunnel}`, { env: cluster.awsEnv() }),
      /\(ServiceUnavailableException\)/,
    ],
    ['tsh apps console', () => cluster.sh('tsh apps console aws --print'), /STS refuses/],
  ] as const;
  const readiness = async (diag: string) => {
    const answer = await fetch(`http://${diag}/readyz`);
    return { status: answer.status, text: await answer.text() };
  };

  beforeAll(async () => {
    const first = await openStage(cluster);
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    await first.stop();

    const dynamo = `kind: role\nversion: v6\nmetadata: { name: dynamo }\nspec:\n  allow: { db_labels: { '*': '*' }, db_users: ['${ROLE}'] }\n`;
    writeFileSync(join(cluster.dir, 'dynamo.yaml'), dynamo);
    await cluster.admin('tctl create -f dynamo.yaml');
    await cluster.admin('tctl users add dora --roles=dynamo --password-stdin', { input: `${PASSWORD}\n` });
    await cluster.signIn('dora');
    const token = (await cluster.admin('tctl tokens add --type=db --db-name=example-dynamodb --db-protocol=dynamodb --format=text')).trim();

    put(await sessionKeys('expired'));
    const start = async (name: string, yaml: string) => {
      const diag = `127.0.0.1:${await freePort()}`;
      const env = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_SHARED_CREDENTIALS_FILE: file };
      const daemon = cluster.startAgent(name, yaml.replace('teleport:\n', `teleport:\n  diag_addr: ${diag}\n`), env);
      agents.push({ daemon, diag });
      // Nobody has asked for anything yet: that STS will refuse them is not known.
      await until(`${name} to be ready`, 30_000, async () => (await readiness(diag).catch(() => undefined))?.status === 200 || undefined);
    };
    await start('app-agent', agentYaml(cluster, join(cluster.dir, 'token')));
    await start(
      'db-agent',
      `version: v3
teleport:
  nodename: db-agent
  data_dir: ${join(cluster.dir, 'db-agent', 'data')}
  proxy_server: ${cluster.proxy}
  auth_token: ${token}
db_service:
  enabled: "yes"
  databases:
    - { name: example-dynamodb, protocol: dynamodb, aws: { region: us-east-1, account_id: "${ACCOUNT}" } }
`,
    );
    ({ port: tunnel } = await cluster.openTunnel('dora'));
  }, 120_000);
  afterAll(() => cluster.stop());

  it.each<[string, () => Keys | undefined, RegExp]>([
    ['expired', () => undefined, /they have expired \(ExpiredToken\)/],
    [
      'deleted',
      () => ({ id: 'AKIADELETEDDELETED00', secret: 'of-a-user-who-is-no-more' }),
      /does not know them .*\(InvalidClientTokenId\)/,
    ],
    ['of a wrong secret', () => ({ id: KEY_ID, secret: 'not-the-secret-of-it' }), /secret access key is wrong \(SignatureDoesNotMatch\)/],
  ])(
    'says why to who asks, and to whoever runs the agents, where they are %s',
    async (_what, keys, why) => {
      const other = keys();
      if (other !== undefined) put(other);
      for (const [name, ask, form] of asked) {
        const said = await until(`${name} to say why`, BACK_MS, async () => {
          const { code, stderr } = await ask();
          expect(code).not.toBe(0);
          return why.test(stderr) ? stderr : undefined;
        });
        expect(said).toMatch(form);
        expect(said).toMatch(/whoever runs it has to/);
      }
      for (const { daemon, diag } of agents) {
        const { status, text } = await readiness(diag);
        expect([daemon.name, status, text]).toEqual([daemon.name, 503, expect.stringMatching(why)]);
        expect(text).toMatch(/\(access key …\w{4}, shared files\)/);
        await daemon.says(new RegExp(`are in trouble.*${why.source}|${why.source}.*are in trouble`));
      }
    },
    120_000,
  );

  it('is over within 30 s of good keys, without a restart and without a request', async () => {
    put(await sessionKeys());
    for (const { daemon, diag } of agents)
      await until(`${daemon.name} to be ready`, BACK_MS, async () => (await readiness(diag)).status === 200 || undefined);
    for (const [name, ask] of asked) {
      const { code, stderr } = await ask();
      expect([name, code, stderr]).toEqual([name, 0, expect.anything()]);
    }
    for (const { daemon, diag } of agents) {
      expect([daemon.child.exitCode, (await readiness(diag)).status]).toEqual([null, 200]);
      await daemon.says(/credentials of this agent are there again/);
    }
  }, 120_000);

  it('was told to each log once, and none holds a secret for whoever gets to read it', () => {
    for (const { daemon } of agents) {
      const lines = daemon.log().split('\n');
      for (const code of ['ExpiredToken', 'InvalidClientTokenId', 'SignatureDoesNotMatch'])
        expect(lines.filter((line) => line.includes(code))).toHaveLength(1);
      expect(secrets.filter((secret) => daemon.log().includes(secret))).toEqual([]);
    }
  });
});
