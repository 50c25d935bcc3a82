import { randomBytes, randomUUID } from 'node:crypto';
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
import { RawChannel } from '@postern/test-harness/raw-call.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { AUTH, codeOf, enter as enterCluster, type HeldHost, hostCasOf } from '../identities/held.ts';

const cannot = lacking('openssl');

describe.skipIf(cannot !== undefined)('rogue hosts', () => {
  const cluster = new Cluster();
  let hostCas: string[] = [];
  let honest: HeldHost;
  let rogue: HeldHost;
  const tokens: string[] = [];

  const token = async (flags: string) => {
    const made = (await cluster.admin(`tctl tokens add ${flags} --format=text`)).trim();
    tokens.push(made);
    return made;
  };
  const as = (held?: Held) => dial(cluster.proxy, AUTH, hostCas, held);
  const enter = (value: string, role = 'db', words: { readonly nodeName?: string; readonly version?: string } = {}) =>
    enterCluster(cluster, { hostCas, token: value, role, ...words });
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
  const watching = (held: Held, kind: string) => codeOf(callStream(as(held), ResourcesService.watchResources, { kinds: [kind] }).next());

  beforeAll(async () => {
    await cluster.start();
    writeFileSync(
      join(cluster.dir, 'reader.yaml'),
      "kind: role\nversion: v6\nmetadata:\n  name: reader\nspec:\n  allow:\n    db_labels: { '*': '*' }\n    db_users: ['*']\n",
    );
    await cluster.admin('tctl create -f reader.yaml');
    await cluster.admin('tctl users add alice --roles=reader --password-stdin', { input: `${PASSWORD}\n` });
    hostCas = await hostCasOf(cluster);
    honest = await enter(await token('--type=db --db-name=orders'));
    await announce(honest, server('orders'));
    rogue = await enter(await token('--type=db --db-name=rogue'));
  });
  afterAll(() => cluster.stop());

  it('JN-02 do not enter with a token that has ended, was taken back or is another’s, and hear one text for all of it', async () => {
    const taken = await token('--type=db');
    await cluster.admin(`tctl tokens rm ${taken}`);
    const brief = await token('--type=db --ttl=1s');
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    const proxys = await token('--type=proxy');
    const texts = await Promise.all(
      [taken, brief, proxys, `${proxys}0`, proxys.toUpperCase(), ` ${proxys}`, '0'.repeat(32)].map((value) =>
        enter(value).then(
          () => 'in',
          (error: Error) => error.message,
        ),
      ),
    );
    expect(new Set(texts)).toEqual(new Set([expect.stringContaining('cannot join') as unknown]));
  });

  it('JN-01 enter once with a token for one, however many try, and as nothing else than it says', async () => {
    await cluster.admin('tctl users add eddy --roles=editor --password-stdin', { input: `${PASSWORD}\n` });
    const eddy = await signInRaw(cluster.proxy, hostCas, { user: 'eddy', password: PASSWORD });
    const asked = { roles: ['db'], value: '', ttlSeconds: 0, labels: {}, dbName: 'x', dbProtocol: '', dbUri: '', appName: '', appUri: '' };
    const { token: once } = await callUnary(as(eddy), TokensService.addToken, { ...asked, maxUses: 1 });
    tokens.push(once);
    for (const role of ['proxy', 'app', 'auth', 'admin', '__proto__']) expect(await codeOf(enter(once, role))).toBe('denied');
    for (const wrong of [once.slice(0, -1), `${once} `, '']) expect(await codeOf(enter(wrong))).toBe('denied');
    for (const words of [{ nodeName: '\u001b[2J' }, { version: 'v'.repeat(10_000) }])
      expect(await codeOf(enter(once, 'db', words))).toBe('bad_request');
    expect(await codeOf(enter(once, 'db', { version: 'v'.repeat(100_000) }))).toBe('limit_exceeded');
    // Each from an address of its own: auth counts refusals by address, and past twenty a minute writes of one address a number.
    const addresses = Array.from({ length: 50 }, (_, n) => `127.3.0.${n + 1}`);
    const answers = await Promise.all(addresses.map((from) => joinFrom(from, once)));
    expect(answers.filter(({ kind }) => kind === 'answered')).toHaveLength(1);
    expect(answers.filter(({ kind, status, code }) => kind === 'status' && status === 7 && code === 'denied')).toHaveLength(49);
    expect(new Set(answers.flatMap(({ kind, details }) => (kind === 'status' ? [details] : []))).size).toBe(1);
    const lines = (await logged('instance.join')).map((line) => ({ ...line, address: String(line['addr.remote']).split(':')[0] ?? '' }));
    const wrong = addresses.flatMap((address, n) => {
      const own = lines.filter((line) => line.address === address).map((line) => (line as Record<string, unknown>)['success']);
      return own.length === 1 && own[0] === (answers[n]?.kind === 'answered') ? [] : [{ address, own }];
    });
    expect(wrong).toEqual([]);
    // Played again when it was used up: refused and written down, with the reason that its holder is not told.
    expect(await joinFrom('127.3.0.51', once)).toMatchObject({ kind: 'status', code: 'denied' });
    const again = (await logged('instance.join')).filter((line) => String(line['addr.remote']).split(':')[0] === '127.3.0.51');
    expect(again).toMatchObject([{ code: 'TJ002E', success: false, node_name: 'host', error: expect.stringMatching(/used/) as unknown }]);
  });

  /** A join as a host would make it, from an address of this machine. */
  async function joinFrom(localAddress: string, value: string) {
    const channel = RawChannel.open({ port: cluster.proxyPort, serverName: AUTH, hostCaPems: hostCas, localAddress });
    const { requestSerialize, path } = JoinService.join;
    const request = { token: value, role: 'db', nodeName: 'host', version: '0.1.0', publicKey: generateKey().publicKeyDer };
    const answer = await channel.call({ path, messages: [requestSerialize(request)], waitMs: 30_000 });
    channel.close();
    return answer;
  }

  it('JN-03 guess tokens by the hundred and keep no honest host out', async () => {
    const value = await token('--type=db --db-name=late');
    const message = (guess: string) => Buffer.concat([Buffer.from([0x0a, guess.length]), Buffer.from(guess), Buffer.from('\x12\x02db')]);
    // As many connections as it takes: on one a stranger has four calls at a time.
    const [connections, calls] = [75, 4];
    const channels = Array.from({ length: connections }, () =>
      RawChannel.open({ port: cluster.proxyPort, serverName: AUTH, hostCaPems: hostCas, localAddress: '127.0.0.77' }),
    );
    const key = generateKey().publicKeyDer;
    const keyed = (guess: string) => Buffer.concat([message(guess), Buffer.from([0x22, key.length]), key]);
    const guesses = channels.flatMap((channel) =>
      Array.from({ length: calls }, () =>
        channel.call({ path: '/postern.v1.Join/Join', messages: [keyed(randomBytes(16).toString('hex'))], waitMs: 20_000 }),
      ),
    );
    const startedMs = Date.now();
    expect((await enter(value)).hostId).toMatch(/^[0-9a-f-]{36}$/);
    expect(Date.now() - startedMs).toBeLessThan(5_000);
    const codes = new Set((await Promise.all(guesses)).map(({ code }) => code));
    for (const channel of channels) channel.close();
    expect(codes).toEqual(new Set(['denied', 'limit_exceeded']));
    const refused = (await logged('instance.join')).filter(
      (line) => line['success'] === false && String(line['addr.remote']).includes('127.0.0.77'),
    );
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(100);
  });

  it('JN-05 carry the labels of their token and not their own, and none of the cluster’s', async () => {
    const labelled = await enter(await token('--type=db --db-name=ledger --labels=env=prod'));
    const { refusals, effectiveLabels } = await announce(labelled, server('ledger', { labels: { env: 'dev', team: 'x' } }));
    expect(refusals).toEqual([]);
    expect(effectiveLabels['ledger']?.labels).toMatchObject({ env: 'prod' });
    const reserved = await announce(labelled, server('ledger', { labels: { 'teleport.dev/origin': 'dynamic' } }));
    expect(reserved.refusals.map(({ name }) => name)).toEqual(['ledger']);
    const shown = JSON.stringify(JSON.parse(await cluster.admin('tctl get db_server --format=json')));
    expect(shown).not.toContain('"env":"dev"');
  });

  it('JN-05 change labels of theirs in sight of the log, and rules go by those that auth holds', async () => {
    const labelled = await enter(await token('--type=db --db-name=payroll --labels=env=prod'));
    const says = (labels: Record<string, string>) => announce(labelled, server('payroll', { labels }));
    const all = "allow: { db_labels: { '*': '*' }, db_users: ['*'] }";
    const people = {
      noprod: `{ ${all}, deny: { db_labels: { env: prod } } }`,
      nodev: `{ ${all}, deny: { db_labels: { env: dev } } }`,
      dev: "{ allow: { db_labels: { env: dev }, db_users: ['*'] } }",
      noblue: `{ ${all}, deny: { db_labels: { team: blue } } }`,
    };
    const held = new Map<string, Held>();
    for (const [name, spec] of Object.entries(people)) {
      writeFileSync(join(cluster.dir, 'person.yaml'), `kind: role\nversion: v6\nmetadata: { name: ${name} }\nspec: ${spec}\n`);
      await cluster.admin('tctl create -f person.yaml');
      await cluster.admin(`tctl users add ${name} --roles=${name} --password-stdin`, { input: `${PASSWORD}\n` });
      held.set(name, await signInRaw(cluster.proxy, hostCas, { user: name, password: PASSWORD }));
    }
    // Whoever may not have it does not hear that it is there.
    const asks = (person: Held) => codeOf(sessionRaw(cluster.proxy, hostCas, person, { db: 'payroll', principal: 'Reader' }));
    const allMay = async () => Object.fromEntries(await Promise.all([...held].map(async ([name, person]) => [name, await asks(person)])));
    await says({ env: 'dev', team: 'red' });
    expect(await allMay()).toEqual({ noprod: 'not_found', nodev: 'ok', dev: 'not_found', noblue: 'ok' });
    // What is not bound by the token is the agent's to say, and whoever is denied by it is denied from then on.
    const { effectiveLabels } = await says({ env: 'dev', team: 'blue' });
    expect(effectiveLabels['payroll']?.labels).toEqual({ env: 'prod', team: 'blue' });
    expect(await allMay()).toEqual({ noprod: 'not_found', nodev: 'ok', dev: 'not_found', noblue: 'not_found' });
    await says({ env: 'dev', team: 'blue' });
    const about = (await logged('db_server.announced')).filter(({ resource, name }) => resource === 'db/payroll' || name === 'payroll');
    expect(new Set(about.map(({ code }) => code))).toEqual(new Set(['TPS01I', 'TPS02I']));
    expect(about).toHaveLength(2);
    expect(about.find(({ code }) => code === 'TPS02I')).toMatchObject({
      user: labelled.hostId,
      db_labels_before: { env: 'prod', team: 'red' },
      db_labels: { env: 'prod', team: 'blue' },
    });
    await says({ 'teleport.dev/origin': 'dynamic' });
    const refused = (await logged('db_server.refused')).filter(({ name }) => name === 'payroll');
    expect(refused).toMatchObject([{ success: false, user: labelled.hostId, error: expect.stringContaining('teleport.dev/') as unknown }]);
    expect(await allMay()).toMatchObject({ noprod: 'not_found', dev: 'not_found' });
  });

  it('JN-06 JN-07 say nothing in the name of a session that is not theirs, though they know its id', async () => {
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

  it('JN-04 serve nothing of others, fill no store and drive no terminal', async () => {
    const odd = [
      server('orders'),
      server('other', { description: 'd'.repeat(900_000) }),
      server('a\u009b31mb'),
      server('rogue', { labels: { env: 'a\n\u001b[2J' } }),
    ];
    const { refusals } = await announce(rogue, ...odd);
    expect(refusals.map(({ name }) => name)).toEqual(odd.map(({ name }) => name));
    const mine = (await logged('db_server.refused')).filter(({ user }) => user === rogue.hostId);
    expect(mine).toHaveLength(odd.length);
    expect(mine.find(({ name }) => name === 'orders')).toMatchObject({
      code: 'TPS01E',
      success: false,
      error: expect.stringMatching(/orders/) as unknown,
    });
    const shown = await cluster.admin('tctl get db_server --format=json');
    expect(shown.length).toBeLessThan(20_000);
    expect(shown).not.toMatch(/\\u001b|\\u009b|\u009b/);
  });

  it('JN-11 are out once they are locked', async () => {
    await cluster.admin(`tctl lock --server-id=${rogue.hostId}`);
    expect(await codeOf(callUnary(as(rogue), CertsService.renewHostCert, { publicKey: generateKey().publicKeyDer }))).toBe('locked');
    expect(await codeOf(announce(rogue, server('rogue')))).toBe('locked');
    const attached = await new Promise<string>((resolve) => {
      const client = dial(cluster.proxy, 'tunnel.postern.internal', hostCas, rogue);
      const stream = openDuplex(client, services.reverseTunnel.definition.carry);
      stream.on('data', () => resolve('data')).on('error', (error: Error) => resolve(error.message));
    });
    expect(attached).toMatch(/locked|UNAVAILABLE/);
  });

  it('JN-10 leave no token and no password on the disk of auth, and everything there is the owner’s alone', async () => {
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
