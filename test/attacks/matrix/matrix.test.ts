import { APP, appRole, ROLE_ARN, startAppAgent } from '@postern/test-harness/app-agent.ts';
import { busyness } from '@postern/test-harness/busyness.ts';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { type Held, sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { type RawAnswer, RawChannel } from '@postern/test-harness/raw-call.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUTH, enter, hostCasOf, localAdmin, TUNNEL } from '../identities/held.ts';
import { stolenAuthorities } from '../identities/stolen-authorities.ts';
import { briefTwin, foreignTwins } from '../identities/twins.ts';
import { type Door, identities, type IdentityName, matrix, type Outcome, type Outcomes, servedTo } from './matrix.ts';
import { requestOf } from './requests.ts';

const cannot = lacking('openssl');
/** Each method is called once by each who may in that time. */
const BRIEF_MS = 15_000 * Math.min(2, busyness());

interface At {
  readonly method: string;
  readonly door: Door;
  readonly identity: IdentityName;
}
const userOf = (identity: IdentityName) => `knocker-${identity.toLowerCase()}`;

describe.skipIf(cannot !== undefined)('TN-03 every method, called by everybody', () => {
  const stage = new Stage();
  const { cluster } = stage;
  const held = new Map<IdentityName, Held | undefined>();
  const refused: (At & { readonly address: string })[] = [];
  const channels: RawChannel[] = [];
  /** Who ended: of each who may, a twin whose certificate lasted a moment. */
  const ended = new Map<IdentityName, Held>();
  /** What each of them opened before, by method, door and who. */
  const stale = new Map<string, { readonly channel: RawChannel; readonly address: string }>();
  /** Of each who may, twins that are right but for who made them. */
  const foreign = new Map<IdentityName, Readonly<Record<string, Held>>>();
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
    // Sign-ins are counted by user.
    for (const name of ['knocker', ...identities.map(userOf)])
      await cluster.admin(`tctl users add ${name} --roles=access --password-stdin`, { input: `${PASSWORD}\n` });
    const alice = await signInRaw(cluster.proxy, hostCas, { user: 'alice', password: PASSWORD });
    const session = await sessionRaw(cluster.proxy, hostCas, alice, { db: DATABASE, principal: ROLE });
    const atApp = await sessionRaw(cluster.proxy, hostCas, alice, { app: APP, principal: ROLE_ARN });
    serverNames = { auth: AUTH, tunnel: TUNNEL, db: sessionName(session.issued.ticket), app: sessionName(atApp.issued.ticket) };
    held.set('none', undefined);
    held.set('dbAgent', await enter(cluster, { hostCas, token: joinToken, role: 'db' }));
    held.set('appAgent', await enter(cluster, { hostCas, token: await token('app'), role: 'app' }));
    held.set('proxy', await enter(cluster, { hostCas, token: await token('proxy'), role: 'proxy' }));
    held.set('user', await signInRaw(cluster.proxy, hostCas, { user: 'knocker', password: PASSWORD }));
    held.set('dbSession', session);
    held.set('appSession', atApp);
    held.set('admin', localAdmin(cluster));
    const authorities = stolenAuthorities(cluster);
    for (const [name, who] of held) if (who !== undefined) foreign.set(name, await foreignTwins(who, authorities));
    for (const [name, who] of held) if (who !== undefined) ended.set(name, await briefTwin(who, authorities, BRIEF_MS));
    const endMs = Date.now() + BRIEF_MS;
    await useWhileGood();
    expect(Date.now()).toBeLessThan(endMs - 1_000);
    await until('the certificates to end', BRIEF_MS + 5_000, () => (Date.now() > endMs + 1_000 ? true : undefined));
  }, 120_000);
  afterAll(async () => {
    for (const channel of channels) channel.close();
    await cluster.stop();
  });

  /** Each whose certificate is about to end calls what he may, and stays connected. */
  async function useWhileGood(): Promise<void> {
    const wrong: object[] = [];
    for (const [method, row] of Object.entries(matrix))
      for (const [door, outcomes] of Object.entries(row) as [Door, Outcomes][])
        for (const identity of servedTo(outcomes)) {
          const address = nextAddress();
          const channel = open(door, ended.get(identity), address);
          stale.set(`${method} ${door} ${identity}`, { channel, address });
          const answer = await called(channel, { method, door, identity });
          // Nobody gets a console for so short a time.
          const expected = method.endsWith('/SignInToConsole') && door === 'app' ? 'denied' : outcomes[identity];
          if (outcomeOf(answer) !== expected) wrong.push({ method, door, identity, expected, answer });
        }
    expect(wrong).toEqual([]);
  }

  function call(channel: RawChannel, method: string, user = 'knocker'): Promise<RawAnswer> {
    const sent = requestOf(method, { joinToken, user, password: PASSWORD });
    const headers = method.endsWith('/Connect') ? { 'postern-local-port': '8000' } : {};
    return channel.call({ path: `/${method}`, ...sent, headers, waitMs: 15_000 });
  }

  async function pokeUntil(settled: Promise<unknown>): Promise<void> {
    const isOver = () => Promise.race([settled.then(() => true), new Promise<false>((resolve) => setTimeout(() => resolve(false), 200))]);
    while (!(await isOver())) await call(open('auth', undefined, nextAddress()), 'postern.v1.Status/GetStatus');
  }

  async function called(channel: RawChannel, { method, identity }: At): Promise<RawAnswer> {
    const calling = call(channel, method, userOf(identity));
    // Whoever tails the log hears something once somebody is refused.
    if (method.endsWith('/TailEvents')) await pokeUntil(calling);
    return calling;
  }

  async function knock(at: At, by: { readonly channel: RawChannel; readonly address: string }): Promise<Outcome | RawAnswer> {
    // A connection that ended with its certificate is nobody's refusal.
    const wasOpen = by.channel.isOpen;
    const answer = await called(by.channel, at);
    by.channel.close();
    const outcome = outcomeOf(answer);
    if (wasOpen && outcome !== undefined && outcome !== 'allowed' && outcome !== 'unimplemented')
      refused.push({ ...at, address: by.address });
    return outcome ?? answer;
  }
  function knockAs(at: At, who: Held | undefined): Promise<Outcome | RawAnswer> {
    const address = nextAddress();
    return knock(at, { channel: open(at.door, who, address), address });
  }

  /** What one kind of caller hears; of twins, what each of them hears where it is not the same. */
  async function seenBy(at: At, served: readonly IdentityName[]): Promise<unknown> {
    const { method, door, identity } = at;
    if (identity !== 'expired' && identity !== 'elsewhere') return knockAs(at, held.get(identity));
    const seen: [string, Outcome | RawAnswer][] = [];
    for (const name of served) {
      const known = stale.get(`${method} ${door} ${name}`);
      if (identity === 'expired' && known !== undefined) seen.push([name, await knock(at, known)]);
      if (identity === 'elsewhere') seen.push([name, await knockAs(at, foreign.get(name)?.['of another cluster of this name'])]);
    }
    const [first] = seen;
    return first !== undefined && seen.every(([, outcome]) => outcome === first[1]) ? first[1] : seen;
  }

  for (const [method, row] of Object.entries(matrix)) {
    it(method, async () => {
      for (const [door, outcomes] of Object.entries(row) as [Door, Outcomes][]) {
        const seen: Partial<Record<IdentityName, unknown>> = {};
        for (const identity of identities) seen[identity] = await seenBy({ method, door, identity }, servedTo(outcomes));
        expect([door, seen]).toEqual([door, outcomes]);
      }
    });
  }

  /** Everybody who would be let in at the door. */
  async function everyoneKnocks(door: Door, who: (name: IdentityName) => readonly Held[]): Promise<void> {
    for (const identity of admitted[door]) {
      const held = who(identity);
      expect(held.length).toBeGreaterThan(0);
      for (const [n, one] of held.entries()) {
        const outcome = await knockAs({ method: 'postern.v1.Status/GetStatus', door, identity }, one);
        expect([door, identity, n, outcome]).toEqual([door, identity, n, 'cut']);
      }
    }
  }

  it.each(['auth', 'tunnel', 'db', 'app'] as const)('CA-03 a certificate past its end opens no connection at the door %s', (door) =>
    everyoneKnocks(door, (name) => [ended.get(name)].filter((one) => one !== undefined)),
  );

  it.each(['auth', 'tunnel', 'db', 'app'] as const)(
    'CA-02 a certificate of another cluster, or of the authority for other kinds, opens no connection at the door %s',
    (door) => everyoneKnocks(door, (name) => Object.values(foreign.get(name) ?? {}).slice(door === 'auth' ? 1 : 0)),
  );

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

  // Auth writes down 300 a minute.
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

/** Who, with a good certificate, may connect. */
const admitted: Readonly<Record<Door, readonly IdentityName[]>> = {
  auth: ['dbAgent', 'appAgent', 'proxy', 'user', 'dbSession', 'appSession', 'admin'],
  tunnel: ['dbAgent', 'appAgent', 'proxy'],
  db: ['dbSession'],
  app: ['appSession'],
};

const ofStatus: Readonly<Record<number, Outcome>> = {
  // Whoever is told what is wrong with the request, or with what it is about, has been let in: that it is malformed (3), or about something that
  // is not there (5), is there already (6) or is not fit for it (9).
  3: 'allowed',
  5: 'allowed',
  6: 'allowed',
  9: 'allowed',
  7: 'denied',
  12: 'unimplemented',
  16: 'unauthenticated',
};

/** Undefined where nothing came in time, or what proves nothing: a fault of the server's (2, 13, 14), a limit, an answer without a status. */
function outcomeOf({ kind, status, details }: RawAnswer): Outcome | undefined {
  if (kind === 'cut') return 'cut';
  // An agent that has not attached is told so by nobody but who has let it in.
  if (kind === 'answered' || details === 'attach before opening carry streams') return 'allowed';
  return kind === 'silent' || status === undefined ? undefined : ofStatus[status];
}
