import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Aftermath } from '@postern/test-harness/aftermath.ts';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { getItem, HANG_MS, Load } from '@postern/test-harness/load.ts';
import { DATABASE, type Stage } from '@postern/test-harness/stage.ts';

/** What is refused is refused within this, plus what starting a program takes now on a machine that may be busy. */
const REFUSED_MS = 2_000;
const LEAST_START_MS = 1_500;
/** After the roles that are strict about locks have been cut, what is refused and what is listed is looked at once more. */
const LATER_MS = 15_000;
/** The list that carol has was had when the story was furnished. */
const LISTED_BEFORE_MS = 120_000;

export interface Away {
  readonly forMs: number;
  /** When a role of `lock: strict` is looked at, with what it must see then. */
  readonly strictCutAtMs?: number;
}

/** Two users, one with a role of `lock: strict`, each with a tunnel; carol and, with the strict role, stella have certificates of `tsh db login` and no tunnel. */
export async function furnishForAway(stage: Stage): Promise<{ readonly alice: number; readonly sam: number }> {
  const { cluster } = stage;
  const role = `kind: role\nversion: v6\nmetadata: { name: strict }\nspec:\n  options: { lock: strict }\n  allow: { db_labels: { '*': '*' }, db_users: ['${ROLE}'] }\n`;
  mkdirSync(cluster.dir, { recursive: true });
  writeFileSync(join(cluster.dir, 'strict.yaml'), role);
  await cluster.admin('tctl create -f strict.yaml');
  await stage.user('sam', 'strict');
  await stage.user('carol', 'dynamo');
  await stage.user('stella', 'strict');
  const alice = (await stage.tunnel()).port;
  const sam = (await cluster.openTunnel('sam')).port;
  for (const person of ['carol', 'stella']) await cluster.mustSh(`tsh db login --db-user=${ROLE} ${DATABASE}`, { person });
  await cluster.mustSh('tsh db ls', { person: 'carol' });
  return { alice, sam };
}

/** F-22: auth is gone for a while; the table of what goes on and what does not, line by line. */
export function authAway(
  stage: Stage,
  ports: () => { readonly alice: number; readonly sam: number },
  options: Away & { readonly aftermath: () => Aftermath },
): void {
  const { cluster } = stage;

  /** Nothing new is granted, and that is said at once; the list of databases is the one that was known, and says of when. */
  const nothingNew = async (goneMs: number) => {
    for (const [line, input] of [
      [`tsh login --proxy=${cluster.proxy} --user=alice`, `${PASSWORD}\n`],
      [`tsh db login --db-user=${ROLE} ${DATABASE}`, ''],
      // Nobody has kept a certificate for it: one is asked for.
      [`tsh proxy db --tunnel --db-user=${ROLE} ${DATABASE}`, ''],
    ] as const) {
      const startMs = Date.now();
      await cluster.sh('tsh status');
      const askedMs = Date.now();
      const mostMs = REFUSED_MS + Math.max(LEAST_START_MS, 3 * (askedMs - startMs));
      const said = await cluster.sh(line, { input, timeoutMs: 20_000 });
      expect({ line, code: said.code, stderr: said.stderr }).toMatchObject({
        code: 6,
        stderr: expect.stringMatching(/the proxy at \S+ cannot reach auth: it is down or restarting, try again later/) as unknown,
      });
      expect(said.stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
      expect(Date.now() - askedMs).toBeLessThan(mostMs);
    }
    const listed = await cluster.sh('tsh db ls', { person: 'carol', timeoutMs: 20_000 });
    expect({ code: listed.code, stdout: listed.stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining(DATABASE) as unknown });
    expect(listed.stderr).toMatch(/cannot reach auth/);
    const asOf = /as of (\d{4}-\S+)/.exec(listed.stderr)?.[1] ?? '';
    const asOfMs = Date.parse(asOf) - goneMs;
    expect({ asOf, fromBefore: asOfMs < 1_000 && asOfMs > -LISTED_BEFORE_MS }).toEqual({ asOf, fromBefore: true });
  };

  it(`F-22 auth killed for ${Math.round(options.forMs / 1000)} s: what was granted goes on, nothing new is granted, nothing is lost`, async () => {
    const { alice, sam } = ports();
    const load = new Load(alice, { connections: 2, pauseMs: options.forMs > 60_000 ? 500 : 50 });
    const strict = new Load(sam, { connections: 1, pauseMs: 500 });
    await cluster.authHost?.stop('SIGKILL');
    const goneMs = Date.now();

    // A certificate of tsh db login opens a new tunnel.
    const fresh = await cluster.openTunnel('carol');
    expect((await getItem(fresh.port)).status).toBe(200);

    await nothingNew(goneMs);
    const { strictCutAtMs } = options;
    if (strictCutAtMs !== undefined) {
      // Nor later, when the strict have been cut.
      await pause(Math.max(0, strictCutAtMs + LATER_MS - (Date.now() - goneMs)));
      await nothingNew(goneMs);
    }
    await pause(Math.max(0, options.forMs - (Date.now() - goneMs)));
    const during = load.since(goneMs);
    expect(during.filter(({ status, tookMs }) => status !== 200 || tookMs > HANG_MS)).toEqual([]);
    expect(during.length).toBeGreaterThan(50);
    const strictlyServed = strict
      .since(goneMs)
      .filter(({ status }) => status === 200)
      .at(-1);
    if (strictCutAtMs === undefined) expect(strict.since(goneMs).filter(({ status }) => status !== 200)).toEqual([]);
    else {
      // Auth was last heard up to a heartbeat before it was killed.
      expect((strictlyServed?.sentMs ?? 0) - goneMs).toBeGreaterThan(strictCutAtMs - 20_000);
      expect((strictlyServed?.sentMs ?? 0) - goneMs).toBeLessThan(strictCutAtMs + 5_000);
      const refusals = strict.since(goneMs).filter(({ status }) => status !== 200);
      // Who is cut hears why; whoever asks for a new session then, that nobody can grant one.
      expect(refusals[0]?.body).toMatch(/has not heard from auth for \d+ minutes, and a role of yours has lock: strict/);
      expect(refusals.at(-1)?.body).toMatch(/has not heard from auth|cannot reach auth/);
      // A kept certificate opens a new tunnel still, but not for a role that wants to be sure of its locks.
      const anew = await cluster.openTunnel('stella');
      expect(await getItem(anew.port)).toMatchObject({
        status: 503,
        body: expect.stringMatching(/has not heard from auth|lock: strict/) as unknown,
      });
      await anew.daemon.stop();
      const again = await cluster.openTunnel('carol');
      expect((await getItem(again.port)).status).toBe(200);
      await again.daemon.stop();
      expect((await getItem(fresh.port)).status).toBe(200);
    }

    cluster.startAuthHost();
    await cluster.proxyIsReady();
    const backMs = Date.now();
    await load.stop();
    await strict.stop();
    await options.aftermath().check({ port: alice });
    expect(Date.now() - backMs).toBeLessThan(60_000);
    await stage.recovers(sam, 30_000);
    await cluster.signIn('alice');
    await fresh.daemon.stop();
  });
}
