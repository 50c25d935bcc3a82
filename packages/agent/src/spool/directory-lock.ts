import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PosternError } from '@postern/api';
import { SpoolUnavailable } from '#spool/spool.ts';

const FILE = 'lock';
/** https://www.sqlite.org/rescode.html: SQLITE_BUSY and SQLITE_LOCKED. */
const TAKEN = new Set([5, 6]);

/** A folder held for one process alone. */
export interface DirectoryLock {
  release(): void;
}

/**
 * Two processes in one spool would delete each other's segments and close requests of the other that are still under way. An
 * open transaction of SQLite holds the kernel's lock on an empty file: the kernel gives it back when the process ends, however
 * it ends, so that nothing is stale after a kill. A file with a process id in it would be, and means another process in
 * another container. Nothing is ever written to the file, so that a full disk does not keep an agent from starting.
 */
export function lockDirectory(dir: string): DirectoryLock {
  const path = join(dir, FILE);
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    makeOnce(path);
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
    const held = database;
    return { release: () => held.close() };
  } catch (cause) {
    database?.close();
    const code = cause instanceof Error && 'errcode' in cause ? Number(cause.errcode) & 0xff : undefined;
    if (code !== undefined && TAKEN.has(code)) {
      throw new PosternError(
        'already_exists',
        `the audit spool ${dir} is in use by another agent: stop that one first, or give each a data_dir of its own`,
        { cause },
      );
    }
    throw new SpoolUnavailable(`the audit spool ${dir} cannot be locked`, { cause });
  }
}

/** Not opened where it exists: closing any descriptor of a file gives back all locks that this process has on it (fcntl(2)). */
function makeOnce(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}
