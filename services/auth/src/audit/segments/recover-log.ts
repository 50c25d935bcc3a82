import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditProblem } from '#audit/audit-log.ts';
import { type ChainLink, firstPrev, readLink } from '#audit/record/stored-line.ts';
import type { Head } from '#audit/segments/head-file.ts';
import { firstEiOf, listSegments, readLines, segmentName } from '#audit/segments/segment-files.ts';

export interface Recovered {
  /** After which record the log goes on. */
  readonly head: Head;
  readonly problems: readonly AuditProblem[];
}

/**
 * Finds where the log goes on after any kind of stop. Behind the last acknowledged record stands only what nobody was
 * told of: whole records that follow in the chain are kept, a torn rest is cut off. Nothing before it is touched, and
 * where it is missing or changed the log goes on in a new segment, so that the gap stays in the chain for good.
 */
export async function recoverLog(dir: string, found: Head | undefined): Promise<Recovered> {
  const segments = await listSegments(dir);
  const problems: AuditProblem[] = [];
  let head = found ?? (await headFromSegments(dir, segments, problems));
  if (found !== undefined) {
    const problem = await checkHead(dir, found);
    if (problem !== undefined) return { head: goOnInNewSegment(found), problems: [problem] };
  }
  head = await adopt(dir, { head, end: head.bytes, problems });
  for (const segment of segments) {
    if (firstEiOf(segment) !== head.ei + 1 || segment === head.segment) continue;
    head = await adopt(dir, { head: { ...head, segment, bytes: 0 }, end: 0, problems });
  }
  return { head, problems };
}

const goOnInNewSegment = (head: Head): Head => ({ ...head, segment: segmentName(head.ei + 1), bytes: 0 });

export async function sizeOf(dir: string, segment: string): Promise<number> {
  try {
    return (await stat(join(dir, segment))).size;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}

/** Whether the record that the head names still ends where it ended. */
async function checkHead(dir: string, { segment, bytes, ei, hash }: Head): Promise<AuditProblem | undefined> {
  if (bytes === 0) return undefined;
  const size = await sizeOf(dir, segment);
  if (size < bytes) {
    return { kind: 'tail_missing', segment, detail: `the segment has ${size} bytes where ${bytes} were acknowledged, up to record ${ei}` };
  }
  const last = await linkEndingAt(dir, segment, bytes);
  if (typeof last === 'string') return { kind: 'head_mismatch', segment, detail: `record ${ei}, the last acknowledged: ${last}` };
  if (last.ei === ei && last.hash === hash) return undefined;
  return { kind: 'head_mismatch', segment, detail: `record ${ei} was acknowledged last, and record ${last.ei} stands in its place` };
}

/** The record whose line end is the byte before `end`; a string says what stands there instead. */
export async function linkEndingAt(dir: string, segment: string, end: number): Promise<ChainLink | string> {
  let last: ChainLink | string = 'there is no record';
  // The longest record is some 400 KiB: 64 KiB of fields, each byte at most six when escaped.
  for await (const lines of readLines(dir, segment, { from: Math.max(0, end - 512 * 1024), to: end })) {
    const line = lines.at(-1);
    if (line !== undefined) last = line.complete ? readLink(line.bytes) : 'the record is not complete';
  }
  return last;
}

/** Takes over the records behind `end` that follow in the chain, and cuts off what does not. */
async function adopt(dir: string, start: { readonly head: Head; readonly end: number; readonly problems: AuditProblem[] }): Promise<Head> {
  let { head } = start;
  const { segment } = head;
  const size = await sizeOf(dir, segment);
  if (size <= start.end) return head;
  reading: for await (const lines of readLines(dir, segment, { from: start.end })) {
    for (const { bytes, offset, complete } of lines) {
      const link = complete ? readLink(bytes) : 'torn';
      if (typeof link === 'string' || link.ei !== head.ei + 1 || link.prev !== head.hash) break reading;
      head = { ei: link.ei, hash: link.hash, segment, bytes: offset + bytes.length + 1 };
    }
  }
  await settle(join(dir, segment), head.bytes);
  if (head.bytes < size) {
    const detail = `${size - head.bytes} bytes behind record ${head.ei}, which no one was told were stored, were cut off`;
    start.problems.push({ kind: 'torn_tail_cut', segment, detail });
  }
  return head;
}

/** Cuts the file to its good length and makes that durable: what a killed process wrote may be in memory only. */
async function settle(path: string, bytes: number): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.truncate(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Without a head, the last record with a good hash in the last segment is taken for the end. */
async function headFromSegments(dir: string, segments: readonly string[], problems: AuditProblem[]): Promise<Head> {
  const segment = segments.at(-1);
  const none = { ei: 0, hash: firstPrev, segment: segmentName(1), bytes: 0 };
  if (segment === undefined || (segments.length === 1 && (await sizeOf(dir, segment)) === 0)) return none;
  problems.push({
    kind: 'head_unreadable',
    segment,
    detail: 'the head file is missing or damaged: what was cut off the end cannot be told',
  });
  let head: Head = { ...none, ei: firstEiOf(segment) - 1, segment };
  let bad = false;
  for await (const lines of readLines(dir, segment)) {
    for (const { bytes, offset, complete } of lines) {
      const link = readLink(bytes);
      if (typeof link === 'string' || !complete) bad ||= complete;
      else head = { ei: link.ei, hash: link.hash, segment, bytes: offset + bytes.length + 1 };
    }
  }
  return bad ? goOnInNewSegment(head) : head;
}
