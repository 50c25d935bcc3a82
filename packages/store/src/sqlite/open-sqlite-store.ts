import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { afterPrefix, checkKey, checkOperations, defaultMaxBehind } from '#limits.ts';
import { OperationRunner } from '#sqlite/apply-operations.ts';
import { databaseError, openDatabase } from '#sqlite/open-database.ts';
import {
  type Entry,
  type ListOptions,
  type Operation,
  type Store,
  StoreError,
  type StoreEvent,
  type WatchOptions,
  type WriteOptions,
} from '#store.ts';
import { follow } from '#watch/follow.ts';
import { type Change, WatchHub } from '#watch/watch-hub.ts';

export interface SqliteStoreOptions {
  /** Made with mode 0600 where it is not there; its folder with 0700. */
  readonly path: string;
  readonly nowMs: () => number;
  /** How often expired entries are looked for; at most 5,000. */
  readonly sweepEveryMs?: number;
}

const sweepBatch = 200;

/** One file, one process. A write resolves once SQLite has synced its write-ahead log. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  return new SqliteStore(options);
}

class SqliteStore implements Store {
  readonly #path: string;
  readonly #nowMs: () => number;
  readonly #database: DatabaseSync;
  readonly #runner: OperationRunner;
  readonly #getOne: StatementSync;
  readonly #listMany: StatementSync;
  readonly #hub = new WatchHub();
  readonly #sweeper: NodeJS.Timeout;

  constructor({ path, nowMs, sweepEveryMs = 1000 }: SqliteStoreOptions) {
    this.#path = path;
    this.#nowMs = nowMs;
    this.#database = openDatabase(path);
    this.#runner = new OperationRunner(this.#database);
    this.#getOne = this.#database.prepare('SELECT * FROM entries WHERE key = ? AND (expires_ms IS NULL OR expires_ms > ?)');
    // SQLite plans by a bare `LIMIT ?` and prepares the statement anew each time it is bound, which takes longer than to run it.
    this.#listMany = this.#database.prepare(
      'SELECT * FROM entries WHERE key >= ? AND key < ? AND key > ? AND (expires_ms IS NULL OR expires_ms > ?) ORDER BY key LIMIT ? + 0',
    );
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(sweepEveryMs, 5000));
    this.#sweeper.unref();
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key);
    return this.#select(this.#getOne, [key, this.#nowMs()])[0];
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly Entry[]> {
    return this.#list(prefix, options);
  }

  async create(key: string, value: string, options?: WriteOptions): Promise<Entry> {
    return this.#write({ kind: 'create', key, value, ...options });
  }

  async update(key: string, value: string, expectedRevision: string, options?: WriteOptions): Promise<Entry> {
    return this.#write({ kind: 'update', key, value, expectedRevision, ...options });
  }

  async put(key: string, value: string, options?: WriteOptions): Promise<Entry> {
    return this.#write({ kind: 'put', key, value, ...options });
  }

  async delete(key: string, expectedRevision?: string): Promise<boolean> {
    const { changes } = this.#apply([{ kind: 'delete', key, ...(expectedRevision === undefined ? {} : { expectedRevision }) }]);
    return changes.length > 0;
  }

  async atomically(operations: readonly Operation[]): Promise<readonly (Entry | undefined)[]> {
    return this.#apply(operations).results;
  }

  async *watch(prefix: string, { signal, maxBehind = defaultMaxBehind }: WatchOptions): AsyncGenerator<StoreEvent, void, undefined> {
    if (signal.aborted) return;
    // No await stands between these two lines: no commit can come between the snapshot and the first event.
    const queue = this.#hub.subscribe(prefix, maxBehind);
    try {
      yield* follow(this.#list(prefix, {}), queue, signal);
    } finally {
      this.#hub.unsubscribe(queue);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#hub.failAll(new StoreError('unavailable', `${this.#path} was closed`));
    if (this.#database.isOpen) this.#database.close();
  }

  #write(operation: Operation): Entry {
    const [entry] = this.#apply([operation]).results;
    if (entry === undefined) throw new StoreError('unavailable', `${operation.key} was not written`);
    return entry;
  }

  #apply(operations: readonly Operation[]): { readonly results: readonly (Entry | undefined)[]; readonly changes: readonly Change[] } {
    checkOperations(operations);
    const applied = this.#asking(() => this.#runner.apply(operations, this.#nowMs()));
    for (const change of applied.changes) this.#hub.publish(change);
    return applied;
  }

  #sweep(): void {
    try {
      const changes = this.#runner.sweep(this.#nowMs(), sweepBatch);
      for (const change of changes) this.#hub.publish(change);
      if (changes.length === sweepBatch) setImmediate(() => this.#sweep());
    } catch {
      // A disk that refuses is told to the next writer. Expired entries are absent from every read meanwhile.
    }
  }

  #list(prefix: string, { limit, after = '' }: ListOptions): Entry[] {
    return this.#select(this.#listMany, [prefix, afterPrefix(prefix), after, this.#nowMs(), limit ?? -1]);
  }

  #select(statement: StatementSync, parameters: readonly SQLInputValue[]): Entry[] {
    return this.#asking(() => statement.all(...parameters)).map((row) => ({
      key: String(row['key']),
      value: String(row['value']),
      revision: String(row['revision']),
      ...(row['expires_ms'] === null ? {} : { expiresMs: Number(row['expires_ms']) }),
    }));
  }

  #asking<T>(act: () => T): T {
    if (!this.#database.isOpen) throw new StoreError('unavailable', `${this.#path} was closed`);
    try {
      return act();
    } catch (error) {
      throw error instanceof Error && 'errcode' in error ? databaseError(this.#path, error) : error;
    }
  }
}
