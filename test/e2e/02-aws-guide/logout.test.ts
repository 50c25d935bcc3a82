import { join } from 'node:path';
import { Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { freePort, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientEnv, openDoor, openStage } from '#02-aws-guide/stage.ts';

const cannot = lacking('aws');

/** Whoever has copied a person's files has the session's key and certificate: after a logout they are worth nothing at the agent. */
describe.skipIf(cannot !== undefined)('a copy of a session, after its owner logged out', () => {
  const cluster = new Cluster();
  const stolen = () => join(cluster.dir, 'stolen');
  const asThief = (line: string) => cluster.sh(line, { env: clientEnv({ TELEPORT_HOME: stolen() }), timeoutMs: 90_000 });

  beforeAll(async () => {
    await openStage(cluster, { apart: true });
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    await cluster.mustSh(`cp -a ${cluster.homeOf('alice')} ${stolen()}`);
  }, 120_000);
  afterAll(() => cluster.stop());

  it('is refused by the agent itself, without auth, and the owner’s next session is not', async () => {
    expect(await cluster.mustSh('tsh apps logout aws')).toBe('Logged out of app "aws".\n');
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    await until('the agent to have heard', 20_000, async () =>
      (await cluster.admin('tctl audit ls --kind=session.logout -f json')).includes('"alice"') ? true : undefined,
    );
    // Without auth the thief cannot ask for another session with the sign-in that he has copied as well.
    await cluster.authHost?.stop();
    const before = cluster.rawLog().length;
    const said = await asThief('tsh aws dynamodb list-tables');
    expect(said.code).not.toBe(0);
    expect(said.stdout).not.toContain('TableNames');
    expect(cluster.rawLog()).toHaveLength(before);
    expect(JSON.parse(await cluster.mustSh('tsh aws dynamodb list-tables', { env: clientEnv() }))).toEqual({ TableNames: [] });
  }, 120_000);

  it('a logout while auth is away removes what lies here, and says what could not be done', async () => {
    const said = await cluster.sh('tsh apps logout aws', { timeoutMs: 90_000 });
    expect(said).toMatchObject({ code: 0, stdout: 'Logged out of app "aws".\n' });
    expect(said.stderr).toMatch(/agents could not be told of the logout, and a copy of the session's certificate is good until \d{4}-/);
    expect((await cluster.sh('tsh aws dynamodb list-tables', { env: clientEnv() })).code).toBe(3);
  }, 120_000);

  it('was the agent’s to refuse, as its record says once auth is back', async () => {
    cluster.startAuthHost();
    await cluster.proxyIsReady();
    const events = await until('the agent’s record of it', 60_000, async () => {
      const shown = await cluster.admin('tctl audit ls --kind=app.session.start --limit=100 -f json').catch(() => '');
      return shown.includes('logged out') ? (JSON.parse(shown) as Record<string, unknown>[]) : undefined;
    });
    const refused = events.filter(({ error }) => /this session was logged out of/.test(String(error)));
    expect(refused[0]).toMatchObject({ code: 'T2007E', success: false, user: 'alice' });
  }, 120_000);

  // The error came before auth was told: whoever had a copy went on with it.
  it('is ended also where the profiles of the person cannot be taken out', async () => {
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    await cluster.mustSh('printf "# END postern\\n" > damaged');
    const ended = async () => (JSON.parse(await cluster.admin('tctl audit ls --kind=session.logout -f json')) as { user: string }[]).length;
    const before = await ended();
    const said = await cluster.sh('tsh apps logout aws', { env: { AWS_CONFIG_FILE: join(cluster.dir, 'damaged') } });
    expect(said).toMatchObject({ code: 1, stderr: expect.stringContaining('has no counterpart') as string });
    expect(await cluster.mustSh('tsh apps ls')).not.toMatch(/^>/m);
    expect(await ended()).toBe(before + 1);
  }, 120_000);

  it('is ended with the whole sign-in, and so are the doors that were open', async () => {
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    const { daemon } = await openDoor(cluster);
    const port = String(await freePort());
    const up = cluster.daemon('up', ['tsh', 'up', '--foreground', '--port', port], { TELEPORT_HOME: cluster.homeOf('alice') });
    await up.says(/Serving every application/);
    const ended = async () => (JSON.parse(await cluster.admin('tctl audit ls --kind=session.logout -f json')) as unknown[]).length;
    const before = await ended();
    expect((await cluster.sh('tsh logout')).code).toBe(0);
    expect(await Promise.all([daemon.exited, up.exited])).toEqual([3, 3]);
    expect(up.log()).toContain('ERROR: everybody was logged out: run tsh login, then tsh up');
    expect(daemon.log()).toMatch(/ERROR: logged out of application "aws": run tsh login .*, then tsh apps login/);
    expect(await ended()).toBe(before + 1);
  }, 120_000);
});

// aws tried again for half a minute, and the same notice came three times.
describe.skipIf(cannot !== undefined)('tsh aws while the cluster is down', () => {
  const cluster = new Cluster();
  beforeAll(async () => {
    await openStage(cluster);
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    await cluster.authHost?.stop('SIGKILL');
  }, 120_000);
  afterAll(() => cluster.stop());

  it('fails at once, in words that are said once, before aws is started, as tsh apps login does', async () => {
    const startedMs = performance.now();
    const said = await cluster.sh('tsh aws dynamodb list-tables', { env: { ...clientEnv(), AWS_MAX_ATTEMPTS: '3' } });
    expect(performance.now() - startedMs).toBeLessThan(8_000);
    expect(said).toMatchObject({ code: 6, stdout: '' });
    expect(said.stderr).toMatch(/^ERROR: cannot connect to the cluster at .*is the proxy running\?.*\n$/);
    expect(await cluster.sh(`tsh apps login --aws-role ${ROLE} aws`)).toMatchObject({ code: 6 });
  }, 60_000);
});
