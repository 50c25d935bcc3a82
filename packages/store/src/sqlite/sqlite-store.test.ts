import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeStore } from '#conformance/describe-store.ts';
import { openSqliteStore } from '#sqlite/open-sqlite-store.ts';

describeStore('sqlite', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-store-'));
  const clock = { nowMs: Date.UTC(2030, 0, 1) };
  return {
    clock,
    open: () => openSqliteStore({ path: join(dir, 'state', 'store.db'), nowMs: () => clock.nowMs, sweepEveryMs: 50 }),
    discard: async () => rmSync(dir, { recursive: true }),
  };
});

describe('the sqlite file', () => {
  let dir: string;
  let path: string;
  const nowMs = Date.now;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'postern-store-'));
    path = join(dir, 'state', 'store.db');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('is readable by its owner alone, its log and its folder as well', async () => {
    const store = await openSqliteStore({ path, nowMs });
    await store.put('k', 'v');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, 'state')).mode & 0o777).toBe(0o700);
    await store.close();
  });

  it('is refused to a second store while the first has it, and given after', async () => {
    const first = await openSqliteStore({ path, nowMs });
    await first.put('k', 'v');
    await expect(openSqliteStore({ path, nowMs })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('another process'),
    });
    await first.close();
    const second = await openSqliteStore({ path, nowMs });
    expect((await second.get('k'))?.value).toBe('v');
    await second.close();
  });

  it('is refused where a newer version wrote it, and left as it was', async () => {
    await (await openSqliteStore({ path, nowMs })).close();
    const database = new DatabaseSync(path);
    database.exec('PRAGMA user_version = 99');
    database.close();
    await expect(openSqliteStore({ path, nowMs })).rejects.toMatchObject({
      code: 'unsafe',
      message: expect.stringContaining('newer version'),
    });
  });

  it('is refused where it is not a database', async () => {
    await (await openSqliteStore({ path, nowMs })).close();
    writeFileSync(path, 'not a database at all, '.repeat(500));
    await expect(openSqliteStore({ path, nowMs })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('damaged'),
    });
  });

  it('is refused where its folder cannot be made', async () => {
    writeFileSync(join(dir, 'file'), '');
    await expect(openSqliteStore({ path: join(dir, 'file', 'store.db'), nowMs })).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('holds every acknowledged write, batches whole, after its process is killed in the middle of writing', async () => {
    for (let round = 0; round < 3; round++) {
      const program = `
        import { openSqliteStore } from ${JSON.stringify(join(import.meta.dirname, 'open-sqlite-store.ts'))};
        const store = await openSqliteStore({ path: process.argv[1], nowMs: Date.now });
        for (let i = 0; ; i++) {
          const key = \`round-${round}/\${i}\`;
          await store.atomically([{ kind: 'create', key: \`\${key}/a\`, value: 'x' }, { kind: 'create', key: \`\${key}/b\`, value: 'x' }]);
          process.stdout.write(key + '\\n');
        }`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
        cwd: join(import.meta.dirname, '../..'),
      });
      const exited = once(child, 'exit');
      const acknowledged: string[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        acknowledged.push(line);
        if (acknowledged.length === 200 + round * 37) child.kill('SIGKILL');
      }
      await exited;
      expect(acknowledged.length).toBeGreaterThanOrEqual(200);
      const store = await openSqliteStore({ path, nowMs });
      const keys = new Set((await store.list(`round-${round}/`)).map((entry) => entry.key));
      for (const key of acknowledged) expect(keys.has(`${key}/a`), key).toBe(true);
      for (const key of keys) expect(keys.has(key.replace(/[ab]$/, (end) => (end === 'a' ? 'b' : 'a'))), key).toBe(true);
      await store.close();
    }
  });
});
