import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

// A mount namespace of the child's own: the small disk is gone when the child is.
const unshare = [['-m'], ['-rm']].find((flags) => spawnSync('unshare', [...flags, 'true']).status === 0);
const reason = 'a disk of 4 MiB cannot be mounted: allow unshare -rm (kernel.unprivileged_userns_clone), or run as root';
if (unshare === undefined && (process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined)) throw new Error(reason);
if (unshare === undefined) console.warn(`skipped: ${reason}`);

const program = `
  import { openAuditLog } from ${JSON.stringify(join(import.meta.dirname, 'open-audit-log.ts'))};
  import { openTestAnchors } from ${JSON.stringify(join(import.meta.dirname, '../testing/test-anchors.ts'))};
  import { randomUUID } from 'node:crypto';
  import { rmSync, writeFileSync } from 'node:fs';
  const dir = process.argv[1];
  const event = () => ({ id: randomUUID(), kind: 'x', code: '', timeMs: Date.now(), user: 'u', resource: '', sessionId: '', success: true, fieldsJson: Buffer.from(JSON.stringify({ a: 'x'.repeat(3000) })) });
  const { anchors, store } = await openTestAnchors(process.argv[2]);
  writeFileSync(dir + '/filler', Buffer.alloc(2 * 1024 * 1024, 1));
  let log = await openAuditLog({ dir: dir + '/audit', nowMs: Date.now, cluster: 'c', anchors });
  const acknowledged = [];
  const append = async () => { const one = event(); try { await log.append([one], { hostId: 'h', kind: 'auth' }); acknowledged.push(one.id); } catch (error) { return error; } };
  let refused;
  for (let i = 0; i < 5000 && refused === undefined; i++) refused = await append();
  const before = acknowledged.length;
  const again = await append();
  rmSync(dir + '/filler');
  const after = await append();
  const verified = await log.verify();
  await log.close();
  log = await openAuditLog({ dir: dir + '/audit', nowMs: Date.now, cluster: 'c', anchors });
  const ids = [];
  for await (const line of log.query({ kind: 'x' })) ids.push(JSON.parse(line).uid);
  const lost = acknowledged.filter((id) => !ids.includes(id)).length;
  const { problems } = log;
  await log.close();
  await store.close();
  await store.close();
  const told = (error) => error && { code: error.code, message: error.message };
  console.log(JSON.stringify({ before, refused: told(refused), again: told(again), after: told(after), verified, problems, lost, stored: ids.length }));`;

describe.skipIf(unshare === undefined)('on a full disk', () => {
  let dir: string;
  // The anchors are in another place than the log, as auth's store is.
  let elsewhere: string;
  beforeEach(() => {
    [dir, elsewhere] = [mkdtempSync(join(tmpdir(), 'postern-full-')), mkdtempSync(join(tmpdir(), 'postern-anchors-'))];
  });
  afterEach(() => {
    for (const made of [dir, elsewhere]) rmSync(made, { recursive: true });
  });

  it('refuses what it cannot store, loses nothing it acknowledged, and goes on once there is room', () => {
    const script = `mount -t tmpfs -o size=4m tmpfs "$1" && exec "$0" --input-type=module -e "$2" "$1" "$3"`;
    const child = spawnSync('unshare', [...(unshare ?? []), 'sh', '-c', script, process.execPath, dir, program, elsewhere], {
      encoding: 'utf8',
      cwd: join(import.meta.dirname, '../..'),
    });
    expect(child.stderr).toBe('');
    const told = JSON.parse(child.stdout) as { readonly before: number; readonly stored: number };
    expect(told.before).toBeGreaterThan(50);
    expect(told).toMatchObject({
      refused: { code: 'unavailable', message: expect.stringContaining('its disk is full') },
      again: { code: 'unavailable' },
      verified: { ok: true },
      problems: [],
      lost: 0,
      stored: told.before + 1,
    });
    expect(told).not.toHaveProperty('after');
  });
});
