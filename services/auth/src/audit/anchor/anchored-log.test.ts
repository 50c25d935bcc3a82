import { hash, randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditEvent } from '@postern/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anchorEveryMs } from '#audit/anchor/anchor-keeper.ts';
import type { AuditLog, AuditProblem } from '#audit/audit-log.ts';
import { openAuditLog } from '#audit/open-audit-log.ts';
import { openTestAnchors, type TestAnchors } from '#testing/test-anchors.ts';

const eventOf = (i: number): AuditEvent => {
  const event = { id: randomUUID(), kind: 'x', code: 'T1', timeMs: 1_900_000_000_000 + i, user: 'alice', resource: 'db/a' };
  return { ...event, sessionId: '', success: true, fieldsJson: Buffer.from(JSON.stringify({ i })) };
};
const anchorEntry = 'audit_anchors/auth-1';

/** The attacker has the log's directory, all of it, and whatever he copied from it before; the store is out of his reach. */
describe('AU-05 a log whose directory an attacker writes', () => {
  let home: string;
  let dir: string;
  let log: AuditLog;
  let kept: TestAnchors;
  let told: AuditProblem[];
  const open = async (): Promise<void> => {
    told = [];
    const onProblem = (problem: AuditProblem) => void told.push(problem);
    log = await openAuditLog({ dir, nowMs: Date.now, cluster: 'c', anchors: kept.anchors, maxSegmentBytes: 3000, onProblem });
  };
  const fill = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await log.append([eventOf(i)], { hostId: 'agent-1', kind: 'db_agent' });
  };
  const anchored = async (): Promise<number> => (await kept.anchors.read())?.anchor?.ei ?? -1;
  const anchorReaches = async (ei: number): Promise<void> => {
    await expect.poll(anchored, { timeout: 5 * anchorEveryMs, interval: 20 }).toBe(ei);
  };
  const found = async (kind: string): Promise<readonly string[]> => {
    const lines: string[] = [];
    for await (const line of log.query({ kind })) lines.push(line);
    return lines;
  };
  const segments = (): string[] =>
    readdirSync(dir)
      .filter((name) => name.endsWith('.jsonl'))
      .sort();
  const path = (name: string | undefined): string => join(dir, name ?? 'no such segment');
  const copyTo = (name: string): void => cpSync(dir, join(home, name), { recursive: true });
  /** The directory as it was then, with everything in it. */
  const putBack = (name: string): void => {
    rmSync(dir, { recursive: true, force: true });
    cpSync(join(home, name), dir, { recursive: true });
  };
  /** Ends auth as a kill does: what the store knows stays as it was at that moment. */
  const kill = async (): Promise<void> => {
    const entry = await kept.store.get(anchorEntry);
    await log.close();
    if (entry !== undefined) await kept.store.put(anchorEntry, entry.value);
  };
  /** Cuts everything behind record `ei`, at a commit's end: here each record is one. */
  const cutBehind = (ei: number): void => {
    for (const name of segments()) {
      const first = Number(name.slice(0, 20));
      if (first > ei) rmSync(path(name));
      else {
        const lines = readFileSync(path(name), 'utf8')
          .trimEnd()
          .split('\n')
          .slice(0, ei - first + 1);
        truncateSync(path(name), Buffer.byteLength(lines.map((line) => `${line}\n`).join('')));
      }
    }
  };

  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'postern-anchor-'));
    dir = join(home, 'audit');
    kept = await openTestAnchors(home);
    await open();
  });
  afterEach(async () => {
    await log.close();
    await kept.store.close();
    rmSync(home, { recursive: true, force: true });
  });

  it('a clean log, and one whose auth was killed ahead of its anchor, are no alarm', async () => {
    await fill(20);
    await kill();
    expect(await anchored()).toBeLessThan(20);
    await open();
    expect(log.problems).toEqual([]);
    expect(await log.verify()).toMatchObject({ ok: true, records: 20 });
    await log.close();
    expect(await anchored()).toBe(20);
    await open();
    expect([log.problems, told]).toEqual([[], []]);
    expect(await log.verify()).toMatchObject({ ok: true, records: 20 });
  });

  const restored = { records: 10, reason: 'records 11 to 20 are missing' };
  it.each([
    ['the tail cut and the head file deleted', restored, () => (cutBehind(10), rmSync(join(dir, 'head')))],
    ['the tail cut and the head file set back with it', restored, () => putBack('at-ten')],
    [
      'the last segments removed, the head file deleted',
      { records: 0, reason: 'records 1 to 20 are missing' },
      () => {
        for (const name of readdirSync(dir)) if (name !== 'index.sqlite') rmSync(join(dir, name));
      },
    ],
    ['the whole directory removed', { records: 0, reason: 'records 1 to 20 are missing' }, () => rmSync(dir, { recursive: true })],
  ])('%s: after a restart verify names the first record that is missing, and goes on naming it', async (_, verified, attack) => {
    await fill(10);
    await log.close();
    copyTo('at-ten');
    await open();
    await fill(10);
    await log.close();
    attack();
    await open();
    expect(log.problems.map(({ kind }) => kind)).toContain('tail_missing');
    expect(await log.verify()).toMatchObject({ ok: false, ...verified });
    await fill(3);
    await log.close();
    await open();
    expect(await log.verify()).toMatchObject({ ok: false, ...verified });
    const told = await found('audit.log.problem');
    expect(told.map((line) => (JSON.parse(line) as { problem: string }).problem)).toContain('tail_missing');
  });

  it('removed while auth runs: verify says so at once', async () => {
    await fill(20);
    rmSync(dir, { recursive: true });
    expect(await log.verify()).toMatchObject({
      ok: false,
      records: 0,
      reason: expect.stringContaining('where record 20 was acknowledged'),
    });
  });

  it('a chain computed anew has no seals that are good, wherever it was changed', async () => {
    await fill(20);
    await log.close();
    copyTo('before');
    for (const changed of [1, 11, 20]) {
      putBack('before');
      // All that SHA-256 can do: one user edited, every later line chained to it again, and the head file written to match.
      let prev = '';
      let last = { ei: 0, hash: '', segment: '', bytes: 0 };
      for (const name of segments()) {
        const lines = readFileSync(path(name), 'utf8')
          .trimEnd()
          .split('\n')
          .map((line) => {
            const { ei } = JSON.parse(line) as { readonly ei: number };
            const edited = ei === changed ? line.replace('"user":"alice"', '"user":"mallo"') : line;
            const body = edited
              .replace(/,"hash":.*/, '')
              .replace(/"prev":"[0-9a-f]{64}"/, (old) => (prev === '' ? old : `"prev":"${prev}"`));
            prev = hash('sha256', body);
            last = { ...last, ei, hash: prev, segment: name };
            return `${body},"hash":"${prev}"}`;
          });
        writeFileSync(path(name), `${lines.join('\n')}\n`);
      }
      rmSync(join(dir, 'head'));
      await open();
      expect(await log.verify(), `record ${changed}`).toMatchObject({
        ok: false,
        records: changed - 1,
        reason: expect.stringContaining('seal is forged'),
      });
      await log.close();
      await kept.store.put(anchorEntry, (await kept.store.get(anchorEntry))?.value ?? '');
    }
    await open();
  });

  it('records added behind the end while auth is away are not taken over', async () => {
    await fill(5);
    await kill();
    const name = segments().at(-1);
    const last = JSON.parse(readFileSync(path(name), 'utf8').trimEnd().split('\n').at(-1) ?? '') as { ei: number; hash: string };
    const body = `{"ei":${last.ei + 1},"cluster_name":"c","event":"user.login","uid":"u-1","user":"alice","prev":"${last.hash}"`;
    writeFileSync(path(name), `${readFileSync(path(name), 'utf8')}${body},"hash":"${hash('sha256', body)}"}\n`);
    await open();
    expect(log.problems).toMatchObject([{ kind: 'torn_tail_cut' }]);
    expect(await found('user.login')).toEqual([]);
    expect(await log.verify()).toMatchObject({ ok: true });
  });

  // What docs/decisions/0003-audit-anchor.md says can still be hidden, and nothing besides.
  it('the window: behind the last anchor of a killed auth a tail can be cut back to a head that was copied, and not one record further', async () => {
    await fill(10);
    await anchorReaches(10);
    await fill(2);
    copyTo('at-twelve');
    await fill(3);
    await kill();
    const known = await anchored();
    expect(known).toBeGreaterThanOrEqual(10);
    putBack('at-twelve');
    if (known <= 12) {
      await open();
      expect(log.problems).toEqual([]);
      expect(await log.verify()).toMatchObject({ ok: true, records: 12 });
      await log.close();
    }
    putBack('at-twelve');
    cutBehind(9);
    await open();
    expect((await log.verify()).ok).toBe(false);
  });

  it('the window is a second: what is older than that cannot be cut', async () => {
    await fill(3);
    await anchorReaches(3);
    await kill();
    cutBehind(2);
    rmSync(join(dir, 'head'));
    await open();
    expect(await log.verify()).toMatchObject({ ok: false, records: 2, reason: 'record 3 is missing' });
  });

  it('a head file that is gone after a kill is never taken for nothing, even where no record is known to be missing', async () => {
    await fill(5);
    await kill();
    rmSync(join(dir, 'head'));
    await open();
    expect(log.problems).toMatchObject([{ kind: 'head_unreadable' }]);
    expect(await log.verify()).toMatchObject({
      ok: false,
      records: 5,
      reason: expect.stringContaining('the end of the log behind record 5'),
    });
  });

  it.each([
    ['deleted', 'is gone', async () => void (await kept.store.delete(anchorEntry))],
    ['forged', 'was forged', async () => void (await kept.store.put(anchorEntry, '{"ei":1,"hash":"0","closed":false,"seal":"00"}'))],
    ['set back', 'was set back from record 6', async (old: string) => void (await kept.store.put(anchorEntry, old))],
  ])('an anchor that somebody with the store alone %s is told by verify, then in the log, and made good', async (_, reason, attack) => {
    await fill(3);
    await anchorReaches(3);
    const old = (await kept.store.get(anchorEntry))?.value ?? '';
    await fill(3);
    await anchorReaches(6);
    await attack(old);
    expect(await log.verify()).toMatchObject({ ok: false, reason: expect.stringContaining(reason) });
    await fill(1);
    await expect.poll(() => told, { timeout: 5 * anchorEveryMs }).toMatchObject([{ kind: 'anchor_changed' }]);
    await anchorReaches(8);
    expect(await log.verify()).toMatchObject({ ok: true, records: 8 });
  });

  it('a store that is away delays no append, and the anchor follows when it is back', async () => {
    const write = kept.anchors.write.bind(kept.anchors);
    let away = true;
    kept.anchors.write = (anchor, revision) => (away ? Promise.reject(new Error('away')) : write(anchor, revision));
    const startedMs = performance.now();
    await fill(50);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    away = false;
    await anchorReaches(50);
  });
});
