import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { ask, dial, sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { getItem } from '@postern/test-harness/load.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';
import { BACK_MS, Clocks } from '#clocks.ts';

const cannot = lacking('openssl', 'faketime');
/** A session may be at work for so long after its certificate has expired. */
const OUTLIVES_MS = 5_000;

describe.skipIf(cannot !== undefined)('F-42 the wall clock of one host jumps by two hours', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let aftermath: Aftermath;
  let one: Daemon;
  let port = 0;

  const clocks = new Clocks(cluster);
  /** Whether an attacker who holds a session certificate and a client of his own is still served. */
  const holdSession = async (user: string) => {
    const { hostCaPems } = JSON.parse(readFileSync(join(cluster.dir, 'auth', 'proc', 'admin.json'), 'utf8')) as { hostCaPems: string[] };
    const held = await signInRaw(cluster.proxy, hostCaPems, { user, password: PASSWORD });
    const session = await sessionRaw(cluster.proxy, hostCaPems, held, { db: DATABASE, principal: ROLE });
    const client = dial(cluster.proxy, sessionName(session.issued.ticket), hostCaPems, session);
    const again = () => dial(cluster.proxy, sessionName(session.issued.ticket), hostCaPems, session);
    return { client, again, notAfterMs: session.issued.validUntilMs };
  };
  const said = (asking: Promise<string>) => asking.catch((error: unknown) => `broken: ${String(error)}`);
  beforeAll(async () => {
    await stage.open();
    one = stage.agent('one', { env: clocks.envOf('agent') });
    await stage.attached(one);
    await stage.role('brief', '12s');
    await cluster.admin(`tctl users add bea --roles=brief --password-stdin`, { input: `${PASSWORD}\n` });
    port = (await stage.tunnel()).port;
    aftermath = await Aftermath.before(cluster);
  });
  beforeEach(async () => {
    clocks.set('agent', '+0');
    await stage.recovers(port, BACK_MS);
  });
  afterAll(() => cluster.stop());

  it('on the agent, back: no session is longer by it, on its connection nor on a new one, and AWS’s refusal of the clock is logged', async () => {
    const { client, again, notAfterMs } = await holdSession('bea');
    expect(await ask(client, 8000)).toContain('200 OK');
    clocks.set('agent', '-2h');
    const refused = await getItem(port);
    expect(refused.body).toMatch(/Signature (expired|not yet current)|InvalidSignature|RequestExpired/i);
    await one.says(/the clock of this machine is wrong/, 10_000);
    const endedMs = await until('the session to be ended', 30_000, async () =>
      /^broken|ExpiredToken/.test(await said(ask(client, 8000))) ? Date.now() : undefined,
    );
    expect(endedMs - notAfterMs).toBeLessThan(OUTLIVES_MS);
    expect(endedMs - notAfterMs).toBeGreaterThan(-2_000);
    const renewed = again();
    expect(await said(ask(renewed, 8000))).toMatch(/^broken/);
    for (const each of [client, renewed]) each.close();
    clocks.set('agent', '+0');
    expect(await stage.recovers(port, BACK_MS)).toBeLessThan(BACK_MS);
  });

  it('on the agent, forward: what is open is ended with a sentence, and back when the clock is right', async () => {
    clocks.set('agent', '+2h');
    // alice's session lasts an hour at most: two hours later it is over, and a new one is for the past.
    const refused = await getItem(port);
    expect(refused.status).not.toBe(200);
    expect(refused.body).toMatch(/expired|clock|has not heard from auth/);
    clocks.set('agent', '+0');
    expect(await stage.recovers(port, BACK_MS)).toBeLessThan(BACK_MS);
  });

  it.each(['-2h', '+2h'] as const)(
    'on the user’s machine, %s: a sentence that names the clock, or it works; an open tunnel is none the longer',
    async (offset) => {
      const env = clocks.envOf('user');
      clocks.set('user', offset);
      const login = await cluster.sh(`tsh login --proxy=${cluster.proxy} --user=bea`, {
        person: 'bea',
        env,
        input: `${PASSWORD}\n`,
        timeoutMs: 20_000,
      });
      if (login.code !== 0) expect(login.stderr).toMatch(/clock/);
      if (login.code === 0) {
        const listed = await cluster.sh('tsh db ls', { person: 'bea', env, timeoutMs: 20_000 });
        if (listed.code !== 0) expect(listed.stderr).toMatch(/clock|expired/);
      }
    },
  );

  it('after all of it nothing is lost', async () => {
    await aftermath.check({ port });
  });
});
