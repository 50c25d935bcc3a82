import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { CertsService, callUnary, LoginService } from '@postern/api';
import { generateKey } from '@postern/pki';
import { APP, appRole, ROLE_ARN, startAppAgent } from '@postern/test-harness/app-agent.ts';
import { busyness } from '@postern/test-harness/busyness.ts';
import { ACCOUNT, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { dial, type Held, type HeldSession, listTables, sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { RawChannel } from '@postern/test-harness/raw-call.ts';
import { signedRequest } from '@postern/test-harness/sign-v4.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { handshake } from './handshake.ts';
import { AUTH, enter, type HeldHost, hostCasOf, TUNNEL } from './held.ts';
import { prepareAws, useAll, useAllBare } from './under-way.ts';

const cannot = lacking('openssl');
const DAY_S = 24 * 3600;

describe.skipIf(cannot !== undefined)('certificates', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let hostCas: string[] = [];
  let alice: Held;
  let session: HeldSession;
  let host: HeldHost;
  const doors = () => [AUTH, TUNNEL, sessionName(session.issued.ticket)];
  const at = (name: string) => join(cluster.dir, name);
  const write = (name: string, text: string | Uint8Array) => writeFileSync(at(name), text);
  const channel = (serverName: string, held?: Held) => RawChannel.open({ port: cluster.proxyPort, serverName, hostCaPems: hostCas, held });
  const where = () => ({ port: cluster.proxyPort, hostCaPems: hostCas });
  const codeOf = (call: Promise<unknown>) =>
    call.then(
      () => 'ok',
      (error: unknown) => String((error as { code?: unknown }).code),
    );
  /** Signs alice in with the public key, or what stands for one, that is given. */
  async function signIn(publicKey: Buffer, ttlSeconds = 0): Promise<{ certificatePem: string; validUntilMs: number }> {
    const client = dial(cluster.proxy, AUTH, hostCas);
    const request = { user: 'alice', password: PASSWORD, publicKey, ttlSeconds, clientVersion: '0.1.0' };
    return callUnary(client, LoginService.signIn, request).finally(() => client.close());
  }
  async function askFor(held: Held, asked: { readonly publicKey?: Buffer; readonly ttlSeconds?: number }) {
    const client = dial(cluster.proxy, AUTH, hostCas, held);
    const { publicKey = generateKey().publicKeyDer, ttlSeconds = 0 } = asked;
    const request = { resourceKind: 'db', resourceName: DATABASE, principal: ROLE, publicKey, ttlSeconds };
    return callUnary(client, CertsService.issueSessionCert, request).finally(() => client.close());
  }

  beforeAll(async () => {
    await stage.open({ roles: ['Reader'] });
    await stage.attached(stage.agent('agent'));
    await startAppAgent(cluster);
    hostCas = await hostCasOf(cluster);
    alice = await signInRaw(cluster.proxy, hostCas, { user: 'alice', password: PASSWORD });
    session = await sessionRaw(cluster.proxy, hostCas, alice, { db: DATABASE, principal: ROLE });
    host = await enter(cluster, { hostCas, token: (await cluster.admin('tctl tokens add --type=db --format=text')).trim(), role: 'db' });
  });
  afterAll(async () => {
    // What was started in the background is nobody's child.
    await cluster.sh('tsh down', { person: 'olga' });
    await cluster.stop();
  });

  it('CA-01 hold what auth chose, whatever was asked for', async () => {
    const key = generateKey();
    write('own.key', key.privateKeyPem);
    const names =
      '-addext subjectAltName=DNS:auth.postern.internal,URI:spiffe://example.internal/user/admin -addext basicConstraints=CA:TRUE';
    await cluster.mustSh(`openssl req -new -key own.key -subj /CN=admin/O=editor ${names} -outform DER -out own.csr 2>/dev/null`);
    const csr = await cluster.mustSh('openssl base64 -A -in own.csr');
    expect(await codeOf(askFor(alice, { publicKey: Buffer.from(csr, 'base64') }))).toBe('bad_request');
    for (const ttlSeconds of [2 ** 31 - 1, 10 * 365 * DAY_S, -1, -(2 ** 31)]) {
      const issued = await askFor(alice, { ttlSeconds }).catch(() => undefined);
      if (ttlSeconds > 0) expect(issued).toBeDefined();
      expect(issued?.validUntilMs ?? 0).toBeLessThanOrEqual(Date.now() + 12 * 3_600_000);
    }
    write('issued.pem', (await askFor(alice, { publicKey: key.publicKeyDer })).certificatePem);
    const text = await cluster.mustSh('openssl x509 -in issued.pem -noout -text');
    expect(text).toMatch(/CA:FALSE/);
    expect(text).toMatch(/Extended Key Usage:.*\n\s+TLS Web Client Authentication\s*\n/);
    expect(text).not.toMatch(/admin|editor|CA:TRUE|DNS:/);
  });

  it('CA-02 that say the same and are signed by somebody else open no door', async () => {
    const issuers: Record<string, Held> = { 'alice’s own leaf': alice, 'a session’s leaf': session, 'a host’s leaf': host };
    for (const [whom, original] of Object.entries({ alice, session, host })) {
      const key = generateKey();
      write('twin.key', key.privateKeyPem);
      write('original.pem', original.certificatePem);
      write('original.key', original.privateKeyPem);
      await cluster.mustSh('openssl x509 -x509toreq -in original.pem -signkey original.key -copy_extensions copyall -out twin.csr');
      const twins: Record<string, string> = {
        itself: 'openssl x509 -req -in twin.csr -copy_extensions copyall -days 1 -signkey original.key',
      };
      for (const name of Object.keys(issuers))
        twins[name] = 'openssl x509 -req -in twin.csr -copy_extensions copyall -days 1 -CA issuer.pem -CAkey issuer.key -CAcreateserial';
      for (const [issuer, command] of Object.entries(twins)) {
        const signer = issuers[issuer];
        if (signer !== undefined) {
          write('issuer.pem', signer.certificatePem);
          write('issuer.key', signer.privateKeyPem);
        }
        const made = await cluster.mustSh(`${command} 2>/dev/null`);
        // The twin's request was signed with the original's key, so that this is what its holder has.
        const twin = { certificatePem: `${made}${signer?.certificatePem ?? ''}`, privateKeyPem: original.privateKeyPem };
        for (const door of doors()) {
          const answer = await channel(door, twin).call({ path: '/postern.v1.Status/GetStatus' });
          expect({ whom, issuer, door, kind: answer.kind }).toEqual({ whom, issuer, door, kind: 'cut' });
        }
      }
    }
  });

  it('AG-10 are for what they name, by whatever ticket their holder comes, and the agent knows', async () => {
    const database = (name: string) =>
      `kind: db\nversion: v3\nmetadata: { name: ${name}, labels: { of: second } }\nspec: { protocol: dynamodb, aws: { region: us-east-1, account_id: "${ACCOUNT}" } }\n`;
    write('databases.yaml', `${database('prod')}---\n${database('staging')}`);
    await cluster.admin('tctl create -f databases.yaml');
    const token = (await cluster.admin('tctl tokens add --type=db --format=text')).trim();
    const lines = [
      'version: v3',
      'teleport:',
      '  nodename: second',
      `  data_dir: ${at('second/data')}`,
      `  proxy_server: ${cluster.proxy}`,
      `  auth_token: ${token}`,
      'db_service: { enabled: "yes", resources: [{ labels: { of: second } }] }',
      '',
    ];
    await stage.attached(cluster.startAgent('second', lines.join('\n')));
    const role = (deny: string) =>
      `kind: role\nversion: v6\nmetadata: { name: both }\nspec:\n  allow: { db_labels: { '*': '*' }, db_users: ['${ROLE}', Reader] }\n${deny}`;
    write('both.yaml', role(''));
    await cluster.admin('tctl create -f both.yaml');
    await cluster.admin('tctl users add nina --roles=both --password-stdin', { input: `${PASSWORD}\n` });
    const nina = await signInRaw(cluster.proxy, hostCas, { user: 'nina', password: PASSWORD });
    const held = (db: string, principal: string) => sessionRaw(cluster.proxy, hostCas, nina, { db, principal });
    await until('the second agent to serve', 10_000, () => held('staging', ROLE).catch(() => undefined));
    const [dev, prod, staging] = [await held(DATABASE, ROLE), await held('prod', ROLE), await held('staging', 'Reader')];
    const through = async (ticket: string, who: Held): Promise<string> => {
      const opened = channel(sessionName(ticket), who);
      const headers = { 'postern-local-port': '8000' };
      const path = '/postern.v1.AgentSession/Connect';
      const { kind, body } = await opened.call({ path, headers, messages: [Buffer.from(listTables(8000))], end: false, waitMs: 10_000 });
      opened.close();
      // Behind the head of a frame.
      return kind === 'answered' ? body.subarray(5).toString('latin1') : kind;
    };
    expect(await through(prod.issued.ticket, prod)).toContain('200 OK');
    const atAws = () => cluster.dynamoDbAtAws();
    const before = atAws().length;
    expect(await through(prod.issued.ticket, dev)).toBe('cut');
    expect(await through(dev.issued.ticket, prod)).toBe('cut');
    expect(atAws()).toHaveLength(before);
    // Where one agent serves both he is who his certificate says, in AWS's eyes and in the log.
    expect(await through(prod.issued.ticket, staging)).toContain('200 OK');
    expect(atAws().slice(before)).toMatchObject([{ identity: { arn: expect.stringContaining('/Reader/nina') as unknown } }]);
    await until('each by its certificate in the log', 15_000, async () => {
      const told = JSON.parse(await cluster.admin('tctl audit ls -f json --limit 1000')) as Record<string, unknown>[];
      // The agent of another resource is not one that auth gave the session to: what it says of it is marked as its own word.
      const refused = told.flatMap(({ event, code, unverified }) =>
        event === 'db.session.start' && code === 'TDB00W' ? [(unverified as { session_id?: string } | undefined)?.session_id] : [],
      );
      if (![dev, prod].every(({ issued }) => refused.includes(issued.sessionId))) return undefined;
      const requests = told.filter(({ event, phase }) => event === 'db.session.dynamodb.request' && phase === 'intent');
      const of = ({ issued }: HeldSession) => requests.filter(({ sid }) => sid === issued.sessionId).map(({ resource }) => resource);
      const seen = JSON.stringify([of(dev), of(prod), of(staging)]);
      return seen === JSON.stringify([[], ['db/prod'], ['db/staging']]) ? true : undefined;
    });

    // A rule that denies the role in other letters, made while the session is open: the agent's own decision.
    write('both.yaml', role(`  deny: { db_users: ['${ROLE.toUpperCase()}'] }\n`));
    await cluster.admin('tctl create -f both.yaml');
    const denied = await until('the denial', 5_000, async () => {
      const answer = await through(prod.issued.ticket, prod);
      return answer.includes('200 OK') ? undefined : answer;
    });
    expect(denied).toMatch(/^HTTP\/1\.1 4\d\d[\s\S]*AccessDenied/);
    const settled = atAws().length;
    expect(await through(prod.issued.ticket, prod)).not.toContain('200 OK');
    expect(atAws()).toHaveLength(settled);
    expect(await through(staging.issued.ticket, staging)).toContain('200 OK');
    await expect(held('prod', ROLE)).rejects.toMatchObject({ code: 'denied' });
  });

  it('AG-10 are for no role of AWS that is denied in other letters since, and an application’s agent knows', async () => {
    await appRole(cluster, 'apps');
    await cluster.admin('tctl users add nora --roles=apps --password-stdin', { input: `${PASSWORD}\n` });
    const nora = await signInRaw(cluster.proxy, hostCas, { user: 'nora', password: PASSWORD });
    const session = await sessionRaw(cluster.proxy, hostCas, nora, { app: APP, principal: ROLE_ARN });
    const host = 'sts.us-east-1.amazonaws.com';
    const keys = { id: `AKIA${'A'.repeat(16)}`, secret: randomBytes(20).toString('hex') };
    const whoAmI = async (): Promise<string> => {
      const opened = channel(sessionName(session.issued.ticket), session);
      const path = '/postern.v1.AgentSession/Connect';
      const headers = { 'postern-local-port': '8000', 'postern-local-key': `${keys.id}:${keys.secret}`, 'postern-connect-host': host };
      const asked = { method: 'GET', host, path: '/', query: 'Action=GetCallerIdentity&Version=2011-06-15', service: 'sts' } as const;
      const answer = await opened.call({ path, headers, messages: [Buffer.from(signedRequest(asked, keys))], end: false, waitMs: 10_000 });
      opened.close();
      return answer.body.subarray(5).toString('latin1');
    };
    expect(await whoAmI()).toMatch(/^HTTP\/1\.1 200 [\s\S]*nora/);
    await appRole(cluster, 'apps', { denied: [ROLE_ARN.replace(ROLE, ROLE.toLowerCase())] });
    const denied = await until('the denial', 5_000, async () => {
      const answer = await whoAmI();
      return answer.startsWith('HTTP/1.1 200 ') ? undefined : answer;
    });
    expect(denied).toMatch(/^HTTP\/1\.1 403 [\s\S]*AccessDenied/);
    const atAws = cluster.rawLog().length;
    expect(await whoAmI()).toMatch(/^HTTP\/1\.1 403 /);
    expect(cluster.rawLog()).toHaveLength(atAws);
    await expect(sessionRaw(cluster.proxy, hostCas, nora, { app: APP, principal: ROLE_ARN })).rejects.toMatchObject({ code: 'denied' });
  });

  it.concurrent('CA-03 end what they opened within five seconds of their end: a tail of the log, a stream and its connection', async () => {
    await cluster.admin('tctl users add otto --roles=auditor,dynamo --password-stdin', { input: `${PASSWORD}\n` });
    const key = generateKey();
    const client = dial(cluster.proxy, AUTH, hostCas);
    const signedIn = await callUnary(client, LoginService.signIn, {
      user: 'otto',
      password: PASSWORD,
      publicKey: key.publicKeyDer,
      ttlSeconds: 6,
      clientVersion: '0.1.0',
    });
    client.close();
    const otto = { certificatePem: signedIn.certificatePem, privateKeyPem: key.privateKeyPem };
    const brief = await sessionRaw(cluster.proxy, hostCas, otto, { db: DATABASE, principal: ROLE });
    expect(brief.issued.validUntilMs).toBeLessThanOrEqual(signedIn.validUntilMs);
    const tail = channel(AUTH, otto);
    // A kind that nothing is of: silence until the end.
    const query = Buffer.from([0x22, 4, 0x6e, 0x6f, 0x6e, 0x65]);
    const ended = tail.call({ path: '/postern.v1.Audit/TailEvents', messages: [query], waitMs: 20_000 });
    const stream = channel(sessionName(brief.issued.ticket), brief);
    const open = stream.call({ path: '/postern.v1.AgentSession/Connect', end: false, waitMs: 20_000 });
    const endedAt = async (what: Promise<unknown>) => what.then(() => Date.now() - signedIn.validUntilMs);
    const [tailMs, streamMs, connectionMs] = await Promise.all([endedAt(ended), endedAt(open), endedAt(stream.closed())]);
    expect(await ended).toMatchObject({ kind: 'status', status: 16, code: 'expired' });
    for (const lateMs of [tailMs, streamMs, connectionMs]) {
      expect(lateMs).toBeGreaterThan(-1_500);
      expect(lateMs).toBeLessThan(5_000);
    }
    await until('the end in the log', 15_000, async () => {
      const said = await cluster.admin('tctl audit ls -f json --kind=db.session.end');
      return said.includes('"expired"') ? true : undefined;
    });
    tail.close();
  });

  it.concurrent('CA-03 end what an application has under way within five seconds of their end: a download, a stream of events, a WebSocket', async () => {
    await prepareAws(cluster);
    // Long enough for all of it to be under way before.
    await appRole(cluster, 'brief', { sessionTtl: `${Math.round(16 * Math.min(3, busyness()))}s` });
    await cluster.admin('tctl users add olga --roles=brief --password-stdin', { input: `${PASSWORD}\n` });
    const olga = await signInRaw(cluster.proxy, hostCas, { user: 'olga', password: PASSWORD });
    const bare = await sessionRaw(cluster.proxy, hostCas, olga, { app: APP, principal: ROLE_ARN });
    await cluster.signIn('olga');
    const { active } = JSON.parse(await cluster.mustSh('tsh status -f json', { person: 'olga' })) as { active: { valid_until: string } };
    const client = dial(cluster.proxy, sessionName(bare.issued.ticket), hostCas, bare);
    const [ofPrograms, ofClient] = await Promise.all([useAll(cluster, 'olga'), useAllBare(client)]);
    for (const [untilMs, things] of [
      [Date.parse(active.valid_until), ofPrograms],
      [bare.issued.validUntilMs, ofClient],
    ] as const) {
      expect(things.length).toBe(3);
      for (const { what, ended } of things) {
        const lateMs = (await ended) - untilMs;
        expect([what, lateMs]).toEqual([what, expect.toSatisfy((ms: number) => ms > -1_500 && ms < 5_000 * busyness())]);
      }
    }
    client.close();
    const lines = await until('the ends in the log', 15_000, async () => {
      const all = JSON.parse(await cluster.admin('tctl audit ls -f json --user=olga --limit 1000')) as Record<string, unknown>[];
      return all.filter(({ event }) => event === 'app.session.end').length === 2 ? all : undefined;
    });
    expect(lines.filter(({ phase }) => phase === 'outcome')).toHaveLength(6);
    // Programs of ours leave by themselves when their certificate has ended; who does not is put out.
    const bareEnd = lines.find(({ event, sid }) => event === 'app.session.end' && sid === bare.issued.sessionId);
    expect(bareEnd).toMatchObject({ reason: 'expired' });
  }, 150_000);

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('CA-04 are looked at in each handshake: no door resumes a session of %s', async (version) => {
    for (const [serverName, held] of [
      [AUTH, alice],
      [TUNNEL, host],
      [sessionName(session.issued.ticket), session],
    ] as const) {
      const tickets = await handshake({ ...where(), version, serverName, held });
      expect([serverName, tickets.isOpen]).toEqual([serverName, true]);
      const again = await handshake({ ...where(), version, serverName, held, session: tickets.session });
      expect([serverName, again.wasReused && again.isOpen]).toEqual([serverName, false]);
    }
  });

  it('CA-05 ask for nothing that outlives them', async () => {
    const key = generateKey();
    const { certificatePem, validUntilMs } = await signIn(key.publicKeyDer, 60);
    const brief = { certificatePem, privateKeyPem: key.privateKeyPem };
    expect(validUntilMs).toBeLessThan(Date.now() + 62_000);
    expect((await askFor(brief, { ttlSeconds: DAY_S })).validUntilMs).toBeLessThanOrEqual(validUntilMs);
  });

  it('CA-11 are made for a P-256 key alone, and everything else is refused at once', async () => {
    const rsa = (modulusLength: number) =>
      generateKeyPairSync('rsa', {
        modulusLength,
        publicKeyEncoding: { type: 'spki', format: 'der' },
        privateKeyEncoding: { type: 'pkcs8', format: 'der' },
      }).publicKey;
    const curve = (namedCurve: string) =>
      generateKeyPairSync('ec', {
        namedCurve,
        publicKeyEncoding: { type: 'spki', format: 'der' },
        privateKeyEncoding: { type: 'pkcs8', format: 'der' },
      }).publicKey;
    const good = generateKey().publicKeyDer;
    const offCurve = Buffer.from(good);
    offCurve[offCurve.length - 1] = (offCurve.at(-1) ?? 0) ^ 1;
    const bad: Record<string, Buffer> = {
      nothing: Buffer.alloc(0),
      'RSA 1024': rsa(1024),
      'RSA 2048': rsa(2048),
      'P-192': curve('prime192v1'),
      'P-384': curve('secp384r1'),
      secp256k1: curve('secp256k1'),
      'off the curve': offCurve,
      'a byte more': Buffer.concat([good, Buffer.alloc(1)]),
      'a MB': Buffer.concat([good, Buffer.alloc(1_000_000)]),
      'lengths without end': Buffer.from('3080'.repeat(2_000), 'hex'),
    };
    const client = dial(cluster.proxy, AUTH, hostCas, alice);
    const asked = { resourceKind: 'db', resourceName: DATABASE, principal: ROLE, ttlSeconds: 0 };
    const ask = (publicKey: Buffer) => codeOf(callUnary(client, CertsService.issueSessionCert, { ...asked, publicKey }));
    for (const [what, publicKey] of Object.entries(bad)) expect([what, await ask(publicKey)]).toEqual([what, 'bad_request']);
    const startedMs = Date.now();
    const mangled = Array.from({ length: 300 }, () => {
      const bytes = Buffer.from(good);
      bytes.set(randomBytes(1 + (bytes.length % 5)), Math.floor(Math.random() * (bytes.length - 5)));
      return bytes;
    });
    for (const publicKey of mangled) expect(['bad_request', 'ok']).toContain(await ask(publicKey));
    expect((Date.now() - startedMs) / mangled.length).toBeLessThan(100);
    expect(await ask(good)).toBe('ok');
    client.close();
  });

  it('TN-05 lead to resources by ticket, and to no address that a client names', async () => {
    const { ticket } = session.issued;
    for (const name of [
      '127.0.0.1',
      '10-0-0-5',
      'localhost',
      '169-254-169-254',
      ticket.slice(0, -1),
      `x${ticket.slice(1)}`,
      `${ticket}.${ticket}`,
    ]) {
      const answer = await channel(sessionName(name), session).call({ path: '/postern.v1.AgentSession/Describe' });
      expect([name, answer.kind]).toEqual([name, 'cut']);
    }
    const web = connectTls({ host: '127.0.0.1', port: cluster.proxyPort, servername: 'localhost', ca: hostCas, rejectUnauthorized: false });
    const answered = new Promise<string>((resolve) =>
      web.once('data', (bytes: Buffer) => resolve(bytes.toString())).once('close', () => resolve('')),
    );
    web.write('CONNECT 127.0.0.1:6379 HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(await answered).not.toMatch(/^HTTP\/1\.1 2/);
    web.destroy();
  });
});
