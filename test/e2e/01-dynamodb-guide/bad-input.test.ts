import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, Cluster, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { freePort, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';

const cannot = lacking('openssl', 'jq');

describe.skipIf(cannot !== undefined)('everything typed wrong once', () => {
  const cluster = new Cluster();
  const write = (name: string, text: string) => writeFileSync(join(cluster.dir, name), text);
  const token = async (flags: string) => (await cluster.admin(`tctl tokens add ${flags} --format=text`)).trim();
  const agentYaml = (settings: {
    readonly token: string;
    readonly extra?: string;
    readonly name?: string;
    readonly dir?: string;
  }) => `version: v3
teleport:
  nodename: agent
  data_dir: ${join(cluster.dir, settings.dir ?? 'agent', 'data')}
  proxy_server: ${cluster.proxy}
  auth_token: ${settings.token}
${settings.extra ?? ''}db_service:
  enabled: "yes"
  databases:
    - name: "${settings.name ?? 'example-dynamodb'}"
      protocol: "dynamodb"
      static_labels:
        env: "dev"
      aws:
        region: "us-east-1"
        account_id: "${ACCOUNT}"
`;

  beforeAll(async () => {
    await cluster.startEmulator();
    await cluster.start();
    write(
      'access.yaml',
      `kind: role\nversion: v6\nmetadata:\n  name: dynamo\nspec:\n  allow:\n    db_labels:\n      '*': '*'\n    db_users: ['${ROLE}']\n`,
    );
    await cluster.admin('tctl create -f access.yaml');
    await cluster.admin('tctl users add alice --roles=access,editor,auditor,dynamo --password-stdin', { input: `${PASSWORD}\n` });
    await cluster.signIn();
    cluster.startAgent('agent', agentYaml({ token: await token('--type=db --db-name=example-dynamodb --db-protocol=dynamodb') }));
    await until('the database', 30_000, async () =>
      (await cluster.sh('tsh db ls')).stdout.includes('example-dynamodb') ? true : undefined,
    );
  });
  afterAll(() => cluster.stop());

  it('no pin on the second sign-in: the cluster is known by what it showed on the first; for others it is not verified', async () => {
    const pin = (await cluster.admin('tctl status')).match(/sha256:[0-9a-f]{64}/)?.[0];
    const login = (home: string, more = '') =>
      cluster.sh(`tsh login --proxy=${cluster.proxy} --user=alice ${more}`, {
        input: `${PASSWORD}\n`,
        env: { NODE_EXTRA_CA_CERTS: '', TELEPORT_HOME: join(cluster.dir, home) },
      });
    expect((await login('pinned', `--ca-pin=${pin}`)).code).toBe(0);
    expect((await login('pinned')).code).toBe(0);
    const other = await login('not-pinned');
    expect([other.code, other.stderr]).toEqual([6, expect.stringContaining('pin') as unknown]);
  });

  it('a sign-in for longer than anybody gets: it is shorter, and that is said', async () => {
    const said = await cluster.sh(`tsh login --proxy=${cluster.proxy} --user=alice --ttl=999999`, { input: `${PASSWORD}\n` });
    expect(said).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('this sign-in lasts 30h0m0s and not 999999 minutes') as unknown,
    });
  });

  it('an unknown field of a role: file, line, column and the field that was meant; nothing is stored', async () => {
    write('role.yaml', `kind: role\nversion: v6\nmetadata:\n  name: typo\nspec:\n  allow:\n    db_labelz:\n      '*': '*'\n`);
    const said = await cluster.sh('tctl create -f role.yaml');
    expect(said.code).toBe(1);
    expect(said.stderr).toMatch(/role\.yaml:7:5: .*db_labelz.*did you mean db_labels/);
    expect((await cluster.sh('tctl get role/typo')).code).toBe(5);
  });

  it('RB-06 the second of two documents wrong: the first is not stored either', async () => {
    write(
      'two.yaml',
      `kind: role\nversion: v6\nmetadata:\n  name: first\nspec: {}\n---\nkind: rolle\nversion: v6\nmetadata:\n  name: second\n`,
    );
    const said = await cluster.sh('tctl create -f two.yaml');
    expect(said.code).toBe(1);
    expect(said.stderr).toMatch(/two\.yaml:7:\d+.*rolle/);
    expect((await cluster.sh('tctl get role/first')).code).toBe(5);
  });

  it('RB-03 RB-06 an unknown version, a bad pattern, an unknown variable', async () => {
    write('version.yaml', `kind: role\nversion: v99\nmetadata:\n  name: x\nspec: {}\n`);
    expect((await cluster.sh('tctl create -f version.yaml')).stderr).toMatch(/version\.yaml:2:\d+.*v99/);
    write('pattern.yaml', `kind: role\nversion: v6\nmetadata:\n  name: x\nspec:\n  allow:\n    db_labels:\n      env: '^(unclosed$'\n`);
    expect((await cluster.sh('tctl create -f pattern.yaml')).stderr).toMatch(/db_labels\.env/);
    write('variable.yaml', `kind: role\nversion: v6\nmetadata:\n  name: x\nspec:\n  allow:\n    db_users: ['{{internal.nonsense}}']\n`);
    expect((await cluster.sh('tctl create -f variable.yaml')).stderr).toMatch(/internal\.nonsense/);
  });

  it('an unknown field of teleport.yaml', async () => {
    write('typo.yaml', agentYaml({ token: 'x' }).replace('static_labels', 'static_lables'));
    const said = await cluster.sh('teleport start -c typo.yaml');
    expect(said.code).toBe(1);
    expect(said.stderr).toMatch(/typo\.yaml:\d+:\d+: .*static_lables.*did you mean static_labels/);
  });

  it('a second factor that does not exist yet', async () => {
    for (const value of ['otp', 'on', undefined]) {
      write(
        'second.yaml',
        `version: v3\nteleport:\n  data_dir: ${cluster.dir}/x\nauth_service:\n  enabled: "yes"\n${value === undefined ? '' : `  authentication:\n    second_factor: ${value}\n`}`,
      );
      const said = await cluster.sh('teleport start -c second.yaml');
      expect(said.code).toBe(1);
      expect(said.stderr).toMatch(/second_factor/);
    }
  });

  it('CL-03 a busy port', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => holder.once('listening', resolve));
    const address = holder.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const said = await cluster.sh(`tsh proxy db --tunnel --port ${port} --db-user=${ROLE} example-dynamodb`);
    expect(said.code).toBe(1);
    expect(said.stderr).toContain(String(port));
    holder.close();
  });

  it('an unreadable token file', async () => {
    write('nofile.yaml', agentYaml({ token: '/nowhere/token', dir: 'agent-nofile' }));
    const said = await cluster.sh('teleport start -c nofile.yaml');
    expect(said.code).not.toBe(0);
    expect(said.stderr).toContain('/nowhere/token');
  });

  it('a wrong, an expired and a mistyped token: one text for the joiner, the cause in the audit log', async () => {
    const proxyToken = await token('--type=proxy');
    const expired = await token('--type=db --db-name=example-dynamodb --ttl=1s');
    await new Promise((resolve) => setTimeout(resolve, 1200));
    const texts = new Set<string>();
    for (const [n, value] of ['0123456789abcdef0123456789abcdef', proxyToken, expired].entries()) {
      write(`join-${n}.yaml`, agentYaml({ token: value, dir: `agent-join-${n}` }));
      const said = await cluster.sh(`timeout 20 teleport start -c join-${n}.yaml`);
      expect(said.code).not.toBe(0);
      expect(said.stderr).not.toContain(value);
      texts.add(said.stderr.match(/cannot join[^\n"]*/)?.[0] ?? said.stderr);
    }
    expect([...texts]).toHaveLength(1);
    const causes = JSON.parse(await cluster.mustSh('tctl audit ls --kind=instance.join -f json')) as Record<string, unknown>[];
    expect(new Set(causes.filter((event) => event['success'] === false).map((event) => event['error'])).size).toBeGreaterThanOrEqual(3);
  });

  // It was listed as if it were served, and could not be logged in to.
  it('a database that its token does not bind: users do not see it, administrators see why', async () => {
    const bound = await token('--type=db --db-name=example-dynamodb --db-protocol=dynamodb');
    cluster.startAgent('agent-unbound', agentYaml({ token: bound, name: 'unbound', dir: 'agent-unbound' }));
    const listed = await until('the refusal', 30_000, async () => {
      const said = await cluster.mustSh('tctl db ls');
      return said.includes('unbound') ? said : undefined;
    });
    const [head = '', , ...rows] = listed.trimEnd().split('\n');
    expect(head).toMatch(/Version +Refused$/);
    expect(rows.find((row) => row.includes('unbound'))).toContain('unbound is not a name that this agent may serve');
    expect(rows.find((row) => row.startsWith('agent example-dynamodb'))).not.toContain('is not a name');
    const got = await cluster.sh('tctl get db_server');
    expect(got.stderr).toMatch(/db_server\/unbound is not served, since auth refused it: unbound is not a name/);
    expect(await cluster.mustSh('tsh db ls')).not.toContain('unbound');
    expect(await cluster.mustSh('tsh db ls -f json')).not.toContain('unbound');
    const login = await cluster.sh(`tsh db login --db-user=${ROLE} unbound`);
    expect(login).toMatchObject({ code: 5, stderr: expect.stringContaining('"unbound" not found') as string });
  });

  it('a wrong CA pin stops before the token is sent', async () => {
    const good = await token('--type=db --db-name=example-dynamodb');
    write('pin.yaml', agentYaml({ token: good, extra: `  ca_pin: sha256:${'0'.repeat(64)}\n`, dir: 'agent-pin' }));
    const said = await cluster.sh('timeout 20 teleport start -c pin.yaml');
    expect(said.code).not.toBe(0);
    expect(said.stderr).toMatch(/pin/);
    expect(await cluster.mustSh('tctl audit ls --kind=instance.join -f json')).not.toContain('agent-pin');
  });

  it('an unknown database, a missing --db-user, a missing --tunnel', async () => {
    const unknown = await cluster.sh(`tsh proxy db --tunnel --db-user=${ROLE} nothing-here`);
    expect(unknown.code).toBe(5);
    expect(unknown.stderr).toContain('tsh db ls');
    const missing = await cluster.sh('tsh proxy db --tunnel example-dynamodb');
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain('--db-user');
    expect(missing.stderr).toContain(ROLE);
    const noTunnel = await cluster.sh(`tsh proxy db --db-user=${ROLE} example-dynamodb`);
    expect(noTunnel.code).not.toBe(0);
    expect(noTunnel.stderr).toContain('--tunnel');
  });

  it('not signed in, and a sign-in that has expired', async () => {
    const nobody = await cluster.sh('tsh db ls', { person: 'stranger' });
    expect(nobody.code).toBe(3);
    expect(nobody.stderr).toContain('tsh login');
    await cluster.admin('tctl users add shortly --roles=access --password-stdin', { input: `${PASSWORD}\n` });
    write('short.yaml', `kind: role\nversion: v6\nmetadata:\n  name: short\nspec:\n  options:\n    max_session_ttl: 2s\n  allow: {}\n`);
    await cluster.admin('tctl create -f short.yaml && tctl users update shortly --set-roles=short');
    await cluster.signIn('shortly');
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const late = await cluster.sh('tsh db ls', { person: 'shortly' });
    expect(late.code).toBe(3);
    expect(late.stderr).toMatch(/expired/);
  });

  it('a flag that does not exist is a usage error with a suggestion', async () => {
    const said = await cluster.sh('tsh proxy db --tunel example-dynamodb');
    expect(said.code).toBe(2);
    expect(said.stderr).toContain('--tunnel');
  });

  it('LG-03 a wrong password and an unknown user get the same answer', async () => {
    const wrong = await cluster.sh(`tsh login --proxy=${cluster.proxy} --user=alice`, { person: 'x', input: 'not it at all\n' });
    const unknown = await cluster.sh(`tsh login --proxy=${cluster.proxy} --user=nobody`, { person: 'x', input: 'not it at all\n' });
    expect(wrong.code).not.toBe(0);
    expect(wrong.code).toBe(unknown.code);
    expect(wrong.stderr).toBe(unknown.stderr.replaceAll('nobody', 'alice'));
  });

  it('bodies and headers over the limit, duplicate keys, unknown operations: AWS-shaped, and AWS sees none of it', async () => {
    const { port } = await cluster.openTunnel('alice', { port: await freePort() });
    const before = cluster.dynamoDbAtAws().length;
    const send = async (target: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) => {
      const answer = await fetch(`http://localhost:${port}/`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': target, ...headers },
        body,
      });
      return { status: answer.status, body: await answer.text() };
    };
    expect(await send('DynamoDB_20120810.PutItem', new Uint8Array(18 * 1024 * 1024))).toMatchObject({
      status: 413,
      body: expect.stringContaining('__type') as unknown,
    });
    expect(await send('DynamoDB_20120810.GetItem', '{"TableName":"a","TableName":"b"}')).toMatchObject({
      status: 400,
      body: expect.stringContaining('ValidationException') as unknown,
    });
    expect(await send('DynamoDB_20120810.DropEverything', '{}')).toMatchObject({
      status: 400,
      body: expect.stringContaining('DropEverything') as unknown,
    });
    expect(await send('Kinesis_20131202.PutRecord', '{}')).toMatchObject({ status: 400 });
    expect((await send('DynamoDB_20120810.ListTables', '{}', { 'x-big': 'x'.repeat(20_000) })).status).toBeGreaterThanOrEqual(400);
    expect(cluster.dynamoDbAtAws()).toHaveLength(before);
  });

  it('CL-05 a profile that others may write is not used', async () => {
    chmodSync(cluster.homeOf('alice'), 0o777);
    const said = await cluster.sh('tsh status');
    chmodSync(cluster.homeOf('alice'), 0o700);
    expect(said.code).not.toBe(0);
    expect(said.stderr).toMatch(/permission/i);
  });
});
