import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Anchor } from '#audit/anchor/anchor.ts';
import type { Verification } from '#audit/audit-log.ts';
import { type ChainLink, firstPrev, readLink, unknownPrev } from '#audit/record/stored-line.ts';
import type { Head } from '#audit/segments/head-file.ts';
import type { LogFiles } from '#audit/segments/recover-log.ts';
import { firstEiOf, listSegments, readLines } from '#audit/segments/segment-files.ts';

class FirstFault {
  readonly segment: string;
  readonly line: number;
  readonly reason: string;
  constructor(segment: string, line: number, reason: string) {
    this.segment = segment;
    this.line = line;
    this.reason = reason;
  }
}

/**
 * Reads every record up to `head` from disk, and follows the chain, the seals and the anchor.
 */
export async function verifySegments(
  log: LogFiles,
  expected: Expected,
  onProgress: (records: number) => void = () => undefined,
): Promise<Verification> {
  const { head, onDisk } = expected;
  const progress = { records: 0, last: { ei: 0, hash: firstPrev } };
  const fault = await firstFault(log, { ...expected, progress, onProgress });
  const reason = fault ?? (agrees(onDisk, head) ? undefined : new FirstFault(head.segment, 0, 'the head file is missing or was changed'));
  return {
    ok: reason === undefined,
    records: progress.records,
    segment: reason?.segment ?? '',
    line: reason?.line ?? 0,
    reason: reason?.reason ?? '',
    head: progress.last.hash,
  };
}

/** The file may have moved on since `head` was taken, and never back. */
const agrees = (onDisk: Head | undefined, head: Head): boolean =>
  head.ei === 0 || (onDisk !== undefined && (onDisk.ei > head.ei || (onDisk.ei === head.ei && onDisk.hash === head.hash)));

/** What the files are held against. */
export interface Expected {
  readonly head: Head;
  /** What the head file says now: it differs from `head` only where someone else wrote it. */
  readonly onDisk: Head | undefined;
  /** What the store says: a record that the log must have. */
  readonly anchor: Pick<Anchor, 'ei' | 'hash'> | undefined;
}
interface Reading extends Expected {
  readonly progress: Progress;
  readonly onProgress: (records: number) => void;
}
interface Progress {
  records: number;
  last: { readonly ei: number; readonly hash: string };
}

async function firstFault(log: LogFiles, reading: Reading): Promise<FirstFault | undefined> {
  const { head, progress, anchor } = reading;
  for (const segment of await listSegments(log.dir)) {
    if (firstEiOf(segment) > head.ei) {
      if (firstEiOf(segment) === head.ei + 1) continue;
      return new FirstFault(segment, 1, `the log ends with record ${head.ei}, and this segment was added to it`);
    }
    const fault = await firstFaultOf(log, segment, reading);
    if (fault !== undefined) return fault;
  }
  const { last } = progress;
  if (anchor !== undefined && anchor.ei > head.ei) {
    return new FirstFault(
      head.segment,
      progress.records,
      `the log ends with record ${head.ei}, and the store knows of record ${anchor.ei}`,
    );
  }
  if (last.ei === head.ei && last.hash === head.hash) return undefined;
  return new FirstFault(
    head.segment,
    progress.records,
    `the log ends with record ${last.ei} where record ${head.ei} was acknowledged: its tail was cut off`,
  );
}

async function firstFaultOf({ dir, sealKey }: LogFiles, segment: string, reading: Reading): Promise<FirstFault | undefined> {
  const { head, progress, anchor } = reading;
  const active = segment === head.segment;
  // Records behind the head may be under way while this reads.
  const range = active ? { to: head.bytes } : {};
  let line = 0;
  for await (const lines of readLines(dir, segment, range)) {
    for (const { bytes, complete } of lines) {
      line += 1;
      const link = complete ? readLink(bytes, sealKey) : 'the record is cut off in its middle';
      const reason = typeof link === 'string' ? link : (gapBefore(link, progress.last) ?? otherThan(anchor, link));
      if (reason !== undefined) return new FirstFault(segment, line, reason);
      if (typeof link !== 'string') progress.last = link;
      progress.records += 1;
    }
    reading.onProgress(progress.records);
  }
  if (active && (await stat(join(dir, segment))).size < head.bytes) {
    return new FirstFault(
      segment,
      line + 1,
      `the segment ends after record ${progress.last.ei} where record ${head.ei} was acknowledged: its tail was cut off`,
    );
  }
  return undefined;
}

function otherThan(anchor: Expected['anchor'], link: ChainLink): string | undefined {
  if (anchor === undefined || link.ei !== anchor.ei || link.hash === anchor.hash) return undefined;
  return `record ${link.ei} is not the one that the store knows: the chain was written anew`;
}

function gapBefore(link: ChainLink, last: { readonly ei: number; readonly hash: string }): string | undefined {
  if (link.ei === last.ei + 1 && link.prev === last.hash) return undefined;
  if (link.ei === last.ei + 2) return `record ${last.ei + 1} is missing`;
  if (link.ei > last.ei + 1) return `records ${last.ei + 1} to ${link.ei - 1} are missing`;
  if (link.ei <= last.ei) return `record ${link.ei} stands after record ${last.ei}: records were reordered or repeated`;
  if (link.prev === unknownPrev) return `the end of the log behind record ${last.ei} was lost before this record was written`;
  return `record ${link.ei} does not follow record ${last.ei}: one of them was replaced`;
}
