import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { freePort } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { clientEnv, type OpenDoor, openDoor, openStage } from './stage.ts';

const here = import.meta.dirname;
const cannot = lacking('boto3');
const OTHER_ACCOUNT = '999999999999';
const DYNAMODB = 'dynamodb.us-east-1.amazonaws.com';

describe.skipIf(cannot !== undefined)('the attackers at an application', () => {
  const cluster = new Cluster();
  let door: OpenDoor;
  /** Of signed requests; the agent's own AssumeRole is not one of them. */
  const atAws = () => cluster.rawLog().filter(({ service }) => service !== 'sts').length;
  const python = async (action: string, env: Record<string, string>) =>
    JSON.parse(await cluster.mustSh(`python3 ${join(here, 'clients.py')} ${action}`, { env: clientEnv(env) })) as Record<string, unknown>;
  /** A request that curl signs, as whoever has the keys can word it. */
  const curl = async (args: string, env: Record<string, string> = {}) => {
    const line = `curl -sS --max-time 20 --proxy "$HTTPS_PROXY" --cacert "$AWS_CA_BUNDLE" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" ${args}`;
    const { stdout, stderr } = await cluster.sh(line, { env: { ...door.env, ...env } });
    return stdout + stderr;
  };
  const listTables = (service: string) =>
    `--aws-sigv4 aws:amz:us-east-1:${service} -H 'X-Amz-Target: DynamoDB_20120810.ListTables' -H 'Content-Type: application/x-amz-json-1.0' -d '{}'`;

  beforeAll(async () => {
    await openStage(cluster);
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    door = await openDoor(cluster);
  });
  afterAll(async () => {
    await cluster.sh('tsh down');
    await cluster.stop();
  });

  it('the honest holder gets through, so that the refusals below mean something', async () => {
    const before = atAws();
    expect(await curl(`${listTables('dynamodb')} https://${DYNAMODB}/`)).toBe('{"TableNames":[]}');
    expect(atAws()).toBe(before + 1);
  });

  it('CL-03 another local user who has the port but not the keys, or the id alone', async () => {
    const before = atAws();
    const other = { ...door.env, AWS_ACCESS_KEY_ID: 'AKIAAAAAAAAAAAAAAAAA' };
    expect(await python('refused', other)).toMatchObject({ code: 'UnrecognizedClientException' });
    const guessed = { ...door.env, AWS_SECRET_ACCESS_KEY: 'x'.repeat(40) };
    expect(await python('refused', guessed)).toMatchObject({ code: 'InvalidSignatureException' });
    expect(await curl(`-X POST -d '{}' https://${DYNAMODB}/ --user :`)).not.toContain('TableNames');
    expect(atAws()).toBe(before);
  });

  it('CL-04 CONNECT to one host and TLS to another, or Host of another', async () => {
    const before = atAws();
    const cut = await new Promise<string>((resolve) => {
      const socket = connect(door.port, '127.0.0.1', () =>
        socket.write(`CONNECT ${DYNAMODB}:443 HTTP/1.1\r\nHost: ${DYNAMODB}:443\r\n\r\n`),
      );
      socket.once('data', () => {
        const secure = connectTls({ socket, servername: 'sts.us-east-1.amazonaws.com', rejectUnauthorized: false });
        secure.on('error', () => undefined).on('close', () => resolve('cut'));
      });
    });
    expect(cut).toBe('cut');
    expect(await curl(`${listTables('dynamodb')} -H 'Host: dynamodb.eu-west-1.amazonaws.com' https://${DYNAMODB}/`)).not.toContain(
      'TableNames',
    );
    expect(atAws()).toBe(before);
  });

  it('CL-04 a plain request for a page of the machine’s own network, and CONNECT to its own metadata', async () => {
    const plain = await cluster.sh(`curl -sS -i --proxy http://127.0.0.1:${door.port} http://169.254.169.254/latest/meta-data/`);
    expect(plain.stdout).toMatch(/^HTTP\/1\.1 400 /);
    const tunnelled = await cluster.sh(
      `curl -sS --proxytunnel --proxy http://127.0.0.1:${door.port} http://169.254.169.254/latest/meta-data/`,
    );
    expect(tunnelled.stderr).toContain('403');
  });

  it('a scope of another service, and of another region than the host’s', async () => {
    const before = atAws();
    expect(await curl(`${listTables('s3')} https://${DYNAMODB}/`)).toMatch(/scoped|service/);
    expect(await curl(`${listTables('dynamodb').replace('us-east-1', 'eu-west-1')} https://${DYNAMODB}/`)).toMatch(/scoped|region/);
    expect(atAws()).toBe(before);
  });

  it('a host that only ends like one of AWS’s is none of it', async () => {
    const before = atAws();
    for (const host of [`${DYNAMODB}.evil.example`, 'evilamazonaws.com', 'attacker.execute-api.us-east-1.amazonaws.com'])
      expect(await curl(`${listTables('dynamodb')} https://${host}/`)).not.toContain('TableNames');
    expect(atAws()).toBe(before);
  });

  it.each([
    ['a role that was not granted', 'Admin', /"Admin"/],
    ['a role of the same name in another account', `arn:aws:iam::${OTHER_ACCOUNT}:role/${ROLE}`, new RegExp(OTHER_ACCOUNT)],
    ['a pattern', '*', /"\*"/],
  ])('%s', async (_what, role, words) => {
    const said = await cluster.sh(`tsh apps login --aws-role '${role}' aws`);
    expect(said.code).not.toBe(0);
    expect(said.stderr).toMatch(words);
    expect(said.stderr).toContain(`arn:aws:iam::${ACCOUNT}:role/${ROLE}`);
  });

  it('a page of the console that is somebody else’s', async () => {
    for (const destination of ['https://evil.example/', 'https://console.aws.amazon.com.evil.example/', 'https://console.amazonaws.cn/']) {
      const said = await cluster.sh(`tsh apps console aws --print --destination='${destination}'`);
      expect(said).toMatchObject({ stdout: '' });
      expect(said.code).not.toBe(0);
    }
  });

  it('CL-01 a browser’s page at the port of tsh up, and whoever names a key that he has not the secret of', async () => {
    const port = await freePort();
    await cluster.mustSh(`tsh up --port ${port}`);
    const before = atAws();
    const status = async (args: string) =>
      (await cluster.sh(`curl -sS -o /dev/null -w '%{http_code}' --aws-sigv4 aws:amz:us-east-1:s3 ${args} http://127.0.0.1:${port}/`))
        .stdout;
    const { AWS_ACCESS_KEY_ID: id = '', AWS_SECRET_ACCESS_KEY: secret = '' } = door.env;
    const user = `--user '${id}:${secret}'`;
    for (const shown of [
      'Origin: https://evil.example',
      'Sec-Fetch-Site: cross-site',
      `Host: evil.example:${port}`,
      'Host: s3.amazonaws.com',
    ])
      expect({ shown, status: await status(`${user} -H '${shown}'`) }).toEqual({ shown, status: '403' });
    expect(await status(`--user '${id}:${'x'.repeat(40)}'`)).toBe('403');
    expect(await status(`--user 'AKIAAAAAAAAAAAAAAAAA:${secret}'`)).toBe('403');
    expect(atAws()).toBe(before);
    expect(await status(user)).toBe('200');
  });
});
