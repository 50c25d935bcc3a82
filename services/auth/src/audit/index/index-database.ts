import { chmodSync, closeSync, openSync, rmSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { PosternError } from '@postern/api';
import { NameTable } from '#audit/index/name-table.ts';
import type { IndexedFields } from '#audit/record/stored-line.ts';

/** Where a record stands. */
export interface Place {
  readonly ei: number;
  /** Named by its first record. */
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}
/** With what it is looked for by. */
export interface IndexRow extends IndexedFields, Place {}

/** The last record that the index holds, with its hash: tells whether the index belongs to these segments. */
export interface Watermark {
  readonly ei: number;
  readonly hash: string;
  readonly segment: number;
  readonly end: number;
}

/** Changes with the layout: an index of another one is made anew from the segments. */
const layoutVersion = 3;
// What a search narrows by besides stands in the index: a row that does not match is not looked up.
const layout = `
  CREATE TABLE IF NOT EXISTS names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE IF NOT EXISTS records (ei INTEGER PRIMARY KEY, digest TEXT NOT NULL, time_ms INTEGER NOT NULL, user INTEGER NOT NULL,
    kind INTEGER NOT NULL, resource INTEGER NOT NULL, session INTEGER NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS records_digest ON records (digest);
  CREATE INDEX IF NOT EXISTS records_time ON records (time_ms);
  CREATE INDEX IF NOT EXISTS records_user ON records (user, time_ms, ei, kind, resource);
  CREATE INDEX IF NOT EXISTS records_kind ON records (kind, time_ms);
  CREATE INDEX IF NOT EXISTS records_resource ON records (resource, time_ms, ei, kind);
  CREATE INDEX IF NOT EXISTS records_session ON records (session, time_ms);
  CREATE TABLE IF NOT EXISTS watermark (id INTEGER PRIMARY KEY CHECK (id = 1), ei INTEGER NOT NULL, hash TEXT NOT NULL,
    segment INTEGER NOT NULL, "end" INTEGER NOT NULL) STRICT;
  PRAGMA user_version = ${layoutVersion};
`;

/** Rows of one statement: calling SQLite costs as much as what it does for a row. */
const rowsPerInsert = 32;
const insertOf = (rows: number): string =>
  `INSERT OR IGNORE INTO records VALUES ${Array.from({ length: rows }, () => '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').join(', ')}`;

/**
 * The index over the segments, a SQLite file that may be deleted at any time. Its exclusive lock is also what keeps a
 * second process from the same log.
 */
export class IndexDatabase {
  readonly #database: DatabaseSync;
  readonly #insertOne: StatementSync;
  readonly #insertMany: StatementSync;
  readonly #mark: StatementSync;
  readonly #digest: StatementSync;
  readonly #names: NameTable;
  readonly #queries = new Map<string, StatementSync>();
  /** No digest that is indexed comes after this one. */
  #lastDigest: string;

  constructor(path: string) {
    this.#database = openOrReplace(path);
    this.#insertOne = this.#database.prepare(insertOf(1));
    this.#insertMany = this.#database.prepare(insertOf(rowsPerInsert));
    this.#names = new NameTable(this.#database);
    this.#mark = this.#database.prepare('INSERT OR REPLACE INTO watermark VALUES (1, ?, ?, ?, ?)');
    this.#digest = this.#database.prepare('SELECT 1 FROM records WHERE digest = ?');
    this.#lastDigest = String(this.#database.prepare("SELECT coalesce(max(digest), '') AS last FROM records").get()?.['last']);
  }

  get watermark(): Watermark | undefined {
    return this.#database.prepare('SELECT ei, hash, segment, "end" FROM watermark').get() as Watermark | undefined;
  }

  has(digest: string): boolean {
    return digest <= this.#lastDigest && this.#digest.get(digest) !== undefined;
  }

  add(rows: readonly IndexRow[], watermark: Watermark): void {
    this.#database.exec('BEGIN');
    try {
      const whole = rows.length - (rows.length % rowsPerInsert);
      for (let from = 0; from < whole; from += rowsPerInsert) {
        this.#insertMany.run(...rows.slice(from, from + rowsPerInsert).flatMap((row) => this.#valuesOf(row)));
      }
      for (const row of rows.slice(whole)) this.#insertOne.run(...this.#valuesOf(row));
      this.#mark.run(watermark.ei, watermark.hash, watermark.segment, watermark.end);
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#names.forget();
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
    for (const { digest } of rows) if (digest > this.#lastDigest) this.#lastDigest = digest;
  }

  clear(): void {
    this.#database.exec('BEGIN; DELETE FROM records; DELETE FROM names; DELETE FROM watermark; COMMIT;');
    this.#names.forget();
    this.#lastDigest = '';
  }

  isKnown(name: string): boolean {
    return this.#names.find(name) !== undefined;
  }

  /** Rows of a SELECT over `records`; the statement is kept, so the text must be one of few. */
  select(sql: string, values: readonly (string | number)[]): readonly Readonly<Record<string, unknown>>[] {
    let statement = this.#queries.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#queries.set(sql, statement);
    }
    return statement.all(...values);
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #valuesOf(row: IndexRow): (string | number)[] {
    const names = this.#names;
    const [user, kind, resource, session] = [
      names.idOf(row.user),
      names.idOf(row.kind),
      names.idOf(row.resource),
      names.idOf(row.sessionId),
    ];
    return [row.ei, row.digest, row.timeMs, user, kind, resource, session, row.segment, row.offset, row.length];
  }
}

function openOrReplace(path: string): DatabaseSync {
  try {
    const database = openIndex(path);
    if (database !== undefined) return database;
  } catch (cause) {
    const code = cause instanceof Error && 'errcode' in cause ? Number(cause.errcode) & 0xff : undefined;
    if (code === 5) throw new PosternError('unavailable', `the audit log of ${path} is open in another process: stop it first`, { cause });
    // 11 is a damaged file, 26 one that is no database: everything in it can be read from the segments again.
    if (code !== 11 && code !== 26) throw new PosternError('unavailable', `the audit index ${path} cannot be opened`, { cause });
  }
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  const made = openIndex(path);
  if (made === undefined) throw new PosternError('internal', `the audit index ${path} was replaced while it was made`);
  return made;
}

/** Undefined where the file has another layout. */
function openIndex(path: string): DatabaseSync | undefined {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    // NORMAL: a power cut may cost the last rows, which are read from the segments again, and never the file.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;');
    // Rows fall on pages all over the file: a checkpoint that comes seldom writes each page once for many of them.
    database.exec('PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 33554432; PRAGMA trusted_schema = OFF; BEGIN IMMEDIATE;');
    const made = database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.['tables'] !== 0;
    if (made && database.prepare('PRAGMA user_version').get()?.['user_version'] !== layoutVersion) {
      database.close();
      return undefined;
    }
    database.exec(`${layout} COMMIT;`);
    return database;
  } catch (error) {
    if (database.isOpen) database.close();
    throw error;
  }
}
