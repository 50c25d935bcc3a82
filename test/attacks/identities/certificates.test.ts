import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { CertsService, callUnary, JoinService, LoginService } from '@postern/api';
import { generateKey } from '@postern/pki';
import { APP, appRole, ROLE_ARN, startAppAgent } from '@postern/test-harness/app-agent.ts';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { dial, type Held, type HeldSession, sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { RawChannel } from '@postern/test-harness/raw-call.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { handshake } from './handshake.ts';
import { AUTH, codeOf, enter, type HeldHost, hostCasOf, TUNNEL } from './held.ts';

const cannot = lacking('openssl');
const DAY_S = 24 * 3600;
const people = ['ida', 'ines', 'iris', 'ivan', 'ivo', 'iwan'];

describe.skipIf(cannot !== undefined)('certificates', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let hostCas: string[] = [];
  let alice: Held;
  let session: HeldSession;
  let host: HeldHost;
  let token = '';
  let signedIn = 0;
  const doors = () => [AUTH, TUNNEL, sessionName(session.issued.ticket)];
  const at = (name: string) => join(cluster.dir, name);
  const write = (name: string, text: string | Uint8Array) => writeFileSync(at(name), text);
  const channel = (serverName: string, held?: Held, localAddress?: string) =>
    RawChannel.open({
      port: cluster.proxyPort,
      serverName,
      hostCaPems: hostCas,
      held,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
  const where = () => ({ port: cluster.proxyPort, hostCaPems: hostCas });
  /** Signs somebody in with the public key, or what stands for one, that is given; each person, and each address, may so often in a minute. */
  async function signIn(publicKey: Buffer, ttlSeconds = 0, user?: string): Promise<{ certificatePem: string; validUntilMs: number }> {
    signedIn += 1;
    const request = {
      user: user ?? people[signedIn % people.length] ?? '',
      password: PASSWORD,
      publicKey,
      ttlSeconds,
      clientVersion: '0.1.0',
    };
    const { path, requestSerialize, responseDeserialize } = LoginService.signIn;
    const opened = channel(AUTH, undefined, `127.5.0.${signedIn}`);
    const answer = await opened.call({ path, messages: [requestSerialize(request)], waitMs: 30_000 });
    opened.close();
    if (answer.kind !== 'answered') throw Object.assign(new Error(answer.details), { code: answer.code });
    return responseDeserialize(answer.body.subarray(5));
  }
  async function joinWith(publicKey: Buffer, nodeName = 'host'): Promise<{ certificatePem: string; validUntilMs: number }> {
    const client = dial(cluster.proxy, AUTH, hostCas);
    const request = { token, role: 'db', nodeName, version: '0.1.0', publicKey };
    return callUnary(client, JoinService.join, request).finally(() => client.close());
  }
  async function renewWith(publicKey: Buffer): Promise<{ certificatePem: string; validUntilMs: number }> {
    const client = dial(cluster.proxy, AUTH, hostCas, host);
    return callUnary(client, CertsService.renewHostCert, { publicKey }).finally(() => client.close());
  }
  /** Every way to a certificate. */
  const issuing: Readonly<Record<string, (publicKey: Buffer) => Promise<{ certificatePem: string; validUntilMs: number }>>> = {
    IssueSessionCert: (publicKey) => askFor(alice, { publicKey }),
    SignIn: (publicKey) => signIn(publicKey),
    Join: (publicKey) => joinWith(publicKey),
    RenewHostCert: (publicKey) => renewWith(publicKey),
  };
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
    await appRole(cluster, 'capped', { sessionTtl: '600s' });
    for (const name of people) await cluster.admin(`tctl users add ${name} --roles=dynamo --password-stdin`, { input: `${PASSWORD}\n` });
    await cluster.admin('tctl users add capped --roles=dynamo,capped --password-stdin', { input: `${PASSWORD}\n` });
    hostCas = await hostCasOf(cluster);
    alice = await signInRaw(cluster.proxy, hostCas, { user: 'alice', password: PASSWORD });
    session = await sessionRaw(cluster.proxy, hostCas, alice, { db: DATABASE, principal: ROLE });
    token = (await cluster.admin('tctl tokens add --type=db --format=text')).trim();
    host = await enter(cluster, { hostCas, token, role: 'db' });
  });
  afterAll(() => cluster.stop());

  it('CA-01 hold what auth chose, whatever was asked for', async () => {
    const key = generateKey();
    write('own.key', key.privateKeyPem);
    const names =
      '-addext subjectAltName=DNS:auth.postern.internal,URI:spiffe://example.internal/user/admin -addext basicConstraints=CA:TRUE';
    await cluster.mustSh(`openssl req -new -key own.key -subj /CN=admin/O=editor ${names} -outform DER -out own.csr 2>/dev/null`);
    const csr = await cluster.mustSh('openssl base64 -A -in own.csr');
    for (const [method, ask] of Object.entries(issuing))
      expect([method, await codeOf(ask(Buffer.from(csr, 'base64')))]).toEqual([method, 'bad_request']);
    const seconds = [2 ** 31 - 1, 10 * 365 * DAY_S, -1, -(2 ** 31)];
    // Alice's own lasts twelve hours, and a role allows thirty where it does not say.
    for (const [method, hours, ask] of [
      ['IssueSessionCert', 12, (ttlSeconds: number) => askFor(alice, { ttlSeconds })],
      ['SignIn', 30, (ttlSeconds: number) => signIn(key.publicKeyDer, ttlSeconds)],
    ] as const)
      for (const ttlSeconds of seconds) {
        const issued = await ask(ttlSeconds).catch(() => undefined);
        if (ttlSeconds > 0) expect(issued).toBeDefined();
        const within = expect.toSatisfy((ms: number) => ms <= Date.now() + hours * 3_600_000) as unknown;
        expect([method, ttlSeconds, issued?.validUntilMs ?? 0]).toEqual([method, ttlSeconds, within]);
      }
    for (const [method, ask] of Object.entries({ ...issuing, Join: (publicKey: Buffer) => joinWith(publicKey, AUTH) })) {
      write('issued.pem', (await ask(key.publicKeyDer)).certificatePem);
      const text = await cluster.mustSh('openssl x509 -in issued.pem -noout -text');
      expect([method, text]).toEqual([method, expect.stringMatching(/CA:FALSE/)]);
      const server = /Join|Renew/.test(method) ? 'TLS Web Server Authentication, ' : '';
      expect(text).toMatch(new RegExp(`Extended Key Usage:.*\\n\\s+${server}TLS Web Client Authentication\\s*\\n`));
      expect(text).not.toMatch(/admin|editor|CA:TRUE|DNS:auth/);
      if (server === '') expect(text).not.toMatch(/DNS:/);
    }
  });

  it('CA-01 last no longer than the strictest role of their user says', async () => {
    const key = generateKey();
    for (const ttlSeconds of [0, 601, DAY_S, 2 ** 31 - 1]) {
      const { certificatePem, validUntilMs } = await signIn(key.publicKeyDer, ttlSeconds, 'capped');
      const within = expect.toSatisfy((ms: number) => ms <= Date.now() + 600_000 && ms > Date.now() + 540_000) as unknown;
      expect([ttlSeconds, validUntilMs]).toEqual([ttlSeconds, within]);
      const capped = { certificatePem, privateKeyPem: key.privateKeyPem };
      expect([ttlSeconds, (await askFor(capped, { ttlSeconds })).validUntilMs]).toEqual([ttlSeconds, within]);
      const issued = await sessionRaw(cluster.proxy, hostCas, capped, { app: APP, principal: ROLE_ARN, ttlSeconds });
      expect([ttlSeconds, issued.issued.validUntilMs]).toEqual([ttlSeconds, within]);
    }
    // A role that became strict while its user was signed in.
    const long = await signIn(key.publicKeyDer, 0, 'ida');
    expect(long.validUntilMs).toBeGreaterThan(Date.now() + 3_600_000);
    await cluster.admin('tctl users update ida --set-roles=dynamo,capped');
    const { validUntilMs } = await askFor({ certificatePem: long.certificatePem, privateKeyPem: key.privateKeyPem }, { ttlSeconds: DAY_S });
    expect(validUntilMs).toBeLessThanOrEqual(Date.now() + 600_000);
  });

  it('CA-02 that say the same and are signed by somebody else open no door', async () => {
    const knocks: { readonly whom: string; readonly issuer: string; readonly door: string; readonly address: string }[] = [];
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
          const address = `127.4.0.${knocks.length + 1}`;
          knocks.push({ whom, issuer, door, address });
          const answer = await channel(door, twin, address).call({ path: '/postern.v1.Status/GetStatus' });
          expect({ whom, issuer, door, kind: answer.kind }).toEqual({ whom, issuer, door, kind: 'cut' });
        }
      }
    }
    expect(knocks).toHaveLength(36);
    // Nobody's name stands there: what such a certificate says of its holder is not believed.
    const events: Readonly<Record<string, string>> = { [AUTH]: 'auth.refused', [TUNNEL]: 'proxy.refused' };
    const missing = async () => {
      const lines = JSON.parse(await cluster.admin('tctl audit ls -f json --limit 10000')) as Record<string, unknown>[];
      const told = ({ door, address }: { readonly door: string; readonly address: string }) =>
        lines.filter(
          (line) => String(line['addr.remote']).split(':')[0] === address && line['event'] === (events[door] ?? 'db.session.start'),
        );
      const isRight = (line: Record<string, unknown>) =>
        line['success'] === false && line['user'] === '' && String(line['error']).length > 10;
      return knocks.flatMap((knock) => (told(knock).length === 1 && told(knock).every(isRight) ? [] : [{ ...knock, told: told(knock) }]));
    };
    await until('each refusal in the log', 10_000, async () => ((await missing()).length === 0 ? true : undefined)).catch(() => undefined);
    expect(await missing()).toEqual([]);
  });

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
      'ten kB': Buffer.concat([good, Buffer.alloc(10_000)]),
      'a MB': Buffer.concat([good, Buffer.alloc(1_000_000)]),
      'lengths without end': Buffer.from('3080'.repeat(2_000), 'hex'),
    };
    const client = dial(cluster.proxy, AUTH, hostCas, alice);
    const asked = { resourceKind: 'db', resourceName: DATABASE, principal: ROLE, ttlSeconds: 0 };
    const ask = (publicKey: Buffer) => codeOf(callUnary(client, CertsService.issueSessionCert, { ...asked, publicKey }));
    for (const [what, publicKey] of Object.entries(bad))
      for (const [method, issue] of Object.entries(issuing))
        expect([what, method, await codeOf(issue(publicKey))]).toEqual([
          what,
          method,
          // Of who has shown no certificate not even that much is read.
          what === 'a MB' && ['SignIn', 'Join'].includes(method) ? 'limit_exceeded' : 'bad_request',
        ]);
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
