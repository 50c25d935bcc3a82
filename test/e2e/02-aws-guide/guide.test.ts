import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, Cluster, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { freePort, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { clientEnv, type OpenDoor, openDoor, ROLE_ARN, roleYaml, startAppAgent } from './stage.ts';

const here = import.meta.dirname;
const cannot = lacking('aws', 'boto3', 'openssl', 'jq');
const SESSION_ARN = `arn:aws:sts::${ACCOUNT}:assumed-role/${ROLE}/alice`;

describe.skipIf(cannot !== undefined)('the guide for AWS applications, typed as it stands', () => {
  const cluster = new Cluster();
  let printed = '';
  let door: OpenDoor;
  const python = async (action: string, env: Record<string, string>) =>
    JSON.parse(await cluster.mustSh(`python3 ${join(here, 'clients.py')} ${action}`, { env: clientEnv(env) })) as Record<string, unknown>;

  beforeAll(async () => {
    await cluster.startEmulator();
    await cluster.start();
    await cluster.admin('tctl users add alice --roles=access,auditor,editor --password-stdin', { input: `${PASSWORD}\n` });
    await cluster.signIn();
  });
  afterAll(async () => {
    await cluster.sh('tsh down');
    await cluster.stop();
  });

  it('creates the role of step 2 and gives it to the local user, who signs in again', async () => {
    writeFileSync(join(cluster.dir, 'aws-dynamodb-access.yaml'), roleYaml());
    expect(await cluster.mustSh('tctl create -f aws-dynamodb-access.yaml')).toMatch(/aws-dynamodb-access.*has been created/);
    await cluster.mustSh(`ROLES=$(tsh status -f json | jq -r '.active.roles | join(",")')
      tctl users update $(tsh status -f json | jq -r '.active.username') \\
        --set-roles "\${ROLES?},aws-dynamodb-access"`);
    await cluster.mustSh('tsh logout');
    await cluster.signIn();
    expect(await cluster.mustSh('tsh status -f json | jq -r ".active.roles[]"')).toContain('aws-dynamodb-access');
  });

  it('makes a token and starts the agent of step 3 with it', async () => {
    printed = await cluster.mustSh(`tctl tokens add \\
    --type=app \\
    --app-name=aws \\
    --app-uri=https://console.aws.amazon.com/console/home`);
    await startAppAgent(cluster, printed);
    expect(await cluster.mustSh('tsh apps ls')).toMatch(/^Application +Description +Type +Public Address +Labels$/m);
    await cluster.mustSh('tsh apps ls -f json | jq -e \'.[] | select(.metadata.name == "aws")\'');
  });

  it('logs in to the application by the role’s name, and again by its ARN', async () => {
    const expected = 'Logged into AWS app aws. Example AWS CLI command:\n\n$ tsh aws s3 ls\n';
    expect(await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`)).toBe(expected);
    expect(await cluster.mustSh(`tsh apps login --aws-role ${ROLE_ARN} aws`)).toBe(expected);
    expect(await cluster.mustSh('tsh apps ls')).toMatch(/^> aws /m);
  });

  it('lists tables and buckets with tsh aws, and leaves with the exit code of the program', async () => {
    expect(JSON.parse(await cluster.mustSh('tsh aws dynamodb list-tables', { env: clientEnv() }))).toEqual({ TableNames: [] });
    await cluster.mustSh('tsh aws s3 ls', { env: clientEnv() });
    const who = JSON.parse(await cluster.mustSh('tsh aws sts get-caller-identity', { env: clientEnv() })) as { Arn: string };
    expect(who.Arn).toBe(SESSION_ARN);
    // The first version of the AWS CLI says 255 where the second says 254.
    expect([254, 255]).toContain((await cluster.sh('tsh aws dynamodb describe-table --table-name none', { env: clientEnv() })).code);
    expect((await cluster.sh("tsh aws --exec sh -c 'exit 7'")).code).toBe(7);
    expect((await cluster.sh("tsh aws --exec sh -c 'kill -TERM $$'")).code).toBe(128 + 15);
  });

  it('starts the proxy on the port that is asked for, with the four lines of the guide', async () => {
    const port = await freePort();
    door = await openDoor(cluster, port);
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_CA_BUNDLE, HTTPS_PROXY } = door.env;
    expect(door.daemon.log()).toBe(
      [
        `Started AWS proxy on http://127.0.0.1:${port}.`,
        '',
        'Use the following credentials and HTTPS proxy setting to connect to the proxy:',
        `  AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID}`,
        `  AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY}`,
        `  AWS_CA_BUNDLE=${AWS_CA_BUNDLE}`,
        `  HTTPS_PROXY=http://127.0.0.1:${port}`,
        '',
      ].join('\n'),
    );
    expect(HTTPS_PROXY).toBe(`http://127.0.0.1:${port}`);
    expect(AWS_ACCESS_KEY_ID).toMatch(/^AKIA[A-Z2-7]{16}$/);
    expect(AWS_SECRET_ACCESS_KEY).toHaveLength(40);
    expect(AWS_CA_BUNDLE).toMatch(/\/aws-localca\.pem$/);
    expect(statSync(AWS_CA_BUNDLE ?? '').mode & 0o777).toBe(0o600);
    expect(readFileSync(AWS_CA_BUNDLE ?? '', 'utf8')).not.toContain('PRIVATE');
  });

  it('serves the guide’s boto3 lines, S3 and the AWS CLI in their environment', async () => {
    expect(await python('tables', door.env)).toEqual({ TableNames: [] });
    expect(await python('whoami', door.env)).toEqual({ Arn: SESSION_ARN });
    const { same, presigned } = await python('objects', door.env);
    expect(same).toBe(true);
    const got = await cluster.mustSh(`curl -sS --proxy "$HTTPS_PROXY" --cacert "$AWS_CA_BUNDLE" '${String(presigned)}' | wc -c`, {
      env: door.env,
    });
    expect(Number(got)).toBe(9_000_000);
    const listed = await cluster.mustSh('aws s3 ls s3://files --recursive', { env: clientEnv(door.env) });
    expect(listed).toContain('9000000 a b/+%2F');
    await cluster.mustSh('aws dynamodb list-tables --region eu-west-1', { env: clientEnv(door.env) });
  });

  it('serves the AWS SDK for JavaScript, whose agent is told of the proxy and the bundle', async () => {
    const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_CA_BUNDLE = '', HTTPS_PROXY = '' } = door.env;
    const client = new DynamoDBClient({
      region: 'us-east-1',
      credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
      requestHandler: { httpsAgent: new Agent({ keepAlive: true, proxyEnv: { HTTPS_PROXY }, ca: readFileSync(AWS_CA_BUNDLE) }) },
    });
    for (let n = 0; n < 3; n += 1) expect((await client.send(new ListTablesCommand({}))).TableNames).toEqual([]);
    client.destroy();
  });

  it('keeps the keys where the proxy is stopped and started again', async () => {
    expect(await door.daemon.stop('SIGINT')).toBe(0);
    const before = door.env;
    door = await openDoor(cluster, door.port);
    expect(door.env).toEqual(before);
    expect(await python('tables', before)).toEqual({ TableNames: [] });
  });

  it('opens the console under the role: the page shows who is signed in, and the address is printed only when asked for', async () => {
    const url = (await cluster.mustSh(`tsh apps console aws --aws-role ${ROLE} --print`)).trim();
    expect(url).toMatch(/^https:\/\/signin\.aws\.amazon\.com\/federation\?Action=login&/);
    const at = url.replace('https://signin.aws.amazon.com', cluster.emulatorUrl);
    const page = await cluster.mustSh(`curl -sSL -c jar -b jar '${at}'`);
    expect(page).toContain(`${ROLE}/alice`);
    const opened = join(cluster.dir, 'opened');
    const browser = `#!/bin/sh\nprintf %s "$1" > ${opened}-with\nexec curl -s -o ${opened}-page -w '%{redirect_url}' "$1" > ${opened}\n`;
    writeFileSync(join(cluster.dir, 'browser'), browser, { mode: 0o755 });
    const said = await cluster.sh(`tsh apps console aws --aws-role ${ROLE} --browser=${join(cluster.dir, 'browser')}`);
    expect(said).toMatchObject({ code: 0, stdout: '' });
    const led = await until('the browser to be led on', 10_000, () => readFileSync(opened, 'utf8') || undefined);
    expect(led).toMatch(/^https:\/\/signin\.aws\.amazon\.com\//);
    expect(said.stderr).not.toContain('SigninToken');
    // Every user of the machine may read the arguments of a browser.
    expect(readFileSync(`${opened}-with`, 'utf8')).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}$/);
  });

  describe('without a proxy', () => {
    const config = () => join(cluster.dir, 'aws-config');
    const profileEnv = (extra: Record<string, string> = {}) => ({ ...clientEnv(extra), AWS_CONFIG_FILE: config() });

    it('writes a profile into the person’s configuration, and serves it from the background', async () => {
      writeFileSync(config(), '[default]\nregion = eu-west-1\n');
      const said = await cluster.mustSh(`tsh aws configure --aws-role ${ROLE} --profile dynamo --region us-east-1`, { env: profileEnv() });
      expect(said).toContain('Wrote profile "dynamo"');
      expect(readFileSync(config(), 'utf8')).toMatch(/^\[default\]\nregion = eu-west-1\n\n# BEGIN postern/);
      expect(await cluster.mustSh(`tsh up --port ${await freePort()}`, { env: profileEnv() })).toMatch(
        /^Serving every application and role on /,
      );
      expect(await cluster.mustSh('tsh up', { env: profileEnv() })).toMatch(/^Already up on /);
      const again = await cluster.mustSh(`tsh aws configure --aws-role ${ROLE} --profile dynamo --region us-east-1`, { env: profileEnv() });
      expect(again).toMatch(/tsh up serves it already:\n\n\$ aws --profile dynamo s3 ls\n$/);
    });

    it('serves the AWS CLI, boto3 and the AWS SDK for JavaScript unmodified', async () => {
      const env = profileEnv({ AWS_PROFILE: 'dynamo' });
      expect(JSON.parse(await cluster.mustSh('aws dynamodb list-tables', { env }))).toEqual({ TableNames: [] });
      expect(await cluster.mustSh('aws s3 ls s3://files --recursive', { env })).toContain('9000000 a b/+%2F');
      await cluster.mustSh('head -c 9000000 /dev/zero > zeros && aws s3 cp zeros s3://files/zeros', { env });
      expect(JSON.parse(await cluster.mustSh(`python3 ${join(here, 'clients.py')} whoami`, { env }))).toEqual({ Arn: SESSION_ARN });
      const script = `import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
        console.log(JSON.stringify((await new DynamoDBClient({}).send(new ListTablesCommand({}))).TableNames));`;
      const node = `cd ${here} && ${process.execPath} --input-type=module -e "$SCRIPT"`;
      expect(await cluster.mustSh(node, { env: { ...env, SCRIPT: script } })).toBe('[]\n');
    });

    it('is not waited for by a program while nobody serves it', async () => {
      const env = profileEnv({ AWS_PROFILE: 'dynamo' });
      expect(await cluster.mustSh('tsh down')).toMatch(/^Stopped serving port \d+\.\n$/);
      const said = await cluster.sh('aws dynamodb list-tables', { env });
      expect(said.code).not.toBe(0);
      expect(said.stderr).toContain('nothing serves the local port of this profile: run tsh up');
      await cluster.mustSh('tsh up', { env });
      expect(JSON.parse(await cluster.mustSh('aws dynamodb list-tables', { env }))).toEqual({ TableNames: [] });
    });

    it('goes on after another sign-in, for programs that ask for credentials then', async () => {
      const said = await cluster.sh(`tsh login --proxy=${cluster.proxy} --user=alice`, { input: `${PASSWORD}\n` });
      expect(said.stderr).toMatch(/have ended with it.*\n\n\$ tsh apps login --aws-role=arn:\S+ aws\n/s);
      const env = profileEnv({ AWS_PROFILE: 'dynamo' });
      expect(JSON.parse(await cluster.mustSh('aws dynamodb list-tables', { env }))).toEqual({ TableNames: [] });
      // What was printed before belongs to the sign-in before.
      await until('the proxy of the sign-in before to end', 10_000, () => (door.daemon.child.exitCode === null ? undefined : true));
      door = await openDoor(cluster, door.port);
    });

    it('is taken out of the configuration by a logout, which leaves the rest of it, and refused from then on', async () => {
      const { AccessKeyId, SecretAccessKey } = JSON.parse(
        await cluster.mustSh(`tsh apps config aws --aws-role ${ROLE} --format=aws-credential-process`),
      ) as { AccessKeyId: string; SecretAccessKey: string };
      const [endpoint = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(readFileSync(config(), 'utf8')) ?? [];
      const keys = clientEnv({ AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey, AWS_ENDPOINT_URL: endpoint });
      expect(await python('tables', keys)).toEqual({ TableNames: [] });
      const before = door.env;
      expect(await python('tables', before)).toEqual({ TableNames: [] });

      expect(await cluster.mustSh('tsh apps logout aws', { env: profileEnv() })).toBe('Logged out of app "aws".\n');
      expect(readFileSync(config(), 'utf8').trim()).toBe('[default]\nregion = eu-west-1');
      expect(await python('refused', keys)).toMatchObject({ code: 'UnrecognizedClientException' });
      const ended = await until('the proxy to end', 10_000, () => door.daemon.child.exitCode ?? undefined);
      expect(ended).toBe(3);
      expect(door.daemon.log()).toContain('logged out of application "aws": run tsh apps login');
      const held = readdirSync(cluster.homeOf('alice'), { recursive: true, encoding: 'utf8' });
      expect(held.filter((path) => /localca|x509|AKIA/.test(path))).toEqual([]);
      expect(existsSync(before['AWS_CA_BUNDLE'] ?? '')).toBe(false);

      // Logged in again on the same port: yesterday's keys are refused by the agent itself.
      await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
      door = await openDoor(cluster, door.port);
      expect(door.env['AWS_ACCESS_KEY_ID']).not.toBe(before['AWS_ACCESS_KEY_ID']);
      const old = { ...before, AWS_CA_BUNDLE: door.env['AWS_CA_BUNDLE'] ?? '' };
      expect(await python('refused', old)).toMatchObject({ code: 'UnrecognizedClientException' });
      expect(await cluster.mustSh('tsh down')).toMatch(/^Stopped serving port \d+\.\n$/);
    });
  });

  it('reached AWS as the assumed role, under the person’s name, each signature verified', () => {
    const calls = cluster.rawLog().filter((entry) => entry.service === 'dynamodb' || entry.service === 's3');
    expect(calls.length).toBeGreaterThan(10);
    for (const call of calls) expect(call).toMatchObject({ verified: true, identity: { arn: SESSION_ARN } });
  });
});
