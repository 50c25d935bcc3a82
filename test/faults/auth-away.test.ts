import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { getItem, HANG_MS, Load } from '@postern/test-harness/load.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { authAway, furnishForAway } from '#auth-away.ts';

const cannot = lacking('openssl');
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(cannot !== undefined)('auth and the proxy away, each on a host of its own', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let ports = { alice: 0, sam: 0 };
  let aftermath: Aftermath;

  beforeAll(async () => {
    await stage.open({ apart: true });
    await stage.attached(stage.agent('one'));
    ports = await furnishForAway(stage);
    aftermath = await Aftermath.before(cluster);
  });
  afterAll(async () => {
    for (const daemon of cluster.running()) daemon.child.kill('SIGCONT');
    await cluster.stop();
  });

  authAway(stage, () => ports, { forMs: 10_000, aftermath: () => aftermath });

  it('F-39 auth stands still for 5 s, as if its event loop were blocked: requests go on, and it answers within 2 s after', async () => {
    const load = new Load(ports.alice, { connections: 2 });
    const frozenMs = Date.now();
    cluster.authHost?.child.kill('SIGSTOP');
    await pause(5_000);
    cluster.authHost?.child.kill('SIGCONT');
    const askedMs = Date.now();
    await cluster.admin('tctl status');
    expect(Date.now() - askedMs).toBeLessThan(2_000);
    expect((await load.stop()).filter(({ status, sentMs }) => status !== 200 && sentMs >= frozenMs)).toEqual([]);
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
