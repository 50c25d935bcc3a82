import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Entry, type Operation, StoreError } from '#store.ts';
import type { Change } from '#watch/watch-hub.ts';

export interface Applied {
  /** The entry as written; undefined for `delete` and `check`. */
  readonly results: readonly (Entry | undefined)[];
  readonly changes: readonly Change[];
}

interface Found {
  readonly revision: number;
}

/** Runs a batch within one transaction. Every method is synchronous, so nothing comes between its reads and its commit. */
export class OperationRunner {
  readonly #database: DatabaseSync;
  readonly #find: StatementSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;
  readonly #saveRevision: StatementSync;
  readonly #expired: StatementSync;
  #revision: number;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#find = database.prepare('SELECT revision FROM entries WHERE key = ? AND (expires_ms IS NULL OR expires_ms > ?)');
    this.#put = database.prepare('INSERT OR REPLACE INTO entries (key, value, revision, expires_ms) VALUES (?, ?, ?, ?)');
    this.#remove = database.prepare('DELETE FROM entries WHERE key = ?');
    this.#saveRevision = database.prepare("UPDATE counters SET value = ? WHERE name = 'revision'");
    this.#expired = database.prepare('SELECT key FROM entries WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?');
    this.#revision = Number(database.prepare("SELECT value FROM counters WHERE name = 'revision'").get()?.['value']);
  }

  apply(operations: readonly Operation[], nowMs: number): Applied {
    return this.#transaction((next) => {
      const changes: Change[] = [];
      const results = operations.map((operation, index) => {
        const found = this.#find.get(operation.key, nowMs) as Found | undefined;
        refuse(operation, found, index);
        if (operation.kind === 'check') return undefined;
        if (operation.kind === 'delete') {
          if (found === undefined) return undefined;
          this.#remove.run(operation.key);
          changes.push({ revision: next(), type: 'delete', key: operation.key });
          return undefined;
        }
        const revision = next();
        const { key, value, expiresMs } = operation;
        this.#put.run(key, value, revision, expiresMs ?? null);
        const entry: Entry = { key, value, revision: String(revision), ...(expiresMs === undefined ? {} : { expiresMs }) };
        changes.push({ revision, type: 'put', entry });
        return entry;
      });
      return { results, changes };
    });
  }

  /** Deletes what has expired, at most `limit` entries. */
  sweep(nowMs: number, limit: number): readonly Change[] {
    // Looked for outside of a transaction: an idle store must not write once a second.
    if (this.#expired.get(nowMs, 1) === undefined) return [];
    return this.#transaction((next) =>
      this.#expired.all(nowMs, limit).map((row) => {
        const key = String(row['key']);
        this.#remove.run(key);
        return { revision: next(), type: 'delete' as const, key };
      }),
    );
  }

  #transaction<T>(body: (next: () => number) => T): T {
    let revision = this.#revision;
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = body(() => ++revision);
      if (revision !== this.#revision) this.#saveRevision.run(revision);
      this.#database.exec('COMMIT');
      this.#revision = revision;
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

function refuse(operation: Operation, found: Found | undefined, index: number): void {
  const { kind, key } = operation;
  const revision = found === undefined ? undefined : String(found.revision);
  if (kind === 'create' && revision !== undefined) throw new StoreError('exists', `${key} already exists`, { index });
  if (kind === 'update' && revision === undefined) throw new StoreError('absent', `${key} does not exist`, { index });
  const expected = kind === 'create' || kind === 'put' ? revision : operation.expectedRevision;
  const mayBeAbsent = kind === 'delete' && (revision === undefined || expected === undefined);
  if (!mayBeAbsent && expected !== revision) throw new StoreError('conflict', `${key} was changed by another: read it again`, { index });
}
