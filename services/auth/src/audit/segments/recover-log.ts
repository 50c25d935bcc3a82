import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Anchor } from '#audit/anchor/anchor.ts';
import type { AuditProblem } from '#audit/audit-log.ts';
import { type ChainLink, firstPrev, readLink, unknownPrev } from '#audit/record/stored-line.ts';
import type { Head } from '#audit/segments/head-file.ts';
import { firstEiOf, listSegments, readLines, segmentName } from '#audit/segments/segment-files.ts';

export interface Recovered {
  /** After which record the log goes on. */
  readonly head: Head;
  readonly problems: readonly AuditProblem[];
}

/**
 * Finds where the log goes on after any kind of stop. Behind the last acknowledged record stands only what nobody was
 * told of: whole commits, with their seals, are kept, a torn rest is cut off. Nothing before it is touched, and
 * where it is missing or changed the log goes on in a new segment, so that the gap stays in the chain for good.
 */
export async function recoverLog(log: LogFiles, found: Head | undefined, anchored: Anchored): Promise<Recovered> {
  const { head, problems, broken } = await recoverFiles(log, found);
  const anchor = anchored?.anchor;
  const problem = await againstAnchor(log, head, anchored);
  // What is broken already will not have the record that the store knows either.
  if (broken && problem?.kind === 'anchor_mismatch') return { head, problems };
  if (problem !== undefined) problems.push(problem);
  if (anchor !== undefined && anchor.ei > head.ei) return { head: goOnInNewSegment({ ...head, ...endOf(anchor) }), problems };
  if (anchor !== undefined && problem?.kind === 'anchor_mismatch') {
    return { head: goOnInNewSegment({ ...head, hash: anchor.hash }), problems };
  }
  // A clean stop leaves the anchor at the very end: then nothing is missing, head file or not.
  const whole = anchor?.closed === true && anchor.ei === head.ei;
  if (found === undefined && head.ei > 0 && !whole) return { head: goOnInNewSegment({ ...head, hash: unknownPrev }), problems };
  return { head, problems };
}

/** The log's directory, and the key of its seals. */
export interface LogFiles {
  readonly dir: string;
  readonly sealKey: Buffer;
}
type Anchored = { readonly anchor: Anchor | undefined } | undefined;

const endOf = ({ ei, hash }: Anchor) => ({ ei, hash });

async function againstAnchor(log: LogFiles, head: Head, found: Anchored): Promise<AuditProblem | undefined> {
  const { segment, ei } = head;
  if (found === undefined) {
    if (ei === 0) return undefined;
    return { kind: 'anchor_missing', segment, detail: `the store knows nothing of this log, which has ${ei} records` };
  }
  const { anchor } = found;
  if (anchor === undefined) return { kind: 'anchor_changed', segment, detail: 'the anchor in the store was forged' };
  if (anchor.ei > ei) {
    return { kind: 'tail_missing', segment, detail: `the log ends with record ${ei}, and the store knows of record ${anchor.ei}` };
  }
  if (anchor.ei === 0) return undefined;
  const hash = await hashOf(log, anchor.ei);
  if (hash === anchor.hash) return undefined;
  return { kind: 'anchor_mismatch', segment, detail: `record ${anchor.ei} is not the one that the store knows` };
}

/** Of one record, looked for in the segment that should hold it. */
async function hashOf({ dir, sealKey }: LogFiles, ei: number): Promise<string | undefined> {
  const segment = (await listSegments(dir)).findLast((name) => firstEiOf(name) <= ei);
  if (segment === undefined) return undefined;
  const beginning = Buffer.from(`{"ei":${ei},`);
  for await (const lines of readLines(dir, segment)) {
    const line = lines.find(({ bytes }) => bytes.subarray(0, beginning.length).equals(beginning));
    if (line === undefined) continue;
    const link = readLink(line.bytes, sealKey);
    return typeof link === 'string' ? undefined : link.hash;
  }
  return undefined;
}

