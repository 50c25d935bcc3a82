import { readFile, truncate } from 'node:fs/promises';
import { basename } from 'node:path';
import { AuditEvent, parseAuditFields } from '@postern/api';
import { briefFields } from '#spool/brief-fields.ts';
import { EventHead, type Phase } from '#spool/event.ts';
import { endOfFrame, findFrame } from '#spool/frame.ts';
import { type OpenIntents, reserveForIntent } from '#spool/open-intents.ts';
import { isRefusal, type RefusalShares } from '#spool/refusal-shares.ts';
import { segmentPath } from '#spool/segment-file.ts';
import type { SegmentList } from '#spool/segment-list.ts';
import type { SpoolReport } from '#spool/spool.ts';

/** Reads what an earlier process left: fills the list, the open intents and the shares of refusals, and tells what could not be read. */
export async function scanSegments(
  dir: string,
  numbers: readonly number[],
  into: { readonly segments: SegmentList; readonly intents: OpenIntents; readonly refusals: RefusalShares },
): Promise<SpoolReport['unreadable']> {
  const unreadable: SpoolReport['unreadable'][number][] = [];
  for (const number of numbers) {
    const path = segmentPath(dir, number);
    const bytes = await readFile(path);
    let offset = 0;
    let frame = findFrame(bytes, offset);
    for (; typeof frame !== 'string'; frame = findFrame(bytes, offset)) {
      const event = AuditEvent.decode(bytes.subarray(frame.start, frame.end));
      if (frame.kind === 'event') into.segments.stored(1, event.timeMs);
      note(event, { segment: number, frameBytes: frame.end - offset }, into);
      offset = frame.end;
    }
    const rest = bytes.subarray(offset);
    const written = withoutZeros(rest);
    // Zeros are what a segment has in advance. A write cut short by a crash leaves part of a frame in front of them.
    const torn = written > 0 && number === numbers.at(-1) && (frame === 'cut' || endOfFrame(rest) > written);
    const damagedBytes = written > 0 && !torn ? rest.length : 0;
    if (damagedBytes === 0 && rest.length > 0) await truncate(path, offset);
    if (written > 0) unreadable.push({ segment: basename(path), bytes: torn ? written : rest.length, kind: torn ? 'torn' : 'damaged' });
    into.segments.add({ number, bytes: offset, damagedBytes, offset: 0, active: false });
  }
  return unreadable;
}

/** How many bytes there are up to the last that is not zero. */
function withoutZeros(bytes: Buffer): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}

function note(
  event: AuditEvent,
  at: { readonly segment: number; readonly frameBytes: number },
  { intents, refusals }: { readonly intents: OpenIntents; readonly refusals: RefusalShares },
): void {
  const found = phaseIn(event);
  if (isRefusal({ success: event.success, ...(found === undefined ? {} : { phase: found }) })) {
    refusals.took(event.user, at.frameBytes);
    refusals.stored(event.user, at.frameBytes, at.segment);
  }
  if (found?.phase === 'intent') {
    const { id, code, timeMs, success, fieldsJson } = event;
    const reservedBytes = reserveForIntent(at.frameBytes, fieldsJson.length, found.requestId);
    const intent = { head: new EventHead(event), id, code, timeMs, success, fields: briefFields(found.fields) };
    intents.open(found.requestId, intent, { segment: at.segment, reservedBytes });
  }
  if (found?.phase === 'outcome') intents.close(found.requestId);
}

function phaseIn({ id, fieldsJson }: AuditEvent): (Phase & { readonly fields: Readonly<Record<string, unknown>> }) | undefined {
  if (fieldsJson.length === 0) return undefined;
  try {
    const fields = parseAuditFields(id, fieldsJson);
    const { phase, request_id: requestId } = fields;
    if ((phase !== 'intent' && phase !== 'outcome') || typeof requestId !== 'string' || requestId === '') return undefined;
    return { phase, requestId, fields };
  } catch {
    // Written by a version with other rules: it is uploaded, and auth judges it.
    return undefined;
  }
}
