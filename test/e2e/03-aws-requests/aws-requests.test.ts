import { connect } from 'node:net';
import { join } from 'node:path';
import { ACCOUNT, Cluster, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { type Daemon, freePort, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const here = import.meta.dirname;
const cannot = lacking('aws', 'boto3', 'openssl', 'jq');
const ARN = `arn:aws:iam::${ACCOUNT}:role/${ROLE}`;

describe.skipIf(cannot !== undefined)('requests to AWS', () => {
  const cluster = new Cluster();
  let port = 0;
  let door: Daemon;
  let keys: NodeJS.ProcessEnv = {};

  /** Opens the forward proxy; its variables as it prints them. */
  async function openDoor(): Promise<NodeJS.ProcessEnv> {
    port = await freePort();
    door = cluster.daemon(`door-${port}`, ['tsh', 'proxy', 'aws', '--port', String(port), '--format', 'text'], {
      TELEPORT_HOME: cluster.homeOf('alice'),
    });
    await door.says(/HTTPS_PROXY=/);
    const said = door.log().matchAll(/^ {2}([A-Z_]+)=(.*)$/gm);
    return Object.fromEntries([...said].map(([, name = '', value = '']) => [name, value]));
  }
  const python = async (action: string, env: NodeJS.ProcessEnv = keys) =>
    JSON.parse(
      await cluster.mustSh(`python3 ${join(here, 'tricky.py')} ${action}`, { env: cluster.awsEnv(env), timeoutMs: 120_000 }),
    ) as Record<string, unknown>;
  const events = async () =>
    JSON.parse(await cluster.admin('tctl audit ls --kind=app.session.request --limit=10000 -f json')) as Record<string, unknown>[];

  beforeAll(async () => {
    await cluster.startEmulator();
    await cluster.start();
    await cluster.admin('tctl create -f', {
      input: `kind: role
version: v6
metadata: { name: aws-access }
spec:
  allow:
    app_labels: { '*': '*' }
    aws_role_arns: ['${ARN}']
`,
    });
    await cluster.admin('tctl users add alice --roles=access,aws-access --password-stdin', { input: `${PASSWORD}\n` });
    await cluster.signIn();
    const printed = await cluster.admin('tctl tokens add --type=app --app-name=aws --app-uri=https://console.aws.amazon.com/console/home');
    cluster.startAgent(
      'agent',
      `version: v3
teleport:
  data_dir: ${join(cluster.dir, 'agent', 'data')}
  proxy_server: ${cluster.proxy}
  auth_token: ${printed.match(/[0-9a-f]{32}/)?.[0]}
app_service:
  enabled: "yes"
  apps:
    - name: aws
      uri: https://console.aws.amazon.com/console/home
`,
    );
    await until('the application to be listed', 30_000, async () =>
      (await cluster.sh('tsh apps ls')).stdout.includes('aws') ? true : undefined,
    );
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    keys = await openDoor();
  }, 120_000);
  afterAll(() => cluster.stop());

  it('keep the keys of objects to the byte', async () => {
    expect(await python('objects')).toEqual({ keys: 9 });
    const paths = cluster.rawLog().map((entry) => (entry as unknown as { path: string }).path);
    expect(paths).toEqual(
      expect.arrayContaining([expect.stringContaining('a%20b%2Bc%252F%3D'), expect.stringMatching(/^\/a\/\/b(?:\?|$)/)]),
    );
  }, 120_000);

  it('carry bodies of every kind', async () => {
    expect(await python('uploads')).toEqual({ missing: '404', empty: 0 });
    const copied = await cluster.mustSh('head -c 9000000 /dev/zero | aws s3 cp - s3://files/pipe && aws s3 cp s3://files/pipe - | wc -c', {
      env: cluster.awsEnv(keys),
      timeoutMs: 120_000,
    });
    expect(copied.trim().split('\n').at(-1)?.trim()).toBe('9000000');
  }, 180_000);

  it('speak every protocol, in every region', async () => {
    expect(await python('services')).toEqual({
      sts: `arn:aws:sts::${ACCOUNT}:assumed-role/${ROLE}/alice`,
      dynamodb: [],
      elsewhere: [],
      iam: true,
      missing: 'ResourceNotFoundException',
    });
  }, 60_000);

  it('were each signed by the role’s own credentials, for alice, and stand in the audit log before and after', async () => {
    const theirs = cluster.rawLog().filter(({ identity }) => identity?.arn.includes(':assumed-role/') === true);
    expect(theirs.length).toBeGreaterThan(30);
    expect(theirs.filter(({ verified, identity }) => !verified || identity?.arn.endsWith(`${ROLE}/alice`) !== true)).toEqual([]);
    expect(JSON.stringify(cluster.rawLog())).not.toContain(keys['AWS_ACCESS_KEY_ID']);
    const told = await until('the events to have come to auth', 30_000, async () => {
      const all = await events();
      return all.some((event) => event['operation'] === 'ListUsers' && event['phase'] === 'outcome') ? all : undefined;
    });
    const uploads = told.filter((event) => event['operation'] === 'PutObject');
    expect(uploads.filter((event) => event['phase'] === 'intent')).toHaveLength(uploads.length / 2);
    expect(uploads.at(-1)).toMatchObject({ user: 'alice', aws_service: 's3', aws_role_arn: ARN });
  }, 60_000);

  it('of the attackers are refused: keys that nobody has, of another day, or for a role that was not granted', async () => {
    const before = cluster.rawLog().length;
    const stranger = await python('refused', { ...keys, AWS_SECRET_ACCESS_KEY: 'guessed-by-another-user' });
    expect(JSON.stringify(stranger)).toMatch(/does not match/);
    expect(JSON.stringify(stranger)).not.toContain('not refused');
    const other = await python('refused', { ...keys, AWS_ACCESS_KEY_ID: 'AKIAYESTERDAY2345678' });
    expect(JSON.stringify(other)).toMatch(/not known here/);
    const role = await cluster.sh(`tsh aws --aws-role arn:aws:iam::${ACCOUNT}:role/Admin sts get-caller-identity`);
    expect(role.code).not.toBe(0);
    expect(cluster.rawLog()).toHaveLength(before);
  }, 120_000);

  it('of twelve hours are asked for less than the certificate has, and AWS’s own limit is told in its words', async () => {
    expect(await python(`twelve_hours ${ARN}`)).toEqual({
      code: 'ValidationError',
      says: expect.stringContaining('role chaining') as unknown,
    });
    const asked = cluster
      .rawLog()
      .findLast(({ operation, identity }) => operation === 'AssumeRole' && identity?.arn.endsWith('/alice') === true);
    const { parameters } = asked as unknown as { readonly parameters: Readonly<Record<string, string>> };
    expect(Number(parameters['DurationSeconds'])).toBeLessThan(12 * 3600);
  }, 60_000);

  it('to what only looks like AWS go nowhere through the agent', async () => {
    const before = cluster.rawLog().length;
    for (const host of ['evil.example.amazonaws.com.invalid', 'ec2-1-2-3-4.compute-1.amazonaws.com', '169.254.169.254'])
      expect(await connectTo(host)).not.toMatch(/^HTTP\/1\.1 200/);
    expect(cluster.rawLog()).toHaveLength(before);
  }, 60_000);

  it('are refused once the application is logged out of', async () => {
    await cluster.mustSh('tsh apps logout aws');
    await until('the door to close', 30_000, async () => ((await connectTo('sts.us-east-1.amazonaws.com')) === '' ? true : undefined));
    await door.exited;
  }, 60_000);

  /** The first words of the forward proxy's answer to CONNECT; nothing where nobody listens. */
  function connectTo(host: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`));
      let said = '';
      const done = () => {
        socket.destroy();
        resolve(said);
      };
      socket.setTimeout(5000, done);
      socket.on('data', (bytes) => {
        said += bytes.toString('latin1');
        done();
      });
      socket.on('error', done);
      socket.on('close', done);
    });
  }
});
