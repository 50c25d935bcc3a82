import { callUnary, Identity_Kind, LoginService } from '@postern/api';
import { generateKey } from '@postern/pki';
import { APP, appRole, ROLE_ARN, startAppAgent } from '@postern/test-harness/app-agent.ts';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { dial, type Held, sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { type RawAnswer, RawChannel } from '@postern/test-harness/raw-call.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUTH, CLUSTER, enter, forge, hostCasOf, localAdmin, TUNNEL } from '../identities/held.ts';
import { type Door, identities, type IdentityName, matrix, type Outcome, type Outcomes } from './matrix.ts';
import { requestOf } from './requests.ts';

const cannot = lacking('openssl');
const BRIEF_MS = 12_000;

describe.skipIf(cannot !== undefined)('TN-03 every method, called by everybody', () => {
  const stage = new Stage();
  const { cluster } = stage;
  const held = new Map<IdentityName, Held | undefined>();
  const refused: { readonly method: string; readonly identity: IdentityName; readonly door: Door; readonly address: string }[] = [];
  const channels: RawChannel[] = [];
  /** Opened while their certificate was good. */
  const stale = new Map<string, { readonly channel: RawChannel; readonly address: string }>();
  let hostCas: string[] = [];
  let serverNames: Record<Door, string>;
  let joinToken = '';
  let used = 0;

  /** Auth keeps count of refusals by address, so that each call has one of its own. */
  const nextAddress = () => `127.1.${(used >> 7) + 1}.${(used++ & 127) + 1}`;
  const open = (door: Door, who: Held | undefined, localAddress: string) => {
    const channel = RawChannel.open({
      port: cluster.proxyPort,
      serverName: serverNames[door],
      hostCaPems: hostCas,
      held: who,
      localAddress,
    });
    channels.push(channel);
    return channel;
  };

  beforeAll(async () => {
    await stage.open();
    await stage.attached(stage.agent('agent'));
    await startAppAgent(cluster);
    await appRole(cluster, 'console');
    await cluster.admin('tctl users update alice --set-roles=dynamo,console');
    hostCas = await hostCasOf(cluster);
    const token = async (type: string) => (await cluster.admin(`tctl tokens add --type=${type} --format=text`)).trim();
    joinToken = await token('db');
    await cluster.admin('tctl users add knocker --roles=access --password-stdin', { input: `${PASSWORD}\n` });
    const alice = await signInRaw(cluster.proxy, hostCas, { user: 'alice', password: PASSWORD });
    const session = await sessionRaw(cluster.proxy, hostCas, alice, { db: DATABASE, principal: ROLE });
    const atApp = await sessionRaw(cluster.proxy, hostCas, alice, { app: APP, principal: ROLE_ARN });
    serverNames = { auth: AUTH, tunnel: TUNNEL, db: sessionName(session.issued.ticket), app: sessionName(atApp.issued.ticket) };
    const identity = { kind: Identity_Kind.ADMIN, name: 'admin', cluster: CLUSTER, roles: ['editor'], traits: {}, route: undefined };
    held.set('none', undefined);
    held.set('elsewhere', await forge({ ...identity, sessionId: '', secondFactor: false, generation: '' }));
    held.set('dbAgent', await enter(cluster, { hostCas, token: joinToken, role: 'db' }));
    held.set('appAgent', await enter(cluster, { hostCas, token: await token('app'), role: 'app' }));
    held.set('proxy', await enter(cluster, { hostCas, token: await token('proxy'), role: 'proxy' }));
    held.set('user', await signInRaw(cluster.proxy, hostCas, { user: 'knocker', password: PASSWORD }));
    held.set('dbSession', session);
    held.set('appSession', atApp);
    held.set('admin', localAdmin(cluster));
    held.set('expired', await expired());
  });
  afterAll(async () => {
    for (const channel of channels) channel.close();
    await cluster.stop();
  });

  /** A sign-in of twelve seconds, with a connection for each method while it lasts. */
  async function expired(): Promise<Held> {
    const key = generateKey();
    const client = dial(cluster.proxy, AUTH, hostCas);
    const { certificatePem, validUntilMs } = await callUnary(client, LoginService.signIn, {
      user: 'knocker',
      password: PASSWORD,
      publicKey: key.publicKeyDer,
      ttlSeconds: BRIEF_MS / 1000,
      clientVersion: '0.1.0',
    });
    client.close();
    const brief = { certificatePem, privateKeyPem: key.privateKeyPem };
    await Promise.all(
      Object.entries(matrix).map(async ([method, doors]) => {
        if (doors.auth === undefined) return;
        const address = nextAddress();
        const channel = open('auth', brief, address);
        stale.set(method, { channel, address });
        expect(await call(channel, 'postern.v1.Status/GetStatus')).toMatchObject({ kind: 'answered' });
      }),
    );
    await until('the certificate to end', BRIEF_MS + 5_000, () => (Date.now() > validUntilMs + 1_000 ? true : undefined));
    return brief;
  }

  function call(channel: RawChannel, method: string): Promise<RawAnswer> {
    const sent = requestOf(method, { joinToken, user: 'knocker', password: PASSWORD });
    const headers = method.endsWith('/Connect') ? { 'postern-local-port': '8000' } : {};
    return channel.call({ path: `/${method}`, ...sent, headers, waitMs: 15_000 });
  }

  async function pokeUntil(settled: Promise<unknown>): Promise<void> {
    const isOver = () => Promise.race([settled.then(() => true), new Promise<false>((resolve) => setTimeout(() => resolve(false), 200))]);
    while (!(await isOver())) await call(open('auth', undefined, nextAddress()), 'postern.v1.Status/GetStatus');
  }

  async function knock(method: string, door: Door, identity: IdentityName): Promise<Outcome | RawAnswer> {
    const known = identity === 'expired' ? stale.get(method) : undefined;
    const address = known?.address ?? nextAddress();
    const channel = known?.channel ?? open(door, held.get(identity), address);
    const calling = call(channel, method);
    // Whoever tails the log hears something once somebody is refused.
    if (method.endsWith('/TailEvents')) await pokeUntil(calling);
    const answer = await calling;
    channel.close();
    const outcome = outcomeOf(answer);
    if (outcome !== undefined && outcome !== 'allowed' && outcome !== 'unimplemented') refused.push({ method, identity, door, address });
    return outcome ?? answer;
  }

  for (const [method, row] of Object.entries(matrix)) {
    it(method, async () => {
      for (const [door, outcomes] of Object.entries(row) as [Door, Outcomes][]) {
        const seen: Partial<Record<IdentityName, Outcome | RawAnswer>> = {};
        for (const identity of identities) seen[identity] = await knock(method, door, identity);
        expect([door, seen]).toEqual([door, outcomes]);
      }
    });
  }

  it('CA-03 a certificate past its end opens no connection, at whatever door', async () => {
    for (const door of ['auth', 'tunnel', 'db', 'app'] as const) {
      const channel = open(door, held.get('expired'), nextAddress());
      expect([door, await channel.call({ path: '/postern.v1.Status/GetStatus' })]).toMatchObject([door, { kind: 'cut' }]);
    }
  });

  it('no door serves what belongs behind another', async () => {
    for (const [door, who] of [
      ['auth', 'admin'],
      ['tunnel', 'proxy'],
      ['db', 'dbSession'],
      ['app', 'appSession'],
    ] as const) {
      const channel = open(door, held.get(who), nextAddress());
      for (const [method, row] of Object.entries(matrix)) {
        if (row[door] !== undefined) continue;
        expect([door, method, await channel.call({ path: `/${method}` })]).toMatchObject([door, method, { kind: 'status', status: 12 }]);
      }
    }
  });

  it('AU-06 each of them who was refused stands in the audit log, once, with his address', async () => {
    expect(refused.length).toBeGreaterThan(150);
    const wrong = async () => {
      const lines = JSON.parse(await cluster.admin('tctl audit ls -f json --limit 100000')) as Record<string, unknown>[];
      const at = ({ address }: { address: string }) => lines.filter((line) => String(line['addr.remote']).split(':')[0] === address);
      return refused.flatMap((who) => {
        const own = at(who).filter((line) => line['success'] === false);
        return own.length === 1 ? [] : [{ ...who, lines: own.length }];
      });
    };
    // An agent and a proxy send theirs each second.
    await until('them', 10_000, async () => ((await wrong()).length === 0 ? true : undefined)).catch(() => undefined);
    expect(await wrong()).toEqual([]);
  });
});

const ofStatus: Readonly<Record<number, Outcome>> = { 7: 'denied', 12: 'unimplemented', 16: 'unauthenticated' };

/** Undefined where nothing came in time, which is no answer to build on. */
function outcomeOf({ kind, status }: RawAnswer): Outcome | undefined {
  if (kind === 'cut') return 'cut';
  if (kind === 'answered') return 'allowed';
  if (kind === 'silent') return undefined;
  return ofStatus[status ?? 0] ?? 'allowed';
}
