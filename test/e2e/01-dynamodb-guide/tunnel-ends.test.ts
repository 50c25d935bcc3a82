import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROLE } from '@postern/test-harness/cluster.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { call } from '@postern/test-harness/load.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';

const cannot = lacking('openssl');

/** What lies on either side of an open tunnel goes away: the agent for a moment, the login for good. */
describe.skipIf(cannot !== undefined)('a tunnel that is open', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let agent: Daemon;
  let tunnel: { readonly port: number; readonly daemon: Daemon };
  const listTables = () => call(tunnel.port, 'ListTables', {});
  const isListed = () =>
    until('the database', 30_000, async () => ((await cluster.sh('tsh db ls')).stdout.includes(DATABASE) ? true : undefined));

  beforeAll(async () => {
    await stage.open();
    agent = stage.agent('agent');
    await stage.attached(agent);
    await isListed();
    tunnel = await cluster.openTunnel();
    expect((await listTables()).status).toBe(200);
  }, 120_000);
  afterAll(() => cluster.stop());

  // It was a 400 that no SDK tries again, as of a database that never was: a restart of the only agent broke every program.
  it('answers 503 while the only agent restarts, and goes on with it; a command that begins then is told that there is none', async () => {
    await agent.stop();
    const statuses = new Set<number>();
    const said = await until('the reason', 20_000, async () => {
      const { status, body } = await listTables();
      statuses.add(status);
      return /no agent serves|not found/.test(body) ? body : undefined;
    });
    expect(said).toContain('ServiceUnavailableException');
    expect(said).toContain('no agent serves database \\"example-dynamodb\\" to you now: try again');
    expect([...statuses]).toEqual([503]);
    expect(await cluster.sh('tsh db ls')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('none of the roles of alice reaches a database here, or no agent serves one now') as unknown,
    });
    expect(await cluster.sh(`tsh proxy db --tunnel --db-user=${ROLE} example-dynamodb`)).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('database "example-dynamodb" not found: tsh db ls') as unknown,
    });
    agent = stage.agent('agent');
    await isListed();
    expect((await listTables()).status).toBe(200);
  }, 120_000);

  // It went on until the sign-in would have ended, and said nothing.
  it('ends with tsh logout, and with it every session of the sign-in at the cluster', async () => {
    // A new sign-in alone takes nothing away.
    await cluster.signIn();
    await cluster.mustSh(`tsh db login --db-user=${ROLE} example-dynamodb`);
    expect((await listTables()).status).toBe(200);
    expect(await cluster.sh('tsh logout')).toMatchObject({ code: 0, stdout: 'Logged out all users from all proxies.\n', stderr: '' });
    const loggedOutMs = performance.now();
    const ended = tunnel.daemon.exited.then((code) => ({ code, isSoon: performance.now() - loggedOutMs < 5_000 }));
    // Whoever is back at once has not taken it back.
    await cluster.signIn();
    expect(await ended).toEqual({ code: 3, isSoon: true });
    expect(tunnel.daemon.log()).toContain(`ERROR: alice was logged out: run tsh login --proxy=${cluster.proxy} --user=alice`);
    // That of the tunnel, which lay in no file, and that of tsh db login.
    const logouts = JSON.parse(await cluster.admin('tctl audit ls --kind=session.logout -f json')) as Record<string, unknown>[];
    expect(logouts.map(({ user }) => user)).toEqual(['alice', 'alice']);
  }, 60_000);

  it('a cluster that is down keeps nobody from logging out, and auth’s own host is told of auth', async () => {
    await cluster.mustSh(`tsh db login --db-user=${ROLE} example-dynamodb`);
    await agent.stop();
    await until('an empty list', 20_000, async () => ((await cluster.sh('tsh db ls')).stderr === '' ? undefined : true));
    await cluster.authHost?.stop();
    const listed = await cluster.sh('tsh db ls');
    expect(listed.stderr).toMatch(/the list is as of \d{4}-.*\nno database was listed then: /);
    const status = await cluster.sh(`tctl -c ${cluster.authConfig} status`);
    expect(status).toMatchObject({
      code: 6,
      stderr: expect.stringContaining(`: is auth running? teleport start -c ${cluster.authConfig}\n`) as unknown,
    });
    const said = await cluster.sh('tsh logout');
    expect(said).toMatchObject({ code: 0, stdout: 'Logged out all users from all proxies.\n' });
    expect(said.stderr).toMatch(
      /ECONNREFUSED.*agents could not be told of the logout, and a copy of the session's certificate is good until/,
    );
    expect((await cluster.sh('tsh status')).code).toBe(3);
  }, 60_000);
});
