import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { auditLines, requestsIn } from '@postern/test-harness/check-audit.ts';
import { PASSWORD } from '@postern/test-harness/cluster.ts';
import { breakInside } from '@postern/test-harness/inspector.ts';
import { getItem, HANG_MS, Load, putItem } from '@postern/test-harness/load.ts';
import { type Daemon, isAlive, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { type Door, firstBytes, grpcOfAuth, localPort, webServer } from '#doors.ts';
import { mutationsOf } from '#mutations.ts';

const cannot = lacking('openssl');
const MUTATIONS = 200;
const AT_ONCE = 20;
/** What is not answered by then waits for more bytes. */
const STRIKE_MS = 400;
/** What a process says of an error that it did not expect. */
const UNEXPECTED = /an error that nobody caught|failed unexpectedly|a call of a session failed|TypeError|RangeError/;

describe.skipIf(cannot !== undefined)('an error that nobody foresaw', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let aftermath: Aftermath;
  let agent: Daemon;
  let port = 0;

  const part = (which: 'auth' | 'proxy' | 'agent') => {
    const daemon = { auth: cluster.authHost, proxy: cluster.proxyHost, agent }[which];
    if (daemon === undefined) throw new Error(`${which} does not run`);
    return daemon;
  };
  const attach = async () => {
    const said = agent.log().length;
    agent = stage.agent('one', { token: false });
    await stage.attached(agent, said);
  };

  beforeAll(async () => {
    await stage.open({ apart: true });
    agent = stage.agent('one');
    await stage.attached(agent);
    port = (await stage.tunnel()).port;
    aftermath = await Aftermath.before(cluster);
  });
  afterAll(() => cluster.stop());

  it.each([
    ['the local port of tsh', () => localPort(port)],
    ['the proxy’s port', () => firstBytes(cluster.proxyPort)],
    ['the proxy’s web server', () => webServer(cluster.proxyPort)],
    ['auth, through the proxy', () => grpcOfAuth(cluster.proxyPort)],
    ['auth’s own port', () => grpcOfAuth(Number(cluster.authAddress.split(':')[1]))],
  ] as const)('F-59 bytes that are nearly right, at %s: what they ask fails, everybody lives, the next is served', async (_where, door) => {
    const daemons = cluster.running();
    const said = daemons.map((daemon) => daemon.log().length);
    const seed = Date.now() % 2 ** 31;
    const attacked = await door();
    await strikeAll(attacked, mutationsOf(attacked.corpus, { seed, count: MUTATIONS }));
    const told = daemons.map((daemon, n) => daemon.log().slice(said[n])).filter((log) => UNEXPECTED.test(log));
    expect({ seed, dead: daemons.filter((daemon) => !isAlive(daemon)).map(({ name }) => name), told }).toEqual({
      seed,
      dead: [],
      told: [],
    });
    expect((await getItem(port)).status).toBe(200);
  });

  it.each(['thrown', 'rejected'] as const)(
    'F-59 the agent, an error %s that is nobody’s, auth away: it says so, ends what is under way, writes it down, and exits',
    async (how) => {
      await cluster.authHost?.stop('SIGKILL');
      await cluster.awsFault('PutItem', { delayMs: 1_500, times: 1 });
      const puts = () => cluster.dynamoDbAtAws().filter(({ operation }) => operation === 'PutItem').length;
      const before = puts();
      const said = agent.log().length;
      const sent = putItem(port, `under-way-${how}`, 'x');
      await until('AWS to have it', 10_000, () => (puts() > before ? true : undefined));
      await breakInside(agent, how);
      expect((await sent).status).toBe(200);
      aftermath.ledger.item(`under-way-${how}`, 'x');
      expect(await agent.exited).toBe(1);
      const log = agent.log().slice(said);
      expect(log).toMatch(/an error that nobody caught/);
      expect(log).toMatch(/provoked from outside/);
      expect(log).toMatch(/stopped after an error that nobody caught/);

      cluster.startAuthHost();
      await cluster.proxyIsReady();
      await attach();
      await stage.recovers(port, 15_000);
      // The spool was written before the exit: an outcome that only the next start made up would be `unknown`.
      const outcome = await until('the outcome', 15_000, async () => {
        const lines = await auditLines(cluster);
        const intent = requestsIn(lines, 'intent').findLast(({ operation }) => operation === 'PutItem');
        return requestsIn(lines, 'outcome').find(({ request_id }) => request_id === intent?.request_id);
      });
      expect(outcome).toMatchObject({ outcome: 'answered' });
    },
  );

  it('F-59 the proxy: it says so and exits, nobody is held, and everything is back with it', async () => {
    const proxy = part('proxy');
    const load = new Load(port, { connections: 2 });
    await breakInside(proxy, 'thrown');
    expect(await proxy.exited).toBe(1);
    expect(proxy.log()).toMatch(/an error that nobody caught/);
    cluster.startProxyHost();
    await cluster.proxyIsReady();
    // The agent has tried in vain for as long as the proxy took to end what was under way.
    await stage.recovers(port, 30_000);
    expect((await load.stop()).filter(({ tookMs }) => tookMs > HANG_MS)).toEqual([]);
  });

  it('F-59 auth, while users are made: what it acknowledged is there, and requests go on meanwhile', async () => {
    const auth = part('auth');
    const load = new Load(port, { connections: 2 });
    const making = Promise.all(
      Array.from({ length: 6 }, async (_, n) => {
        const made = await cluster.sh(`tctl -c ${cluster.authConfig} users add made-${n} --roles=dynamo --password-stdin`, {
          person: 'nobody',
          input: `${PASSWORD}\n`,
        });
        if (made.code === 0) aftermath.ledger.resource('users', `made-${n}`);
      }),
    );
    await breakInside(auth, 'thrown');
    expect(await auth.exited).toBe(1);
    expect(auth.log()).toMatch(/an error that nobody caught/);
    await making;
    cluster.startAuthHost();
    await cluster.proxyIsReady();
    expect((await load.stop()).filter(({ status }) => status !== 200)).toEqual([]);
  });

  it('after all of it nothing is lost', async () => {
    await stage.recovers(port, 15_000);
    await aftermath.check({ port });
  });
});

/** Each on a connection of its own, some at a time; what comes back, and how it ends, is not looked at. */
async function strikeAll(door: Door, all: readonly Buffer[]): Promise<void> {
  const waiting = all.slice();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let bytes = waiting.pop(); bytes !== undefined; bytes = waiting.pop()) {
        const stream = door.open();
        stream.on('error', () => undefined);
        stream.resume();
        stream.write(bytes);
        const ended = new AbortController();
        const timer = setTimeout(() => ended.abort(), STRIKE_MS);
        await once(stream, 'close', { signal: ended.signal }).catch(() => undefined);
        clearTimeout(timer);
        stream.destroy();
      }
    }),
  );
}
