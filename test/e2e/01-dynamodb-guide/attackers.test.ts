import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { AuditService, callUnary, Identity_Kind, ResourcesService } from '@postern/api';
import { createAuthority, generateKey, issueCertificate } from '@postern/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, Cluster, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { ask, dial, type Held, type HeldSession, sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { type Finished, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';

const cannot = lacking('openssl', 'jq');
const PORT = 8000;

describe.skipIf(cannot !== undefined)('the attackers', () => {
  const cluster = new Cluster();
  const write = (name: string, text: string) => writeFileSync(join(cluster.dir, name), text);
  let hostCas: string[] = [];
  let alice: Held;
  let session: HeldSession;
  const atAws = () => cluster.dynamoDbAtAws().length;
  const agentYaml = (name: string, token: string, extra = '') => `version: v3
teleport:
  nodename: ${name}
  data_dir: ${join(cluster.dir, name, 'data')}
  proxy_server: ${cluster.proxy}
  auth_token: ${token}
db_service:
  enabled: "yes"
  databases:
    - name: "example-dynamodb"
      protocol: "dynamodb"
${extra}      static_labels: { env: "dev" }
      aws: { region: "us-east-1", account_id: "${ACCOUNT}" }
`;
  const token = async (flags: string) => (await cluster.admin(`tctl tokens add --type=db ${flags} --format=text`)).trim();

  beforeAll(async () => {
    await cluster.startEmulator();
    await cluster.start();
    write(
      'dynamo.yaml',
      `kind: role\nversion: v6\nmetadata:\n  name: dynamo\nspec:\n  allow:\n    db_labels:\n      '*': '*'\n    db_users: ['${ROLE}']\n`,
    );
    await cluster.admin('tctl create -f dynamo.yaml');
    for (const user of ['alice', 'mallory']) {
      await cluster.admin(`tctl users add ${user} --roles=dynamo --password-stdin`, { input: `${PASSWORD}\n` });
      await cluster.signIn(user);
    }
    cluster.startAgent('agent', agentYaml('agent', await token('--db-name=example-dynamodb --db-protocol=dynamodb')));
    await until('the database', 30_000, async () =>
      (await cluster.sh('tsh db ls')).stdout.includes('example-dynamodb') ? true : undefined,
    );
    const found = JSON.parse(await cluster.mustSh(`curl -s --cacert web-ca.pem https://${cluster.proxy}/v1/webapi/find`)) as {
      host_ca_pems: string[];
    };
    hostCas = found.host_ca_pems;
    alice = await signInRaw(cluster.proxy, hostCas, { user: 'alice', password: PASSWORD });
    session = await sessionRaw(cluster.proxy, hostCas, alice, { db: 'example-dynamodb', principal: ROLE });
  });
  afterAll(() => cluster.stop());

  /** What the holder of `held` gets through the door of `ticket`. */
  async function through(ticket: string, held: Held | undefined): Promise<string> {
    const client = dial(cluster.proxy, sessionName(ticket), hostCas, held);
    try {
      return await ask(client, PORT);
    } catch (error) {
      return `refused: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      client.close();
    }
  }

  /** A certificate of another cluster that calls itself by the same names. */
  async function forged(options: { readonly cluster: string }): Promise<Held> {
    const nowMs = Date.now();
    const authority = await createAuthority({ kind: 'user', cluster: options.cluster, nowMs });
    const key = generateKey();
    const route = { resourceKind: 'db', resourceName: 'example-dynamodb', principal: ROLE };
    const identity = {
      kind: Identity_Kind.SESSION,
      name: 'alice',
      cluster: options.cluster,
      roles: ['dynamo'],
      traits: {},
      route,
      sessionId: session.issued.sessionId,
      secondFactor: false,
      generation: '1',
    };
    const { certificatePem } = await issueCertificate({
      authority,
      identity,
      publicKey: key.publicKeyDer,
      notAfterMs: nowMs + 3_600_000,
      nowMs,
    });
    return { certificatePem, privateKeyPem: key.privateKeyPem };
  }

  it('the honest holder gets through, so that the refusals below mean something', async () => {
    expect(await through(session.issued.ticket, session)).toContain('200 OK');
  });

  it('no certificate', async () => {
    const before = atAws();
    expect(await through(session.issued.ticket, undefined)).toMatch(/^refused/);
    expect(atAws()).toBe(before);
  });

  it('CA-02 another cluster’s certificate, and one of a twin with our own name', async () => {
    const before = atAws();
    expect(await through(session.issued.ticket, await forged({ cluster: 'elsewhere.internal' }))).toMatch(/^refused/);
    expect(await through(session.issued.ticket, await forged({ cluster: 'example.internal' }))).toMatch(/^refused/);
    expect(atAws()).toBe(before);
  });

  it('the certificate of the sign-in instead of a session’s', async () => {
    expect(await through(session.issued.ticket, alice)).toMatch(/^refused/);
  });

  it('a session certificate does not open auth, nor does a sign-in open what is an agent’s', async () => {
    const asSession = dial(cluster.proxy, 'auth.postern.internal', hostCas, session);
    await expect(
      callUnary(asSession, ResourcesService.listResources, { kind: 'user', withSecrets: true, pageSize: 0, pageToken: '' }),
    ).rejects.toMatchObject({ code: 'denied' });
    asSession.close();
    const asAlice = dial(cluster.proxy, 'auth.postern.internal', hostCas, alice);
    await expect(callUnary(asAlice, AuditService.appendEvents, { events: [] })).rejects.toMatchObject({ code: 'denied' });
    asAlice.close();
  });

  it('CA-03 CA-04 an expired certificate: the open stream ends within 5 s, a new one is refused, and so is a resumed TLS session', async () => {
    const brief = await sessionRaw(cluster.proxy, hostCas, alice, { db: 'example-dynamodb', principal: ROLE, ttlSeconds: 6 });
    const { ticket, validUntilMs } = brief.issued;
    const [host = '', port = ''] = cluster.proxy.split(':');
    const options = {
      host,
      port: Number(port),
      servername: sessionName(ticket),
      ca: hostCas,
      key: brief.privateKeyPem,
      cert: brief.certificatePem,
      ALPNProtocols: ['h2'],
      checkServerIdentity: () => undefined,
    };
    const resumable = await new Promise<Buffer | undefined>((resolve, reject) => {
      const socket = connectTls(options, () => setTimeout(() => resolve(socket.getSession()), 300));
      socket.on('error', reject);
    });
    const client = dial(cluster.proxy, sessionName(ticket), hostCas, brief);
    expect(await ask(client, PORT)).toContain('200 OK');
    const closed = new Promise<number>((resolve) => {
      const stream = connectTls({ ...options }, () => undefined);
      stream.resume();
      stream.on('close', () => resolve(Date.now()));
      stream.on('error', () => undefined);
    });
    const endedMs = await closed;
    expect(endedMs - validUntilMs).toBeLessThan(5_000);
    expect(await through(ticket, brief)).toMatch(/^refused/);
    client.close();
    const resumed = await new Promise<'open' | 'closed'>((resolve) => {
      const socket: TLSSocket = connectTls({ ...options, ...(resumable === undefined ? {} : { session: resumable }) }, () =>
        setTimeout(() => resolve(socket.destroyed ? 'closed' : 'open'), 1_500),
      );
      socket.on('error', () => resolve('closed'));
      socket.on('close', () => resolve('closed'));
    });
    expect(resumed).toBe('closed');
  });

  it('AG-10 a role that was not granted, in the command and against auth itself', async () => {
    const said = await cluster.sh('tsh proxy db --tunnel --db-user=Admin example-dynamodb');
    expect(said.code).toBe(4);
    expect(said.stderr).toContain('Admin');
    for (const principal of ['Admin', '*', `arn:aws:iam::999999999999:role/${ROLE}`, `role/../${ROLE}`, '']) {
      await expect(sessionRaw(cluster.proxy, hostCas, alice, { db: 'example-dynamodb', principal })).rejects.toMatchObject({
        code: expect.stringMatching(/denied|bad_request/) as unknown,
      });
    }
  });

  it('TN-05 a forged ticket: one character, or one of tomorrow', async () => {
    const { ticket } = session.issued;
    const flipped = `${ticket.slice(0, -1)}${ticket.endsWith('a') ? 'b' : 'a'}`;
    for (const wrong of [flipped, `a${ticket.slice(1)}`, 'a'.repeat(58), ticket.slice(1)]) {
      const alert = await tlsFailure(cluster.proxy, sessionName(wrong), hostCas);
      expect(alert).toMatch(/unrecognized name|alert number 112/i);
    }
  });

  it('a user locked in the middle of a keep-alive connection is cut within 5 s and told why', async () => {
    const { port } = await cluster.openTunnel('mallory');
    const keepAlive = new Agent({ keepAlive: true, maxSockets: 1 });
    expect(await list(port, keepAlive)).toMatchObject({ status: 200 });
    await cluster.admin("tctl lock --user=mallory --message='left the company'");
    const lockedMs = Date.now();
    const refused = await until('the lock to act', 5_000, async () => {
      const answer = await list(port, keepAlive).catch((error: Error) => ({ status: 0, body: error.message }));
      return answer.status === 200 ? undefined : answer;
    });
    expect(Date.now() - lockedMs).toBeLessThan(5_000);
    expect(refused.status === 0 || refused.body.includes('left the company')).toBe(true);
    const again = await cluster.sh(`tsh login --proxy=${cluster.proxy} --user=mallory`, { person: 'mallory', input: `${PASSWORD}\n` });
    expect(again.code).not.toBe(0);
    keepAlive.destroy();
  });

  it('JN-04 an agent that announces another’s name, with a token for another name and with one for none', async () => {
    for (const [host, flags] of [
      ['rogue', '--db-name=other-dynamodb --db-protocol=dynamodb'],
      ['nameless', ''],
    ] as const) {
      const rogue = cluster.startAgent(host, agentYaml(host, await token(flags)));
      await rogue.says(/example-dynamodb.*(not bound|binds|may not)/i);
      const servers = JSON.parse(await cluster.admin('tctl get db_server --format=json')) as {
        metadata: { name: string };
        spec: Record<string, unknown>;
      }[];
      expect(
        servers.filter((server) => JSON.stringify(server).includes('example-dynamodb') && !JSON.stringify(server).includes('refus')),
      ).toHaveLength(1);
      const fresh = await sessionRaw(cluster.proxy, hostCas, alice, { db: 'example-dynamodb', principal: ROLE });
      expect(fresh.issued.agentIds).toHaveLength(1);
      expect(fresh.issued.agentIds).toEqual(session.issued.agentIds);
      await rogue.stop();
    }
  });

  it('CL-01 the headers with which a browser page would come to the local port, by name and by rebinding', async () => {
    const { port } = await cluster.openTunnel('alice');
    const before = atAws();
    const keepAlive = new Agent({ keepAlive: true, maxSockets: 1 });
    const headers = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { host: `evil.example:${port}` },
      { host: 'localhost' },
      { host: `localhost:${port + 1}` },
      { host: `0.0.0.0:${port}` },
      { host: `localhost.evil.example:${port}` },
    ];
    for (const extra of headers) expect({ extra, answer: (await list(port, new Agent(), extra)).status }).toEqual({ extra, answer: 403 });
    expect(atAws()).toBe(before);
    // The browser reuses a connection on which an honest program's request went first.
    expect((await list(port, keepAlive)).status).toBe(200);
    expect((await list(port, keepAlive, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await list(port, new Agent())).status).toBe(200);
    keepAlive.destroy();
  });

  it('AG-02 a database that is not AWS, by file and by resource', async () => {
    for (const uri of [
      'evil.example:443',
      'dynamodb.us-east-1.amazonaws.com.evil.com',
      '169.254.169.254',
      '[::ffff:a9fe:a9fe]',
      'localhost:6379',
      'https://dynamodb.us-east-1.amazonaws.com@evil.com',
    ]) {
      write('evil-agent.yaml', agentYaml('evil', '0123456789abcdef0123456789abcdef', `      uri: "${uri}"\n`));
      const started: Finished = await cluster.sh('timeout 20 teleport start -c evil-agent.yaml');
      expect(started.code).not.toBe(0);
      expect(started.stderr).toMatch(/uri/);
      write(
        'evil-db.yaml',
        `kind: db\nversion: v3\nmetadata:\n  name: evil\nspec:\n  protocol: dynamodb\n  uri: "${uri}"\n  aws:\n    region: us-east-1\n    account_id: "${ACCOUNT}"\n`,
      );
      const created = await cluster.sh(`tctl -c ${cluster.authConfig} create -f evil-db.yaml`);
      expect(created.code).toBe(1);
      expect(created.stderr).toMatch(/uri/);
    }
  });

  it('AU-06 left a line in the log for each refusal', async () => {
    const log = await until('the refusals in the log', 15_000, async () => {
      const text = await cluster.admin('tctl audit ls --limit=10000 -f json');
      return text.includes('left the company') && text.includes('TJ002I') ? text : undefined;
    });
    expect(log).toContain('TDB00W');
    for (const secret of [PASSWORD, 'BEGIN PRIVATE KEY', 'wJalrXUtnFEMI']) expect(log).not.toContain(secret);
  });
});

function list(port: number, agent: Agent, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port,
        agent,
        method: 'POST',
        path: '/',
        headers: {
          host: `localhost:${port}`,
          'content-type': 'application/x-amz-json-1.0',
          'x-amz-target': 'DynamoDB_20120810.ListTables',
          ...headers,
        },
      },
      (answer) => {
        let body = '';
        answer.on('data', (chunk: Buffer) => (body += chunk.toString()));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
        answer.on('error', reject);
      },
    );
    call.on('error', reject);
    call.end('{}');
  });
}

function tlsFailure(proxy: string, servername: string, ca: readonly string[]): Promise<string> {
  const [host = '', port = ''] = proxy.split(':');
  return new Promise((resolve) => {
    const socket = connectTls({ host, port: Number(port), servername, ca: [...ca], checkServerIdentity: () => undefined }, () => {
      resolve('connected');
      socket.destroy();
    });
    socket.on('error', (error) => resolve(error.message));
    socket.on('close', () => resolve('closed without an alert'));
  });
}
