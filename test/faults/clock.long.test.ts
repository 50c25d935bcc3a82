import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { PASSWORD } from '@postern/test-harness/cluster.ts';
import { getItem } from '@postern/test-harness/load.ts';
import { type Daemon, isAlive, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { BACK_MS, Clocks } from '#clocks.ts';

const cannot = lacking('openssl', 'faketime');
/** tsh looks at the clock each minute, since timers do not see it jump. */
const NOTICED_MS = 60_000 + 2_000;

describe.skipIf(cannot !== undefined)('F-42 the wall clock of auth’s or the proxy’s host jumps by two hours', () => {
  const stage = new Stage();
  const { cluster } = stage;
  const clocks = new Clocks(cluster);
  let aftermath: Aftermath;
  let port = 0;
  let hour: { readonly daemon: Daemon; readonly port: number };
  const loggedIn = () => cluster.sh(`tsh login --proxy=${cluster.proxy} --user=alice`, { input: `${PASSWORD}\n`, timeoutMs: 20_000 });

  beforeAll(async () => {
    await stage.open({ apart: true, env: { auth: clocks.envOf('auth'), proxy: clocks.envOf('proxy') } });
    await stage.attached(stage.agent('one'));
    port = (await stage.tunnel()).port;
    await stage.role('hour', '1h');
    await stage.user('ann', 'hour');
    hour = await clocks.tunnel('ann');
    aftermath = await Aftermath.before(cluster);
  });
  afterAll(() => cluster.stop());

  it.each([
    ['proxy', '-2h'],
    ['proxy', '+2h'],
    ['auth', '-2h'],
    ['auth', '+2h'],
  ] as const)('on the %s, %s: what is open goes on, and everything is back within a minute', async (host, offset) => {
    clocks.set(host, offset);
    for (let n = 0; n < 10; n += 1) expect((await getItem(port)).status).toBe(200);
    const during = await loggedIn();
    // A sign-in that is refused says why; one that goes through is good.
    if (during.code !== 0) expect(during.stderr).toMatch(/clock|not valid yet|expired/);
    clocks.set(host, '+0');
    const rightMs = Date.now();
    expect((await loggedIn()).code).toBe(0);
    await until('a new tunnel', BACK_MS, async () => {
      // What auth took for expired is announced again within a minute.
      const fresh = await cluster.openTunnel('alice').catch(() => undefined);
      if (fresh === undefined) return undefined;
      const { status } = await getItem(fresh.port);
      await fresh.daemon.stop();
      return status === 200 ? true : undefined;
    });
    expect(Date.now() - rightMs).toBeLessThan(BACK_MS);
    expect((await getItem(port)).status).toBe(200);
  });

  it('on the user’s machine, forward: an open tunnel whose login has an hour left is ended within a minute, and says why', async () => {
    const { daemon } = hour;
    expect((await getItem(hour.port)).status).toBe(200);
    clocks.set('ann', '+2h');
    await until('the tunnel to end', NOTICED_MS, () => (isAlive(daemon) ? undefined : true));
    expect({ code: daemon.child.exitCode, log: daemon.log() }).toMatchObject({
      code: 3,
      log: expect.stringMatching(/the login of ann has expired/) as unknown,
    });
    expect((await getItem(hour.port)).status).toBe(0);
  });

  it('after all of it nothing is lost', async () => {
    await aftermath.check({ port });
  });
});
