import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AuditEvent,
  AuditService,
  CertsService,
  callStream,
  callUnary,
  JoinService,
  openDuplex,
  PresenceService,
  ResourcesService,
  services,
  TokensService,
} from '@postern/api';
import { generateKey } from '@postern/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, PASSWORD } from '@postern/test-harness/cluster.ts';
import { dial, type Held, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { lacking } from '@postern/test-harness/programs.ts';

const cannot = lacking('openssl');
const AUTH = 'auth.postern.internal';

describe.skipIf(cannot !== undefined)('rogue hosts', () => {
  const cluster = new Cluster();
  let hostCas: string[] = [];
  let honest: Held & { readonly hostId: string };
  let rogue: Held & { readonly hostId: string };
  const tokens: string[] = [];

  const token = async (flags: string) => {
    const made = (await cluster.admin(`tctl tokens add ${flags} --format=text`)).trim();
    tokens.push(made);
    return made;
  };
  const as = (held?: Held) => dial(cluster.proxy, AUTH, hostCas, held);
  const outcome = (call: Promise<unknown>) =>
    call.then(
      () => 'ok',
      (error: unknown) => String((error as { code?: unknown }).code),
    );
  async function enter(value: string, role = 'db', words: { readonly nodeName?: string; readonly version?: string } = {}) {
    const key = generateKey();
    const request = { token: value, role, nodeName: 'host', version: '0.1.0', publicKey: key.publicKeyDer, ...words };
    const { hostId, certificatePem } = await callUnary(as(), JoinService.join, request);
    return { hostId, certificatePem, privateKeyPem: key.privateKeyPem };
  }
  const server = (name: string, more: { readonly description?: string; readonly labels?: Record<string, string> } = {}) => ({
    kind: 'db',
    name,
    protocol: 'dynamodb',
    uri: '',
    description: '',
    labels: {},
    awsRegion: 'us-east-1',
    awsAccountId: '123456789012',
    dynamic: false,
    ...more,
  });
  const announce = (held: Held, ...servers: ReturnType<typeof server>[]) =>
    callUnary(as(held), PresenceService.announceServers, { servers, nodeName: 'host', version: '0.1.0' });
  const event = (more: Partial<AuditEvent>): AuditEvent => ({
    id: randomUUID(),
    kind: 'db.session.dynamodb.request',
    code: 'TDY01I',
    timeMs: Date.now(),
    user: '',
    resource: 'db/orders',
    sessionId: '',
    success: true,
    fieldsJson: Buffer.from('{}'),
    ...more,
  });
  const report = (held: Held, ...events: AuditEvent[]) => callUnary(as(held), AuditService.appendEvents, { events });
  const logged = async (kind: string) =>
    JSON.parse(await cluster.admin(`tctl audit ls --kind=${kind} --format=json`)) as Record<string, unknown>[];
  const watching = (held: Held, kind: string) => outcome(callStream(as(held), ResourcesService.watchResources, { kinds: [kind] }).next());

  beforeAll(async () => {
    await cluster.start();
    writeFileSync(
      join(cluster.dir, 'reader.yaml'),
      "kind: role\nversion: v6\nmetadata:\n  name: reader\nspec:\n  allow:\n    db_labels: { '*': '*' }\n    db_users: ['*']\n",
    );
    await cluster.admin('tctl create -f reader.yaml');
    await cluster.admin('tctl users add alice --roles=reader --password-stdin', { input: `${PASSWORD}\n` });
    const found = JSON.parse(await cluster.mustSh(`curl -s --cacert web-ca.pem https://${cluster.proxy}/v1/webapi/find`)) as {
      host_ca_pems: string[];
    };
    hostCas = found.host_ca_pems;
    honest = await enter(await token('--type=db --db-name=orders'));
    await announce(honest, server('orders'));
    rogue = await enter(await token('--type=db --db-name=rogue'));
  });
  afterAll(() => cluster.stop());

  it('enter once with a token for one, however many try, and as nothing else than it says', async () => {
    await cluster.admin('tctl users add eddy --roles=editor --password-stdin', { input: `${PASSWORD}\n` });
    const eddy = await signInRaw(cluster.proxy, hostCas, { user: 'eddy', password: PASSWORD });
    const asked = { roles: ['db'], value: '', ttlSeconds: 0, labels: {}, dbName: 'x', dbProtocol: '', dbUri: '', appName: '', appUri: '' };
    const { token: once } = await callUnary(as(eddy), TokensService.addToken, { ...asked, maxUses: 1 });
    tokens.push(once);
    for (const role of ['proxy', 'app', 'auth', 'admin', '__proto__']) expect(await outcome(enter(once, role))).toBe('denied');
    for (const wrong of [once.slice(0, -1), `${once} `, '']) expect(await outcome(enter(wrong))).toBe('denied');
    for (const words of [{ nodeName: '\u001b[2J' }, { version: 'v'.repeat(100_000) }])
      expect(await outcome(enter(once, 'db', words))).toBe('bad_request');
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcome(enter(once))));
    expect(outcomes.filter((each) => each === 'ok')).toHaveLength(1);
  });

  it('say nothing in the name of a session that is not theirs, though they know its id', async () => {
    const alice = await signInRaw(cluster.proxy, hostCas, { user: 'alice', password: PASSWORD });
    const { issued } = await sessionRaw(cluster.proxy, hostCas, alice, { db: 'orders', principal: 'Reader' });
    for (const principal of ['a\nb', '\u001b[2J', 'a\0b', '*', 'x'.repeat(3_000_000)])
      await expect(sessionRaw(cluster.proxy, hostCas, alice, { db: 'orders', principal })).rejects.toMatchObject({ code: 'denied' });
    const own = { user: 'alice', sessionId: issued.sessionId };
    await report(honest, event(own));
    await report(rogue, event(own), event({}), event({ kind: 'user.login', user: 'admin' }));
    expect((await logged('db.session.dynamodb.request')).map(({ server_id }) => server_id)).toEqual([honest.hostId]);
    expect((await logged('report.refused')).map(({ server_id }) => server_id)).toEqual(Array(3).fill(rogue.hostId));
    const proxy = await enter(await token('--type=proxy'), 'proxy');
    await report(proxy, event(own), event({ kind: 'proxy.note', user: 'alice' }));
    expect(await logged('report.refused')).toHaveLength(5);
    for (const kind of ['user', 'role', 'token', 'db']) expect([kind, await watching(proxy, kind)]).toEqual([kind, 'denied']);
    for (const kind of ['token', 'db_server', 'app']) expect([kind, await watching(rogue, kind)]).toEqual([kind, 'denied']);
  });

  it('serve nothing of others, fill no store and drive no terminal', async () => {
    const odd = [
      server('orders'),
      server('other', { description: 'd'.repeat(900_000) }),
      server('a\u009b31mb'),
      server('rogue', { labels: { env: 'a\n\u001b[2J' } }),
    ];
    const { refusals } = await announce(rogue, ...odd);
    expect(refusals.map(({ name }) => name)).toEqual(odd.map(({ name }) => name));
    const shown = await cluster.admin('tctl get db_server --format=json');
    expect(shown.length).toBeLessThan(20_000);
    expect(shown).not.toMatch(/\\u001b|\\u009b|\u009b/);
  });

  it('are out once they are locked', async () => {
    await cluster.admin(`tctl lock --server-id=${rogue.hostId}`);
    expect(await outcome(callUnary(as(rogue), CertsService.renewHostCert, { publicKey: generateKey().publicKeyDer }))).toBe('locked');
    expect(await outcome(announce(rogue, server('rogue')))).toBe('locked');
    const attached = await new Promise<string>((resolve) => {
      const client = dial(cluster.proxy, 'tunnel.postern.internal', hostCas, rogue);
      const stream = openDuplex(client, services.reverseTunnel.definition.carry);
      stream.on('data', () => resolve('data')).on('error', (error: Error) => resolve(error.message));
    });
    expect(attached).toMatch(/locked|UNAVAILABLE/);
  });

  it('leave no token and no password on the disk of auth, and everything there is the owner’s alone', async () => {
    const dir = join(cluster.dir, 'auth');
    const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((path) => join(dir, path));
    const secrets = [PASSWORD, ...tokens];
    for (const path of files) {
      const facts = statSync(path);
      expect([path, facts.mode & 0o077]).toEqual([path, 0]);
      if (!facts.isFile()) continue;
      const bytes = readFileSync(path);
      expect([path, secrets.some((secret) => bytes.includes(secret))]).toEqual([path, false]);
    }
    const log = readFileSync(join(cluster.dir, 'auth-host.log'), 'utf8');
    expect(secrets.some((secret) => log.includes(secret))).toBe(false);
  });

  it('cannot have a second auth on the same directory', async () => {
    const twin = readFileSync(cluster.authConfig, 'utf8').replaceAll(/listen_addr: 127\.0\.0\.1:\d+/g, 'listen_addr: 127.0.0.1:0');
    writeFileSync(join(cluster.dir, 'twin.yaml'), twin);
    const { code, stderr } = await cluster.sh('timeout 20 teleport start -c twin.yaml');
    expect([code, /open in another process/.test(stderr)]).toEqual([1, true]);
  });
});
