import { readFile, truncate } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseAuditFields } from '@postern/api';
import { type Phase, phaseOf } from '#spool/check-event.ts';
import { decodeFrame, type Frame } from '#spool/frame.ts';
import { type OpenIntents, reserveForIntent } from '#spool/open-intents.ts';
import { segmentPath } from '#spool/segment-file.ts';
import type { SegmentList } from '#spool/segment-list.ts';
import type { SpoolReport } from '#spool/spool.ts';

/** Reads what an earlier process left: fills the list and the open intents, and tells what could not be read. */
export async function scanSegments(
  dir: string,
  numbers: readonly number[],
  into: { readonly segments: SegmentList; readonly intents: OpenIntents },
): Promise<SpoolReport['unreadable']> {
  const unreadable: SpoolReport['unreadable'][number][] = [];
  for (const number of numbers) {
    const path = segmentPath(dir, number);
    const bytes = await readFile(path);
    let offset = 0;
    let frame = decodeFrame(bytes, offset);
    for (; typeof frame !== 'string'; frame = decodeFrame(bytes, offset)) {
      offset += frame.length;
      if (frame.kind === 'event') into.segments.stored(1, frame.event.timeMs);
      noteIntent(frame, number, into.intents);
    }
    const rest = bytes.subarray(offset);
    // A write cut short by a crash leaves part of a frame at the very end, or zeros where the length was stored before the bytes.
    const torn = rest.every((byte) => byte === 0) || (frame === 'cut' && number === numbers.at(-1));
    if (torn && rest.length > 0) await truncate(path, offset);
    if (rest.length > 0) unreadable.push({ segment: basename(path), bytes: rest.length, kind: torn ? 'torn' : 'damaged' });
    into.segments.add({ number, bytes: offset, damagedBytes: torn ? 0 : rest.length, offset: 0, active: false });
  }
  return unreadable;
}

function noteIntent({ event, length }: Frame, segment: number, intents: OpenIntents): void {
  const phase = phaseIn(event);
  if (phase?.phase === 'intent') {
    intents.open(phase.requestId, event, { segment, reservedBytes: reserveForIntent(event, phase.requestId, length) });
  }
  if (phase?.phase === 'outcome') intents.close(phase.requestId);
}

function phaseIn({ id, fieldsJson }: Frame['event']): Phase | undefined {
  try {
    return fieldsJson.length === 0 ? undefined : phaseOf(parseAuditFields(id, fieldsJson));
  } catch {
    // Written by a version with other rules: it is uploaded, and auth judges it.
    return undefined;
  }
}
