import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { type Answer, call, getItem, HANG_MS, Load, putItem } from '@postern/test-harness/load.ts';
import { type Daemon, isAlive, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';
import { authAway, furnishForAway } from '#auth-away.ts';

const cannot = lacking('openssl');
const OWN_ITEMS = 40;
async function tookMs(act: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await act();
  return performance.now() - startedMs;
}
/** The same item, in whatever order of its names. */
const isSame = (body: string, owed = '') => isDeepStrictEqual(JSON.parse(body), JSON.parse(owed));
/** Requests one behind the other without waiting for answers; how many were answered with 400. */
async function pipelined(
  port: number,
  { operation, count, connections }: { readonly operation: string; readonly count: number; readonly connections: number },
): Promise<number> {
  const head = `POST / HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: application/x-amz-json-1.0\r\n`;
  const asked = `${head}X-Amz-Target: DynamoDB_20120810.${operation}\r\nContent-Length: 2\r\n\r\n{}`;
  const one = async (): Promise<number> => {
    const socket = connect(port, '127.0.0.1');
    socket.write(asked.repeat(count));
    let [answered, rest] = [0, ''];
    for await (const piece of socket) {
      const parts = (rest + String(piece)).split('HTTP/1.1 400');
      answered += parts.length - 1;
      rest = (parts.at(-1) ?? '').slice(-12);
      if (answered === count) break;
    }
    return answered;
  };
  const answers = await Promise.all(Array.from({ length: connections }, one));
  return answers.reduce((sum, answered) => sum + answered, 0);
}

describe.skipIf(cannot !== undefined)('auth and the proxy away, each on a host of its own', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let ports = { alice: 0, sam: 0 };
  let aftermath: Aftermath;
  let agent: Daemon;

  beforeAll(async () => {
    await stage.open({ apart: true });
    agent = stage.agent('one');
    await stage.attached(agent);
    ports = await furnishForAway(stage);
    aftermath = await Aftermath.before(cluster);
  });
  afterAll(async () => {
    for (const daemon of cluster.running()) daemon.child.kill('SIGCONT');
    await cluster.stop();
  });

  authAway(stage, () => ports, { forMs: 10_000, aftermath: () => aftermath });

  it('F-22 an agent that is started while auth is away waits for it, lets nobody in meanwhile, and serves once it is back', async () => {
    await agent.stop('SIGKILL');
    await cluster.authHost?.stop('SIGKILL');
    const said = agent.log().length;
    agent = stage.agent('one', { token: false });
    await until('it to miss auth more than once', 30_000, () => {
      if (!isAlive(agent)) throw new Error(`it exited ${agent.child.exitCode}:\n${agent.log().slice(said)}`);
      return agent.log().slice(said).split('the watch on auth was lost').length > 3 ? true : undefined;
    });
    expect((await getItem(ports.alice)).status).toBe(503);
    cluster.startAuthHost();
    await stage.recovers(ports.alice, 30_000);
  });

  // Its kernel goes on accepting: browsers hung for 30 s and got no answer, programs for 5 s, and 10 s where they ask twice.
  // One user's refusals filled the agent's spool: everybody else was refused as well, and the log had nothing of what came after.
  it('F-22 auth killed while one user is refused tens of thousands of times: others go on, and each refusal is in the log or in a count', async () => {
    const mallory = await cluster.openTunnel('carol');
    await cluster.authHost?.stop('SIGKILL');
    const said = agent.log().length;
    const load = new Load(ports.alice, { connections: 2 });
    // More than the share of one user: each is some 1.5 kB on the agent's disk.
    const refused = await pipelined(mallory.port, { operation: 'N'.repeat(240), count: 6_000, connections: 4 });
    expect(refused).toBe(24_000);
    expect(agent.log().slice(said)).toContain('audit events find no room');
    expect((await call(ports.sam, 'NoSuchOperation', {})).status).toBe(400);
    expect((await load.stop()).filter(({ status }) => status !== 200)).toEqual([]);
    cluster.startAuthHost();
    await cluster.proxyIsReady();
    type Line = { readonly event: string; readonly user: string; readonly target?: string; readonly not_recorded?: number };
    const lines = async () => JSON.parse(await cluster.admin('tctl audit ls -f json --oldest-first --limit 1000000')) as Line[];
    const isOne = ({ target }: Line) => target?.includes('NNN') === true;
    let all: readonly Line[] = [];
    await until('each of them in the log', 30_000, async () => {
      all = (await lines().catch(() => [])).filter(({ user }) => user === 'carol' || user === 'sam');
      const counted = all.reduce((sum, line) => sum + (line.not_recorded ?? 0), 0);
      return counted > 0 && all.filter(isOne).length + counted === refused ? true : undefined;
    });
    expect(all.filter(({ event }) => event === 'agent.events.not_recorded').map(({ user }) => user)).not.toContain('sam');
    expect(all.filter(({ user, target }) => user === 'sam' && target?.includes('NoSuchOperation') === true)).toHaveLength(1);
    await mallory.daemon.stop();
  });

  it('F-22 auth frozen: a kept certificate opens a new tunnel, and what cannot be had is refused within 2 s, to browsers too', async () => {
    const page = (path: string, more = '') => `curl -sk -b jar -c jar ${more} -w '\\n%{http_code}' 'https://${cluster.proxy}${path}'`;
    const csrf = /name="_csrf" value="([^"]+)"/.exec(await cluster.mustSh(page('/web/login')))?.[1] ?? '';
    const form = (password: string) =>
      `--data-urlencode '_csrf=${csrf}' --data-urlencode user=carol --data-urlencode 'password=${password}' -H 'Origin: https://${cluster.proxy}'`;
    expect(await cluster.mustSh(page('/web/login', form(PASSWORD)))).toMatch(/303$/);
    expect(await cluster.mustSh(page('/web'))).toMatch(/200$/);
    const load = new Load(ports.alice, { connections: 2 });
    cluster.authHost?.child.kill('SIGSTOP');
    try {
      const startedMs = performance.now();
      await cluster.sh('tsh status');
      const startMs = performance.now() - startedMs;
      const refused = async (line: string, expected: object, input = '') => {
        const askedMs = performance.now();
        const said = await cluster.sh(line, { input, timeoutMs: 30_000, person: 'carol' });
        expect({ line, ...said }).toMatchObject(expected);
        expect([line, performance.now() - askedMs < 2_000 + Math.max(1_500, 3 * startMs)]).toEqual([line, true]);
      };
      const away = { code: 6, stderr: expect.stringMatching(/the proxy at \S+ cannot reach auth: it is down or restarting/) as unknown };
      await refused(`tsh login --proxy=${cluster.proxy} --user=carol`, away, `${PASSWORD}\n`);
      await refused(`tsh db login --db-user=${ROLE} ${DATABASE}`, away);
      await refused('tsh apps login aws', away);
      await refused('tsh db ls', { code: 0, stdout: expect.stringContaining(DATABASE) as unknown });
      for (const path of ['/web', '/web/launch/aws?role=Reader'])
        await refused(page(path), { code: 0, stdout: expect.stringMatching(/Auth does not answer now.*\n503$/s) as unknown });
      const fresh = await cluster.openTunnel('carol');
      expect((await getItem(fresh.port)).status).toBe(200);
      await fresh.daemon.stop();
    } finally {
      cluster.authHost?.child.kill('SIGCONT');
    }
    await until('a sign-in again', 15_000, () => cluster.signIn('carol').catch(() => undefined));
    await cluster.mustSh(`tsh db login --db-user=${ROLE} ${DATABASE}`, { person: 'carol' });
    expect((await load.stop()).filter(({ status }) => status !== 200)).toEqual([]);
  });

  it('F-39 auth stands still for 5 s, as if its event loop were blocked: requests go on, and it answers within 2 s after', async () => {
    const usualMs = await tookMs(() => cluster.admin('tctl status'));
    const load = new Load(ports.alice, { connections: 2 });
    const frozenMs = Date.now();
    cluster.authHost?.child.kill('SIGSTOP');
    await pause(5_000);
    cluster.authHost?.child.kill('SIGCONT');
    let thawedMs: number;
    try {
      thawedMs = await tookMs(() => cluster.admin('tctl status'));
    } finally {
      await load.stop();
    }
    // Starting the program is no part of it.
    expect(thawedMs).toBeLessThan(2_000 + 2 * usualMs);
    expect(load.answers.filter(({ status, sentMs }) => status !== 200 && sentMs >= frozenMs)).toEqual([]);
  });

  it('F-38 the proxy frozen for 30 s: clients are told and not held, and after it requests go to whom they were meant for', async () => {
    // Each request asks for an item of its own, in two sessions: an answer tells whose question it is an answer to.
    const owed = new Map<Answer, string>();
    const loadOf = async (person: 'alice' | 'sam') => {
      const port = ports[person];
      for (let n = 0; n < OWN_ITEMS; n += 1) {
        expect((await putItem(port, `${person}-${n}`, `of ${person}: ${n}`)).status).toBe(200);
        aftermath.ledger.item(`${person}-${n}`, `of ${person}: ${n}`);
      }
      let count = 0;
      return new Load(
        async (connection) => {
          const n = count++ % OWN_ITEMS;
          const Key = { id: { S: `${person}-${n}` } };
          const answer = await call(port, 'GetItem', { TableName: 'faults', Key }, { agent: connection });
          owed.set(answer, JSON.stringify({ Item: { ...Key, value: { S: `of ${person}: ${n}` } } }));
          return answer;
        },
        { connections: 8 },
      );
    };
    const loads = await Promise.all([loadOf('alice'), loadOf('sam')]);
    const proxy = cluster.running().find(({ name }) => name === 'proxy-host');
    await pause(300);
    proxy?.child.kill('SIGSTOP');
    const frozenMs = Date.now();
    await pause(30_000);
    const during = loads.flatMap((load) => load.since(frozenMs));
    proxy?.child.kill('SIGCONT');
    const thawedMs = Date.now();
    for (const port of [ports.alice, ports.sam])
      await until('requests again', 15_000, async () => ((await getItem(port)).status === 200 ? true : undefined));
    expect(Date.now() - thawedMs).toBeLessThan(15_000);
    // What came too late for whoever asked has time to go astray.
    await pause(1_000);
    const answers = (await Promise.all(loads.map((load) => load.stop()))).flat();
    expect(during.length).toBeGreaterThan(4);
    expect(during.filter(({ status }) => status === 200).map(({ sentMs }) => sentMs - frozenMs > 500)).not.toContain(true);
    expect(answers.filter(({ tookMs }) => tookMs > HANG_MS)).toEqual([]);
    const served = answers.filter(({ status }) => status === 200);
    for (const [from, to] of [
      [0, frozenMs],
      [thawedMs, Number.POSITIVE_INFINITY],
    ] as const)
      expect(served.filter(({ sentMs }) => sentMs >= from && sentMs < to).length).toBeGreaterThan(OWN_ITEMS);
    expect(served.filter((answer) => !isSame(answer.body, owed.get(answer))).map(({ body }) => body)).toEqual([]);
  });

  it('F-05 the proxy killed while requests fly: an error and no hang, nobody signs in again, tunnels back within 15 s', async () => {
    const load = new Load(ports.alice, { connections: 4 });
    await pause(300);
    await cluster
      .running()
      .find(({ name }) => name === 'proxy-host')
      ?.stop('SIGKILL');
    const killedMs = Date.now();
    cluster.startProxyHost();
    await cluster.proxyIsReady();
    await stage.recovers(ports.alice, 15_000);
    expect(Date.now() - killedMs).toBeLessThan(15_000);
    expect((await load.stop()).filter(({ tookMs }) => tookMs > HANG_MS)).toEqual([]);
  });

  it('after all of it nothing is lost', async () => {
    await aftermath.check({ port: ports.alice });
  });
});
