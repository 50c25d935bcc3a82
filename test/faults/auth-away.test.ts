import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { getItem, HANG_MS, Load } from '@postern/test-harness/load.ts';
import { type Daemon, isAlive, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';
import { authAway, furnishForAway } from '#auth-away.ts';

const cannot = lacking('openssl');
async function tookMs(act: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await act();
  return performance.now() - startedMs;
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

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
    const load = new Load(ports.alice, { connections: 2 });
    const proxy = cluster.running().find(({ name }) => name === 'proxy-host');
    await pause(300);
    proxy?.child.kill('SIGSTOP');
    const frozenMs = Date.now();
    await pause(30_000);
    const during = load.since(frozenMs);
    proxy?.child.kill('SIGCONT');
    const thawedMs = Date.now();
    await until('requests again', 15_000, async () => ((await getItem(ports.alice)).status === 200 ? true : undefined));
    expect(Date.now() - thawedMs).toBeLessThan(15_000);
    const answers = await load.stop();
    expect(during.length).toBeGreaterThan(4);
    expect(during.filter(({ status }) => status === 200).map(({ sentMs }) => sentMs - frozenMs > 500)).not.toContain(true);
    expect(answers.filter(({ tookMs }) => tookMs > HANG_MS)).toEqual([]);
    // What was answered is an answer to GetItem of this table, and to no one else's question.
    expect(answers.filter(({ status, body }) => status === 200 && body !== '{}')).toEqual([]);
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
