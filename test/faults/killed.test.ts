import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { getItem, HANG_MS, Load } from '@postern/test-harness/load.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { auditLines, requestsIn } from '@postern/test-harness/check-audit.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';

const cannot = lacking('openssl');

describe.skipIf(cannot !== undefined)('processes killed while requests fly', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let one: Daemon;
  let tunnel: { port: number; daemon: Daemon };
  let load: Load | undefined;
  let aftermath: Aftermath;

  beforeAll(async () => {
    await stage.open();
    one = stage.agent('one');
    await stage.attached(one);
    tunnel = await stage.tunnel();
    aftermath = await Aftermath.before(cluster);
    load = new Load(tunnel.port);
  });
  afterAll(async () => {
    await load?.stop();
    await cluster.stop();
  });

  it('F-58 a second agent on the same data_dir is refused with a sentence, and the first goes on', async () => {
    const twin = stage.agent('twin', { data: 'one' });
    expect(await twin.exited).toBe(1);
    expect(twin.log()).toMatch(/spool .* is in use by another agent: stop that one first/);
    expect((await getItem(tunnel.port)).status).toBe(200);
  });

  it('F-06 an agent killed in mid-flight: what was open is closed as unknown, nobody signs in again, the port stays', async () => {
    const emulator = cluster.emulator;
    emulator?.child.kill('SIGSTOP');
    const open = Promise.all(Array.from({ length: 6 }, () => getItem(tunnel.port)));
    // The events of a request go to auth at once: its intent is seen there while its answer is still owed.
    await until('intents without outcome', 15_000, async () => {
      const lines = await auditLines(cluster);
      return requestsIn(lines, 'intent').length >= requestsIn(lines, 'outcome').length + 6 ? true : undefined;
    });
    await one.stop('SIGKILL');
    emulator?.child.kill('SIGCONT');
    for (const answer of await open) {
      expect(answer.status).not.toBe(200);
      expect(answer.tookMs).toBeLessThan(HANG_MS);
    }
    // The token is gone meanwhile, and the file no longer names it: the identity on the disk is enough.
    await cluster.admin(`tctl tokens rm ${stage.token}`);
    const said = one.log().length;
    one = stage.agent('one', { token: false });
    await stage.attached(one, said);
    expect(await stage.recovers(tunnel.port, 10_000)).toBeLessThan(10_000);
    expect(tunnel.daemon.child.exitCode).toBeNull();
    const { unknown } = await until('the unknown outcomes to be uploaded', 15_000, async () => {
      const outcomes = requestsIn(await auditLines(cluster), 'outcome');
      const found = outcomes.filter(({ outcome }) => outcome === 'unknown').length;
      return found >= 6 ? { unknown: found } : undefined;
    });
    expect(unknown).toBeGreaterThanOrEqual(6);
  });

  it('F-04 auth and proxy killed: a client hears 503 in AWS’s words, and everything comes back by itself', async () => {
    const killedMs = Date.now();
    const said = one.log().length;
    await cluster.authHost?.stop('SIGKILL');
    const refused = await getItem(tunnel.port);
    expect(refused.tookMs).toBeLessThan(HANG_MS);
    expect({ status: refused.status, body: refused.body }).toMatchObject({
      status: 503,
      body: expect.stringContaining('__type') as unknown,
    });
    cluster.startAuthHost();
    await cluster.proxyIsReady();
    await stage.attached(one, said);
    await stage.recovers(tunnel.port, 20_000);
    expect(Date.now() - killedMs).toBeLessThan(30_000);
    expect(tunnel.daemon.child.exitCode).toBeNull();
  });

  it('F-06 one of two agents killed: requests go to the other', async () => {
    stage.token = (await cluster.admin(`tctl tokens add --type=db --db-name=${DATABASE} --db-protocol=dynamodb --format=text`)).trim();
    const two = stage.agent('two');
    await stage.attached(two);
    // Twice with one token: the name is the token's, not the first host's.
    const three = stage.agent('three');
    await stage.attached(three);
    await one.stop();
    await until('requests at one of the two', 10_000, async () => ((await getItem(tunnel.port)).status === 200 ? true : undefined));
    const servers = async () =>
      new Set(
        requestsIn(await auditLines(cluster), 'intent')
          .slice(-8)
          .map(({ server_id }) => server_id),
      );
    for (let n = 0; n < 8; n += 1) expect((await getItem(tunnel.port)).status).toBe(200);
    const [serving] = await until('its events', 10_000, async () => {
      const ids = [...(await servers())];
      return ids.length === 1 ? ids : undefined;
    });
    const isTwo = two.log().includes(String(serving));
    const [dies, stays] = isTwo ? [two, three] : [three, two];
    const killedMs = Date.now();
    await dies.stop('SIGKILL');
    expect(await stage.recovers(tunnel.port, 5_000)).toBeLessThan(5_000);
    const broken = (load?.since(killedMs) ?? []).filter(({ status }) => status !== 200);
    expect(broken.filter(({ sentMs }) => sentMs > killedMs + 5_000)).toEqual([]);
    expect(stays.child.exitCode).toBeNull();
    const said = dies.log().length;
    const back = stage.agent(dies.name);
    await stage.attached(back, said);
  });

  it('an agent that is told of auth alone attaches to the proxies that auth lists', async () => {
    const pin = (await cluster.admin('tctl status')).match(/sha256:[0-9a-f]{64}/)?.[0] ?? '';
    const inside = stage.agent('inside', { reach: [`auth_server: ${cluster.authAddress}`, `ca_pin: ${pin}`] });
    await stage.attached(inside);
    await inside.stop();
  });

  it('F-24 a login that ends while its tunnel is open: the sentence, exit code 3, and no request after it', async () => {
    await stage.role('brief', '12s');
    await stage.user('bea', 'brief');
    const brief = await cluster.openTunnel('bea');
    expect((await getItem(brief.port)).status).toBe(200);
    const flying = new Load(brief.port, { connections: 2 });
    expect(await brief.daemon.exited).toBe(3);
    const endedMs = Date.now();
    expect(brief.daemon.log()).toMatch(/login of bea has expired: run tsh login/);
    const answers = await flying.stop();
    expect(answers.some(({ status }) => status === 200)).toBe(true);
    expect(answers.filter(({ status, sentMs }) => status === 200 && sentMs > endedMs)).toEqual([]);
    const again = await cluster.sh(`tsh proxy db --tunnel --db-user=${ROLE} ${DATABASE}`, { person: 'bea', timeoutMs: 10_000 });
    expect(again.code).toBe(3);
    await cluster.sh(`tsh login --proxy=${cluster.proxy} --user=bea`, { person: 'bea', input: `${PASSWORD}\n` });
  });

  it('through all of it nothing hung, and after it nothing is lost', async () => {
    const answers = (await load?.stop()) ?? [];
    expect(answers.filter(({ tookMs }) => tookMs > HANG_MS)).toEqual([]);
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(50);
    const { intents, unknown } = await aftermath.check({ port: tunnel.port });
    expect(intents).toBeGreaterThan(50);
    expect(unknown).toBeGreaterThanOrEqual(6);
  });
});
