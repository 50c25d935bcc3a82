import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { ask, dial, sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { getItem } from '@postern/test-harness/load.ts';
import { type Daemon, isAlive, until } from '@postern/test-harness/processes.ts';
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
    await stage.role('briefer', '10s');
    for (const [name, role] of [
      ['bea', 'brief'],
      ['behind', 'briefer'],
      ['ahead', 'briefer'],
    ])
      await cluster.admin(`tctl users add ${name} --roles=${role} --password-stdin`, { input: `${PASSWORD}\n` });
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

  it('on the user’s machine, back and forward: an open tunnel serves until its login ends, is none the longer, and says why', async () => {
    const opened = await Promise.all(
      (['-2h', '+2h'] as const).map(async (offset) => {
        const person = offset === '-2h' ? 'behind' : 'ahead';
        await cluster.signIn(person);
        const [tunnel, untilMs] = await Promise.all([clocks.tunnel(person), clocks.loginEndsMs(person)]);
        expect((await getItem(tunnel.port)).status).toBe(200);
        clocks.set(person, offset);
        expect((await getItem(tunnel.port)).status).toBe(200);
        return { ...tunnel, offset, untilMs };
      }),
    );
    await Promise.all(
      opened.map(async ({ daemon, port: to, offset, untilMs }) => {
        await until(`the tunnel at ${offset} to end`, 25_000, () => (isAlive(daemon) ? undefined : true));
        const overMs = Date.now() - untilMs;
        expect(overMs).toBeLessThan(OUTLIVES_MS);
        if (offset === '-2h') expect(overMs).toBeGreaterThan(-1_000);
        expect({ offset, code: daemon.child.exitCode, log: daemon.log() }).toMatchObject({
          code: 3,
          log: expect.stringMatching(/the login of \w+ has expired/) as unknown,
        });
        expect((await getItem(to)).status).toBe(0);
      }),
    );
  });

  // What is typed while the clock is wrong: by alice, whose login is of today, and by bea, who signs in for seconds.
  it.each([
    { offset: '-2h', login: [6, /is not in force at .*: compare the clock of this machine/], ofAlice: [6, /certificate is not yet valid/] },
    { offset: '+2h', login: [0, /^$/], ofAlice: [0, /^$/] },
  ] as const)('on the user’s machine, $offset: nothing that has expired there is used, and a sentence says what is wrong', async (now) => {
    const env = clocks.envOf('user');
    clocks.set('user', now.offset);
    const said = async (person: string, line: string, [code, stderr]: readonly [number, RegExp], input = '') =>
      expect({ line, ...(await cluster.sh(line, { person, env, input, timeoutMs: 20_000 })) }).toMatchObject({
        code,
        stderr: expect.stringMatching(stderr) as unknown,
      });
    await said('bea', `tsh login --proxy=${cluster.proxy} --user=bea`, now.login, `${PASSWORD}\n`);
    const nothing = now.offset === '-2h' ? /not logged in/ : /the login of bea has expired/;
    await said('bea', 'tsh db ls', [3, nothing]);
    await said('bea', `tsh proxy db --tunnel --db-user=${ROLE} ${DATABASE}`, [3, nothing]);
    await said('alice', 'tsh db ls', now.ofAlice);
  });

  it('after all of it nothing is lost', async () => {
    await aftermath.check({ port });
  });
});
