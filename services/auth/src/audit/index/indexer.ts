import { join } from 'node:path';
import type { AuditProblem } from '#audit/audit-log.ts';
import { IndexDatabase, type IndexRow, type Watermark } from '#audit/index/index-database.ts';
import { readIndexedFields, readLink } from '#audit/record/stored-line.ts';
import type { Head } from '#audit/segments/head-file.ts';
import { linkEndingAt, type LogFiles, sizeOf } from '#audit/segments/recover-log.ts';
import { firstEiOf, listSegments, type ReadLine, readLines, segmentName } from '#audit/segments/segment-files.ts';

const rowsPerTransaction = 1024;
const maxWaitingRows = 10_000;
const restMs = 25;
const retryMs = 1000;

export interface NewRow {
  readonly row: IndexRow;
  readonly hash: string;
}

/**
 * Keeps the index a little behind the log, in small transactions between other work. What it has not indexed yet is
 * held in memory, so that a record stored a moment ago is known as well as one of last year.
 */
export class Indexer {
  readonly #database: IndexDatabase;
  #waiting: NewRow[] = [];
  /** How many of them are indexed already. */
  #indexed = 0;
  readonly #digests = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  private constructor(database: IndexDatabase) {
    this.#database = database;
  }

  static open(dir: string): Indexer {
    return new Indexer(new IndexDatabase(join(dir, 'index.sqlite')));
  }

  get #lag(): number {
    return this.#waiting.length - this.#indexed;
  }

  get database(): IndexDatabase {
    return this.#database;
  }

  /** Waits where the index lags so far that memory would grow. Rejects where the disk refuses it. */
  async relieve(): Promise<void> {
    while (this.#lag >= maxWaitingRows) {
      this.#index();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  has(digest: string): boolean {
    return this.#digests.has(digest) || this.#database.has(digest);
  }

  add(rows: readonly NewRow[]): void {
    for (const row of rows) {
      this.#waiting.push(row);
      this.#digests.add(row.row.digest);
    }
    this.#schedule(restMs);
  }

  /** Resolves once everything handed in so far can be found. */
  async flush(): Promise<void> {
    while (this.#lag > 0) {
      this.#index();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#database.close();
  }

  /** Reads from the segments what the index lacks, all of it where the index belongs to other segments. */
  async catchUp(log: LogFiles, head: Head): Promise<readonly AuditProblem[]> {
    const { dir } = log;
    const problems: AuditProblem[] = [];
    let mark = this.#database.watermark;
    if (mark !== undefined && !(await belongs(log, mark, head))) {
      this.#database.clear();
      mark = undefined;
    }
    for (const segment of await listSegments(dir)) {
      const first = firstEiOf(segment);
      if (first > head.ei || (mark !== undefined && first < mark.segment)) continue;
      const from = mark?.segment === first ? mark.end : 0;
      const to = segment === head.segment ? head.bytes : Number.MAX_SAFE_INTEGER;
      for await (const lines of readLines(dir, segment, { from, to })) {
        this.#addLines(log, { segment, lines, problems });
      }
    }
    return problems;
  }

  #addLines(
    { sealKey }: LogFiles,
    { segment, lines, problems }: { readonly segment: string; readonly lines: readonly ReadLine[]; readonly problems: AuditProblem[] },
  ): void {
    const rows: NewRow[] = [];
    for (const { bytes, offset } of lines) {
      const link = readLink(bytes, sealKey);
      if (typeof link === 'string') {
        problems.push({ kind: 'record_damaged', segment, detail: `at byte ${offset}: ${link}` });
        continue;
      }
      const place = { ei: link.ei, segment: firstEiOf(segment), offset, length: bytes.length };
      rows.push({ row: { ...place, ...readIndexedFields(bytes) }, hash: link.hash });
    }
    const last = rows.at(-1);
    if (last !== undefined)
      this.#database.add(
        rows.map(({ row }) => row),
        watermarkOf(last),
      );
  }

  #index(): void {
    const rows = this.#waiting.slice(this.#indexed, this.#indexed + rowsPerTransaction);
    const last = rows.at(-1);
    if (last === undefined) return;
    this.#database.add(
      rows.map(({ row }) => row),
      watermarkOf(last),
    );
    this.#indexed += rows.length;
    // Now and then rather than each time: cutting a long list costs its length.
    if (this.#indexed > 4096 || this.#lag === 0) {
      this.#waiting = this.#waiting.slice(this.#indexed);
      this.#indexed = 0;
    }
    for (const { row } of rows) this.#digests.delete(row.digest);
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== undefined || this.#lag === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      try {
        this.#index();
        this.#schedule(this.#lag >= rowsPerTransaction ? 0 : restMs);
      } catch {
        // Tried again; once too much waits, `relieve` lets appending say so.
        this.#schedule(retryMs);
      }
    }, delayMs);
    this.#timer.unref();
  }
}

const watermarkOf = ({ row, hash }: NewRow): Watermark => ({ ei: row.ei, hash, segment: row.segment, end: row.offset + row.length + 1 });

async function belongs(log: LogFiles, mark: Watermark, head: Head): Promise<boolean> {
  if (mark.ei > head.ei) return false;
  const segment = segmentName(mark.segment);
  if ((await sizeOf(log.dir, segment)) < mark.end) return false;
  const link = await linkEndingAt(log, segment, mark.end);
  return typeof link !== 'string' && link.hash === mark.hash;
}
