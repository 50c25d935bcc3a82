import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory } from '#spool/directory-lock.ts';

describe('the lock on a spool', () => {
  let dir: string;
  beforeEach(() => {
    dir = join(mkdtempSync(join(tmpdir(), 'postern-lock-')), 'spool');
  });
  afterEach(() => rmSync(join(dir, '..'), { recursive: true }));

  /** A process that holds the lock until it is killed. */
  async function holder() {
    const program = `
      import { lockDirectory } from ${JSON.stringify(join(import.meta.dirname, 'directory-lock.ts'))};
      const lock = lockDirectory(process.argv[1]);
      process.stdout.write('held');
      setInterval(() => lock, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: join(import.meta.dirname, '../..'),
    });
    await once(child.stdout, 'data');
    return child;
  }

  it('keeps a second process out, says what to do, and is free once the first was killed', async () => {
    const child = await holder();
    expect(() => lockDirectory(dir)).toThrow(`the audit spool ${dir} is in use by another agent: stop that one first`);
    expect(() => lockDirectory(dir)).toThrow(expect.objectContaining({ code: 'already_exists' }) as Error);
    child.kill('SIGKILL');
    await once(child, 'exit');
    lockDirectory(dir).release();
  });

  it('keeps a second one of the same process out, whose refusal does not give the first one’s lock back', async () => {
    const first = lockDirectory(dir);
    expect(() => lockDirectory(dir)).toThrow('in use by another agent');
    const program = `
      import { lockDirectory } from ${JSON.stringify(join(import.meta.dirname, 'directory-lock.ts'))};
      try { lockDirectory(process.argv[1]); process.exit(0); } catch { process.exit(7); }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, dir], {
      stdio: 'ignore',
      cwd: join(import.meta.dirname, '../..'),
    });
    expect(await once(child, 'exit')).toEqual([7, null]);
    first.release();
    lockDirectory(dir).release();
  });

  it('is an empty file of its owner’s', () => {
    const lock = lockDirectory(dir);
    const { size, mode } = statSync(join(dir, 'lock'));
    expect({ size, mode: mode & 0o777 }).toEqual({ size: 0, mode: 0o600 });
    lock.release();
  });
});
