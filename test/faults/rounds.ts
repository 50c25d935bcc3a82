import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { PASSWORD } from '@postern/test-harness/cluster.ts';
import { auditLines } from '@postern/test-harness/check-audit.ts';
import { dial, signInRaw } from '@postern/test-harness/dial.ts';
import { until } from '@postern/test-harness/processes.ts';
import type { Stage } from '@postern/test-harness/stage.ts';
import { adminOf, asAdmin, askForCertificate, listRoles, writeRole } from '#writes.ts';

/** Auth is back so long after it was killed. */
const READY_MS = 10_000;
const ROLES = 20;
/** Callers, each with one request under way at any moment, on so many channels. */
const CALLERS = 200;
const CHANNELS = 4;

/** F-01 and F-02: auth is killed again and again in the middle of what it is asked to do. */
export function killAuthRounds(stage: Stage, rounds: number): void {
  const { cluster } = stage;
  let slowestMs = 0;

  const killAndRestart = async () => {
    await cluster.authHost?.stop('SIGKILL');
    const startedMs = Date.now();
    const said = cluster.authHost?.log().length ?? 0;
    const started = cluster.startAuthHost();
    await until('auth to have started', 30_000, () => (started.log().slice(said).includes('auth has started') ? true : undefined));
    await cluster.proxyIsReady();
    slowestMs = Math.max(slowestMs, Date.now() - startedMs);
  };

  it(`F-01 auth killed ${rounds} times while certificates are asked for: each caller has one that is in the log, or an error; no serial twice`, async () => {
    const { hostCaPems } = adminOf(cluster);
    const held = await signInRaw(cluster.proxy, hostCaPems, { user: 'alice', password: PASSWORD });
    const issued: string[] = [];
    let refused = 0;
    for (let round = 0; round < rounds; round += 1) {
      const clients = Array.from({ length: CHANNELS }, () => dial(cluster.authAddress, 'auth.postern.internal', hostCaPems, held));
      const killing = new AbortController();
      const asking = Array.from({ length: CALLERS }, async (_, n) => {
        const client = clients[n % CHANNELS] ?? expect.fail('no channel');
        while (!killing.signal.aborted) {
          await askForCertificate(client).then(
            (sessionId) => issued.push(sessionId),
            async () => {
              refused += 1;
              await pause(250);
            },
          );
        }
      });
      // Before the first answers, and among them.
      const before = issued.length;
      if (round % 2 === 1) await until('a certificate', 20_000, () => (issued.length > before ? true : undefined));
      await pause(Math.random() * 600);
      await killAndRestart();
      killing.abort();
      await Promise.all(asking);
      for (const client of clients) client.close();
    }
    const created = (await auditLines(cluster)).filter(({ event, expires }) => event === 'cert.create' && expires !== undefined);
    const logged = new Set(created.map(({ sid }) => sid));
    expect(issued.filter((sessionId) => !logged.has(sessionId))).toEqual([]);
    const serials = created.map(({ serial }) => serial);
    expect(new Set(serials).size).toBe(serials.length);
    expect(issued.length).toBeGreaterThan(rounds);
    // Each caller had one under way at each kill.
    expect(refused).toBeGreaterThanOrEqual(CALLERS * rounds);
    expect(slowestMs).toBeLessThan(READY_MS);
  });

  it(`F-02 auth killed ${rounds} times inside writes: each role is old or new as a whole, what was acknowledged is there`, async () => {
    /** What was sent last, and what was acknowledged last, a role: the state is one of those from the second to the first. */
    const sent = new Map<string, number>();
    const acknowledged = new Map<string, number>();
    let version = 0;
    for (let round = 0; round < rounds; round += 1) {
      const client = asAdmin(cluster);
      const killing = new AbortController();
      const writing = Array.from({ length: ROLES }, async (_, n) => {
        const name = `role-${n}`;
        while (!killing.signal.aborted) {
          version += 1;
          const mine = version;
          sent.set(name, mine);
          const done = await writeRole(client, name, `v${mine}`).then(
            () => true,
            () => false,
          );
          if (done) acknowledged.set(name, mine);
          await pause(done ? 0 : 20);
        }
      });
      await pause(100 + Math.random() * 500);
      killing.abort();
      await Promise.all([killAndRestart(), ...writing]);
      client.close();
      const after = asAdmin(cluster);
      const found = await listRoles(after);
      after.close();
      const lost: string[] = [];
      for (const [name, mine] of acknowledged) {
        const role = found.find((resource) => resource.name === name);
        const { metadata, spec } = JSON.parse(role?.json.toString() ?? '{"metadata":{},"spec":{}}') as {
          metadata: { description?: string };
          spec: { allow?: { db_labels?: { mark?: string | string[] }; db_users?: string[] } };
        };
        const there = Number(metadata.description?.slice(1) ?? -1);
        if (!(there >= mine && there <= (sent.get(name) ?? 0)))
          lost.push(`round ${round}: ${name} was acknowledged as v${mine}, is v${there}`);
        const whole = [spec.allow?.db_labels?.mark, spec.allow?.db_users].flat().every((mark) => mark === metadata.description);
        if (!whole) lost.push(`round ${round}: ${name} is half written: ${role?.json.toString()}`);
      }
      expect(lost).toEqual([]);
    }
    expect(acknowledged.size).toBe(ROLES);
    expect(version).toBeGreaterThan(rounds * ROLES);
    expect(slowestMs).toBeLessThan(READY_MS);
  });
}
