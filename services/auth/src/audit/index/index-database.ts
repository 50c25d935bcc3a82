import { chmodSync, closeSync, openSync, rmSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { PosternError } from '@postern/api';
import type { AuditFilter } from '#audit/audit-log.ts';
import type { IndexedFields } from '#audit/record/stored-line.ts';

/** Where a record stands, and by what it is looked for. */
export interface IndexRow extends IndexedFields {
  readonly ei: number;
  /** Named by its first record. */
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

/** The last record that the index holds, with its hash: tells whether the index belongs to these segments. */
export interface Watermark {
  readonly ei: number;
  readonly hash: string;
  readonly segment: number;
  readonly end: number;
}

export interface Position {
  readonly timeMs: number;
  readonly ei: number;
}

const layout = `
  CREATE TABLE IF NOT EXISTS records (ei INTEGER PRIMARY KEY, digest TEXT NOT NULL, time_ms INTEGER NOT NULL, user TEXT NOT NULL,
    kind TEXT NOT NULL, resource TEXT NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS records_digest ON records (digest);
  CREATE INDEX IF NOT EXISTS records_time ON records (time_ms);
  CREATE INDEX IF NOT EXISTS records_user ON records (user, time_ms);
  CREATE INDEX IF NOT EXISTS records_kind ON records (kind, time_ms);
  CREATE INDEX IF NOT EXISTS records_resource ON records (resource, time_ms);
  CREATE TABLE IF NOT EXISTS watermark (id INTEGER PRIMARY KEY CHECK (id = 1), ei INTEGER NOT NULL, hash TEXT NOT NULL,
    segment INTEGER NOT NULL, "end" INTEGER NOT NULL) STRICT;
`;

/**
 * The index over the segments, a SQLite file that may be deleted at any time. Its exclusive lock is also what keeps a
 * second process from the same log.
 */
export class IndexDatabase {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #mark: StatementSync;
  readonly #digest: StatementSync;
  readonly #queries = new Map<string, StatementSync>();

  constructor(path: string) {
    this.#database = openOrReplace(path);
    this.#insert = this.#database.prepare('INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#mark = this.#database.prepare('INSERT OR REPLACE INTO watermark VALUES (1, ?, ?, ?, ?)');
    this.#digest = this.#database.prepare('SELECT 1 FROM records WHERE digest = ?');
  }

  get watermark(): Watermark | undefined {
    return this.#database.prepare('SELECT ei, hash, segment, "end" FROM watermark').get() as Watermark | undefined;
  }

  has(digest: string): boolean {
    return this.#digest.get(digest) !== undefined;
  }

  add(rows: readonly IndexRow[], watermark: Watermark): void {
    this.#database.exec('BEGIN');
    try {
      for (const row of rows) {
        this.#insert.run(row.ei, row.digest, row.timeMs, row.user, row.kind, row.resource, row.segment, row.offset, row.length);
      }
      this.#mark.run(watermark.ei, watermark.hash, watermark.segment, watermark.end);
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  clear(): void {
    this.#database.exec('BEGIN; DELETE FROM records; DELETE FROM watermark; COMMIT;');
  }

  /** Rows in order of event time, strictly beyond `after`. */
  page(
    filter: AuditFilter,
    order: { readonly oldestFirst: boolean; readonly after: Position | undefined; readonly limit: number },
  ): readonly IndexRow[] {
    const conditions: string[] = [];
    const values: (string | number)[] = [];
    const where = (condition: string, ...given: (string | number)[]): void => {
      conditions.push(condition);
      values.push(...given);
    };
    if (filter.user) where('user = ?', filter.user);
    if (filter.kind) where('kind = ?', filter.kind);
    if (filter.resource) where('resource = ?', filter.resource);
    if (filter.fromMs) where('time_ms >= ?', filter.fromMs);
    if (filter.toMs) where('time_ms < ?', filter.toMs);
    if (order.after) where(`(time_ms, ei) ${order.oldestFirst ? '>' : '<'} (?, ?)`, order.after.timeMs, order.after.ei);
    const direction = order.oldestFirst ? 'ASC' : 'DESC';
    const sql = `SELECT ei, digest, time_ms AS timeMs, user, kind, resource, segment, offset, length FROM records
      ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`} ORDER BY time_ms ${direction}, ei ${direction} LIMIT ?`;
    let statement = this.#queries.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#queries.set(sql, statement);
    }
    return statement.all(...values, order.limit) as unknown as readonly IndexRow[];
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

function openOrReplace(path: string): DatabaseSync {
  try {
    return openIndex(path);
  } catch (cause) {
    const code = cause instanceof Error && 'errcode' in cause ? Number(cause.errcode) & 0xff : undefined;
    if (code === 5) throw new PosternError('unavailable', `the audit log of ${path} is open in another process: stop it first`, { cause });
    // 11 is a damaged file, 26 one that is no database: everything in it can be read from the segments again.
    if (code !== 11 && code !== 26) throw new PosternError('unavailable', `the audit index ${path} cannot be opened`, { cause });
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    return openIndex(path);
  }
}

function openIndex(path: string): DatabaseSync {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    // NORMAL: a power cut may cost the last rows, which are read from the segments again, and never the file.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;');
    // Rows fall on pages all over the file: a checkpoint that comes seldom writes each page once for many of them.
    database.exec('PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 33554432;');
    database.exec(`PRAGMA trusted_schema = OFF; BEGIN IMMEDIATE; ${layout} COMMIT;`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
