import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '#store.ts';

/** The layout of the tables below. A file with a higher one was written by a newer version and is left alone. */
const layoutVersion = 1;

const tables = `
  CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL, revision INTEGER NOT NULL, expires_ms INTEGER) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS entries_expiry ON entries (expires_ms) WHERE expires_ms IS NOT NULL;
  CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) STRICT;
  INSERT OR IGNORE INTO counters (name, value) VALUES ('revision', 0);
  PRAGMA user_version = ${layoutVersion};
`;

/**
 * Opens the file for this process alone: locking_mode=EXCLUSIVE keeps the file lock until the process ends, however it
 * ends, so that a second auth on the same file is refused instead of handing out the same revision twice.
 * https://www.sqlite.org/pragma.html#pragma_locking_mode
 */
export function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // Made before SQLite opens it, since SQLite gives its write-ahead log the mode of the main file.
    closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
    database = new DatabaseSync(path, { timeout: 0 });
    // A checkpoint runs on the caller's thread: 256 pages (1 MiB) keep each one to a few milliseconds.
    database.exec(
      'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 256;',
    );
    database.exec('PRAGMA journal_size_limit = 4194304; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;');
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
    if (version > layoutVersion) {
      throw new StoreError(
        'unsafe',
        `${path} was written by a newer version (layout ${version}, this one reads ${layoutVersion}): start the newer version again`,
      );
    }
    database.exec(`BEGIN IMMEDIATE; ${tables} COMMIT;`);
    return database;
  } catch (cause) {
    database?.close();
    throw cause instanceof StoreError ? cause : databaseError(path, cause);
  }
}

/** Result codes: https://www.sqlite.org/rescode.html. The low byte is the code, the rest says more of the same. */
export function databaseError(path: string, cause: unknown): StoreError {
  const code = cause instanceof Error && 'errcode' in cause ? Number(cause.errcode) & 0xff : undefined;
  if (code === 5 || code === 6) return new StoreError('unavailable', `${path} is open in another process: stop it first`, { cause });
  if (code === 13) return new StoreError('unavailable', `the disk that holds ${path} is full: make room, nothing was written`, { cause });
  if (code === 11 || code === 26) return new StoreError('unavailable', `${path} is damaged: restore it from a backup`, { cause });
  return new StoreError('unavailable', `${path} cannot be read or written`, { cause });
}