interface RecoveredFiles {
  readonly head: Head;
  readonly problems: AuditProblem[];
  /** The record that the head names is not there: the log goes on in a new segment already. */
  readonly broken: boolean;
}

async function recoverFiles(log: LogFiles, found: Head | undefined): Promise<RecoveredFiles> {
  const segments = await listSegments(log.dir);
  const problems: AuditProblem[] = [];
  let head = found ?? (await headFromSegments(log, segments, problems));
  if (found !== undefined) {
    const problem = await checkHead(log, found);
    if (problem !== undefined) return { head: goOnInNewSegment(found), problems: [problem], broken: true };
  }
  head = await adopt(log, { head, end: head.bytes, problems });
  for (const segment of segments) {
    if (firstEiOf(segment) !== head.ei + 1 || segment === head.segment) continue;
    head = await adopt(log, { head: { ...head, segment, bytes: 0 }, end: 0, problems });
  }
  return { head, problems, broken: false };
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
async function checkHead(log: LogFiles, { segment, bytes, ei, hash }: Head): Promise<AuditProblem | undefined> {
  if (bytes === 0) return undefined;
  const { dir } = log;
  const size = await sizeOf(dir, segment);
  if (size < bytes) {
    return { kind: 'tail_missing', segment, detail: `the segment has ${size} bytes where ${bytes} were acknowledged, up to record ${ei}` };
  }
  const last = await linkEndingAt(log, segment, bytes);
  if (typeof last === 'string') return { kind: 'head_mismatch', segment, detail: `record ${ei}, the last acknowledged: ${last}` };
  if (last.ei === ei && last.hash === hash && last.sealed) return undefined;
  return { kind: 'head_mismatch', segment, detail: `record ${ei} was acknowledged last, and record ${last.ei} stands in its place` };
}

/** The record whose line end is the byte before `end`; a string says what stands there instead. */
export async function linkEndingAt({ dir, sealKey }: LogFiles, segment: string, end: number): Promise<ChainLink | string> {
  let last: ChainLink | string = 'there is no record';
  // The longest record is some 400 KiB: 64 KiB of fields, each byte at most six when escaped.
  for await (const lines of readLines(dir, segment, { from: Math.max(0, end - 512 * 1024), to: end })) {
    const line = lines.at(-1);
    if (line !== undefined) last = line.complete ? readLink(line.bytes, sealKey) : 'the record is not complete';
  }
  return last;
}

/** Takes over the commits behind `end` that follow in the chain, and cuts off what does not. */
async function adopt(
  { dir, sealKey }: LogFiles,
  start: { readonly head: Head; readonly end: number; readonly problems: AuditProblem[] },
): Promise<Head> {
  let { head } = start;
  const { segment } = head;
  const size = await sizeOf(dir, segment);
  if (size <= start.end) return head;
  let end = { ei: head.ei, hash: head.hash };
  reading: for await (const lines of readLines(dir, segment, { from: start.end })) {
    for (const { bytes, offset, complete } of lines) {
      const link = complete ? readLink(bytes, sealKey) : 'torn';
      if (typeof link === 'string' || link.ei !== end.ei + 1 || link.prev !== end.hash) break reading;
      end = { ei: link.ei, hash: link.hash };
      if (link.sealed) head = { ...end, segment, bytes: offset + bytes.length + 1 };
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

/** Without a head, the last sealed record in the last segment is taken for the end. */
async function headFromSegments({ dir, sealKey }: LogFiles, segments: readonly string[], problems: AuditProblem[]): Promise<Head> {
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
      const link = readLink(bytes, sealKey);
      if (typeof link === 'string' || !complete) bad ||= complete;
      else if (link.sealed) head = { ei: link.ei, hash: link.hash, segment, bytes: offset + bytes.length + 1 };
    }
  }
  return bad ? goOnInNewSegment(head) : head;
}
