import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { PosternError } from '@postern/api';
import type { Place } from '#audit/index/index-database.ts';
import { segmentName } from '#audit/segments/segment-files.ts';

const maxGapBytes = 16 * 1024;
const maxReadBytes = 1024 * 1024;
const maxOpenSegments = 16;
const maxBytesAtOnce = 2 * 1024 * 1024;

/** Reads lines by their place; neighbours are read together. Kept for one query, then closed. */
export class RecordReader {
  readonly #dir: string;
  readonly #handles = new Map<number, FileHandle>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Lines in the order of the rows. */
  async read(rows: readonly Place[]): Promise<readonly string[]> {
    const lines = new Map<number, string>();
    const inPlace = [...rows].sort((a, b) => a.segment - b.segment || a.offset - b.offset);
    for (let from = 0; from < inPlace.length; ) {
      const to = endOfRun(inPlace, from);
      await this.#readRun(inPlace.slice(from, to), lines);
      from = to;
    }
    return rows.map((row) => lines.get(row.ei) ?? '');
  }

  async close(): Promise<void> {
    for (const handle of this.#handles.values()) await handle.close();
    this.#handles.clear();
  }

  async #readRun(run: readonly Place[], lines: Map<number, string>): Promise<void> {
    const first = run[0];
    const last = run.at(-1);
    if (first === undefined || last === undefined) return;
    const length = last.offset + last.length - first.offset;
    const { buffer } = await (await this.#open(first.segment)).read(Buffer.alloc(length), 0, length, first.offset);
    for (const row of run) {
      const at = row.offset - first.offset;
      const line = buffer.toString('utf8', at, at + row.length);
      if (!line.startsWith(`{"ei":${row.ei},`)) {
        throw new PosternError('internal', `record ${row.ei} of the audit log is not where it was written: run tctl audit verify`);
      }
      lines.set(row.ei, line);
    }
  }

  async #open(segment: number): Promise<FileHandle> {
    const known = this.#handles.get(segment);
    if (known !== undefined) return known;
    if (this.#handles.size >= maxOpenSegments) await this.close();
    const handle = await open(join(this.#dir, segmentName(segment)), 'r');
    this.#handles.set(segment, handle);
    return handle;
  }
}

function endOfRun(rows: readonly Place[], from: number): number {
  let to = from + 1;
  while (to < rows.length && joins(rows, from, to)) to += 1;
  return to;
}

/** Whether the row at `to` stands so near to the one before that one read serves both. */
function joins(rows: readonly Place[], from: number, to: number): boolean {
  const [first, previous, row] = [rows[from], rows[to - 1], rows[to]];
  if (first === undefined || previous === undefined || row === undefined || row.segment !== first.segment) return false;
  return row.offset - (previous.offset + previous.length) <= maxGapBytes && row.offset + row.length - first.offset <= maxReadBytes;
}

/** The rows in shares whose records fit in memory together. */
export function* shares(rows: readonly Place[]): Generator<readonly Place[]> {
  let share: Place[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (share.length > 0 && bytes + row.length > maxBytesAtOnce) {
      yield share;
      [share, bytes] = [[], 0];
    }
    share.push(row);
    bytes += row.length;
  }
  if (share.length > 0) yield share;
}
