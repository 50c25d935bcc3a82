import { writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { CertsService, callUnary, PresenceService } from '@postern/api';
import { generateKey } from '@postern/pki';
import { APP, appRole, ROLE_ARN, startAppAgent } from '@postern/test-harness/app-agent.ts';
import { busyness } from '@postern/test-harness/busyness.ts';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { dial, type Held, type HeldSession, sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { getItem } from '@postern/test-harness/load.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { RawChannel } from '@postern/test-harness/raw-call.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUTH, codeOf, enter, hostCasOf } from './held.ts';
import { prepareAws, useAll, useAllBare } from './under-way.ts';

const cannot = lacking('openssl');
const WITHIN_MS = 5_000;

describe.skipIf(cannot !== undefined)('what is taken away', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let hostCas: string[] = [];
  let agent: Daemon;
  const channel = (serverName: string, held: Held) => RawChannel.open({ port: cluster.proxyPort, serverName, hostCaPems: hostCas, held });
  const askFor = async (held: Held) => {
    const client = dial(cluster.proxy, AUTH, hostCas, held);
    const request = { resourceKind: 'db', resourceName: DATABASE, principal: ROLE, publicKey: generateKey().publicKeyDer, ttlSeconds: 0 };
    return codeOf(callUnary(client, CertsService.issueSessionCert, request)).finally(() => client.close());
  };
  /** A connection that stays open, and the first refusal on it after something was done. */
  async function refusedWithin(port: number, keepAlive: Agent, act: () => Promise<unknown>): Promise<string> {
    expect((await getItem(port, keepAlive)).status).toBe(200);
    await act();
    const refused = await until('the refusal', WITHIN_MS, async () => {
      const answer = await getItem(port, keepAlive);
      return answer.status === 200 ? undefined : answer;
    });
    const before = cluster.dynamoDbAtAws().length;
    await getItem(port, keepAlive);
    expect(cluster.dynamoDbAtAws()).toHaveLength(before);
    return refused.body;
  }
  /** One event that holds all of it. */
  const logged = async (event: string, fields: Readonly<Record<string, unknown>>) =>
    until(`${event} with ${JSON.stringify(fields)} in the log`, 15_000, async () => {
      const lines = JSON.parse(await cluster.admin(`tctl audit ls -f json --kind=${event} --limit 100000`)) as Record<string, unknown>[];
      const holds = (line: Record<string, unknown>) =>
        Object.entries(fields).every(([name, value]) => (value instanceof RegExp ? value.test(String(line[name])) : line[name] === value));
      return lines.find((line) => line['event'] === event && holds(line));
    });
  /** Asks for one certificate behind the other until it is refused. */
  async function askOnAndOn(held: Held) {
    for (let last: { readonly sentMs: number; readonly session: HeldSession } | undefined; ; ) {
      const sentMs = Date.now();
      try {
        last = { sentMs, session: await sessionRaw(cluster.proxy, hostCas, held, { db: DATABASE, principal: ROLE }) };
      } catch (error) {
        return { last, code: (error as { code?: unknown }).code };
      }
    }
  }

  beforeAll(async () => {
    await stage.open();
    agent = stage.agent('agent');
    await stage.attached(agent);
    hostCas = await hostCasOf(cluster);
    for (const name of ['bob', 'carol', 'dave', 'erin']) await stage.user(name, 'dynamo');
    await startAppAgent(cluster);
    await prepareAws(cluster);
    await appRole(cluster, 'console');
    await cluster.admin('tctl users update bob --set-roles=dynamo,auditor,console');
    await cluster.signIn('bob');
    const { port, daemon } = await cluster.openTunnel('alice');
    await stage.makeTable(port);
    await daemon.stop();
  });
  afterAll(async () => {
    // What was started in the background is nobody's child.
    await cluster.sh('tsh down', { person: 'bob' });
    await cluster.stop();
  });

  it('CA-07 a lock cuts all that its user has open, refuses him what is new, and lets him back when it is lifted', async () => {
    const bob = await signInRaw(cluster.proxy, hostCas, { user: 'bob', password: PASSWORD });
    const session = await sessionRaw(cluster.proxy, hostCas, bob, { db: DATABASE, principal: ROLE });
    const bare = await sessionRaw(cluster.proxy, hostCas, bob, { app: APP, principal: ROLE_ARN });
    const client = dial(cluster.proxy, sessionName(bare.issued.ticket), hostCas, bare);
    const { port } = await cluster.openTunnel('bob');
    const keepAlive = new Agent({ keepAlive: true, maxSockets: 1 });
    const tail = channel(AUTH, bob);
    const none = Buffer.from([0x22, 4, ...Buffer.from('none')]);
    const tailEnded = tail.call({ path: '/postern.v1.Audit/TailEvents', messages: [none], waitMs: 60_000 });
    const stream = channel(sessionName(session.issued.ticket), session);
    const streamEnded = stream.call({ path: '/postern.v1.AgentSession/Connect', end: false, waitMs: 60_000 });
    const things = (await Promise.all([useAll(cluster, 'bob'), useAllBare(client)])).flat();
    const asking = Array.from({ length: 4 }, () => askOnAndOn(bob));
    let lockedMs = 0;
    const told = refusedWithin(port, keepAlive, async () => {
      await cluster.admin("tctl lock --user=bob --message='under suspicion'");
      lockedMs = Date.now();
    });
    expect(await told).toMatch(/under suspicion|socket hang up|ECONNRESET|lock/);
    expect(await tailEnded).toMatchObject({ kind: 'status', status: 7, code: 'locked' });
    expect((await streamEnded).kind).not.toBe('silent');
    await stream.closed();
    expect(Date.now() - lockedMs).toBeLessThan(WITHIN_MS);
    expect(things).toHaveLength(6);
    for (const { what, ended } of things)
      expect([what, (await ended) - lockedMs]).toEqual([what, expect.toSatisfy((ms: number) => ms > -500 && ms < WITHIN_MS * busyness())]);
    client.close();
    for (const { last, code } of await Promise.all(asking)) {
      expect([code, last?.sentMs]).toEqual(['locked', expect.toSatisfy((ms: number) => ms <= lockedMs)]);
      if (last === undefined) continue;
      // What was on its way as the lock came is worth nothing.
      const late = channel(sessionName(last.session.issued.ticket), last.session);
      expect((await late.call({ path: '/postern.v1.AgentSession/Describe' })).kind).toBe('cut');
      late.close();
    }
    expect(await askFor(bob)).toBe('locked');
    const again = await cluster.sh(`tsh login --proxy=${cluster.proxy} --user=bob`, { person: 'bob', input: `${PASSWORD}\n` });
    expect(again.code).not.toBe(0);
    const refused = { user: 'bob', success: false };
    await logged('auth.refused', { ...refused, method: /IssueSessionCert$/, error: /^lock in force on user "bob"/ });
    await logged('auth.refused', { ...refused, method: /TailEvents$/, error: /^lock in force on user "bob"/ });
    await logged('user.login', { ...refused, error: /lock/ });
    await logged('db.session.end', { user: 'bob', sid: session.issued.sessionId, reason: 'locked' });
    await until('an end of each session of the application, and an outcome of all that it had under way', 15_000, async () => {
      const lines = JSON.parse(await cluster.admin('tctl audit ls -f json --user=bob --limit 1000')) as Record<string, unknown>[];
      const ofApp = lines.filter(({ event }) => String(event).startsWith('app.session.'));
      const ends = ofApp.filter(({ event, reason }) => event === 'app.session.end' && reason === 'locked');
      return ends.length >= 2 && ofApp.filter(({ phase }) => phase === 'outcome').length >= things.length ? true : undefined;
    });
    const [lock] = JSON.parse(await cluster.admin('tctl get locks --format=json')) as { metadata: { name: string } }[];
    await cluster.admin(`tctl rm lock/${lock?.metadata.name ?? ''}`);
    expect(await askFor(bob)).toBe('ok');
    expect(
      (
        await until('bob to be back', WITHIN_MS, async () => {
          const answer = await getItem(port);
          return answer.status === 200 ? answer : undefined;
        })
      ).status,
    ).toBe(200);
    tail.close();
    keepAlive.destroy();
  });

  it('CA-09 a rule that denies counts on a connection that is open, and so do a role that is gone and a user who is', async () => {
    for (const [person, act] of [
      ['carol', () => denyAll()],
      ['dave', () => cluster.admin('tctl users update dave --set-roles=access')],
      ['erin', () => cluster.admin('tctl users rm erin')],
    ] as const) {
      const { port, daemon } = await cluster.openTunnel(person);
      const keepAlive = new Agent({ keepAlive: true, maxSockets: 1 });
      expect([person, await refusedWithin(port, keepAlive, act)]).toEqual([
        person,
        expect.stringMatching(/AccessDenied|hang up|ECONNRESET|ECONNREFUSED/) as unknown,
      ]);
      keepAlive.destroy();
      await daemon.stop();
      if (person === 'carol') await cluster.admin('tctl create -f dynamo.yaml');
    }
  });
  async function denyAll(): Promise<void> {
    const role = `kind: role\nversion: v6\nmetadata: { name: dynamo }\nspec:\n  allow: { db_labels: { '*': '*' }, db_users: ['${ROLE}'] }\n  deny: { db_labels: { '*': '*' } }\n`;
    writeFileSync(join(cluster.dir, 'denying.yaml'), role);
    await cluster.admin('tctl create -f denying.yaml');
  }

  it('CA-08 TN-09 a locked agent is cut off within five seconds, announces nothing and renews nothing', async () => {
    const token = (await cluster.admin('tctl tokens add --type=db --db-name=other --format=text')).trim();
    const other = await enter(cluster, { hostCas, token, role: 'db' });
    const announce = () => {
      const client = dial(cluster.proxy, AUTH, hostCas, other);
      const request = { servers: [], nodeName: 'other', version: '0.1.0' };
      return codeOf(callUnary(client, PresenceService.announceServers, request)).finally(() => client.close());
    };
    expect(await announce()).toBe('ok');
    await cluster.admin(`tctl lock --server-id=${other.hostId}`);
    expect(await announce()).toBe('locked');
    const { port } = await cluster.openTunnel('alice');
    expect((await getItem(port)).status).toBe(200);
    const [server] = JSON.parse(await cluster.admin('tctl get db_server --format=json')) as { spec: { host_id: string } }[];
    const seen = agent.log().length;
    await cluster.admin(`tctl lock --server-id=${server?.spec.host_id ?? ''}`);
    await until('it to be cut off', WITHIN_MS, async () => ((await getItem(port)).status === 200 ? undefined : true));
    await until('it to say so', WITHIN_MS, () => (/locked|refused|detached|lost/.test(agent.log().slice(seen)) ? true : undefined));
    await logged('proxy.refused', { success: false, door: 'tunnel', error: /locked/ });
    const before = cluster.dynamoDbAtAws().length;
    expect((await getItem(port)).status).not.toBe(200);
    expect(cluster.dynamoDbAtAws()).toHaveLength(before);
  });
});
