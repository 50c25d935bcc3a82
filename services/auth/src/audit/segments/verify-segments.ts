import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Verification } from '#audit/audit-log.ts';
import { type ChainLink, firstPrev, readLink } from '#audit/record/stored-line.ts';
import type { Head } from '#audit/segments/head-file.ts';
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
 * Reads every record up to `head` from disk and follows the chain. `onDisk` is what the head file says now: it differs
 * from `head` only where someone else wrote it.
 */
export async function verifySegments(dir: string, head: Head, onDisk: Head | undefined): Promise<Verification> {
  const progress = { records: 0, last: { ei: 0, hash: firstPrev } };
  const fault = await firstFault(dir, head, progress);
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

interface Progress {
  records: number;
  last: { readonly ei: number; readonly hash: string };
}

async function firstFault(dir: string, head: Head, progress: Progress): Promise<FirstFault | undefined> {
  for (const segment of await listSegments(dir)) {
    if (firstEiOf(segment) > head.ei) {
      if (firstEiOf(segment) === head.ei + 1) continue;
      return new FirstFault(segment, 1, `the log ends with record ${head.ei}, and this segment was added to it`);
    }
    const fault = await firstFaultOf(dir, segment, { head, progress });
    if (fault !== undefined) return fault;
  }
  const { last } = progress;
  if (last.ei === head.ei && last.hash === head.hash) return undefined;
  return new FirstFault(
    head.segment,
    progress.records,
    `the log ends with record ${last.ei} where record ${head.ei} was acknowledged: its tail was cut off`,
  );
}

async function firstFaultOf(
  dir: string,
  segment: string,
  { head, progress }: { readonly head: Head; readonly progress: Progress },
): Promise<FirstFault | undefined> {
  const active = segment === head.segment;
  // Records behind the head may be under way while this reads.
  const range = active ? { to: head.bytes } : {};
  let line = 0;
  for await (const lines of readLines(dir, segment, range)) {
    for (const { bytes, complete } of lines) {
      line += 1;
      const link = complete ? readLink(bytes) : 'the record is cut off in its middle';
      const reason = typeof link === 'string' ? link : gapBefore(link, progress.last);
      if (reason !== undefined) return new FirstFault(segment, line, reason);
      if (typeof link !== 'string') progress.last = link;
      progress.records += 1;
    }
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

function gapBefore(link: ChainLink, last: { readonly ei: number; readonly hash: string }): string | undefined {
  if (link.ei === last.ei + 1 && link.prev === last.hash) return undefined;
  if (link.ei > last.ei + 1) return `records ${last.ei + 1} to ${link.ei - 1} are missing`;
  if (link.ei <= last.ei) return `record ${link.ei} stands after record ${last.ei}: records were reordered or repeated`;
  return `record ${link.ei} does not follow record ${last.ei}: one of them was replaced`;
}
