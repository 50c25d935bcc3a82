import { randomUUID } from 'node:crypto';
import { briefFields, maxBriefBytes } from '#spool/brief-fields.ts';
import type { EventFields, SpoolEvent } from '#spool/event.ts';

/**
 * Of an intent what an outcome `unknown` has to say. The fields are those that were written, which nobody parses before they are needed, or
 * of an earlier process the few that are repeated.
 */
type Kept = Pick<SpoolEvent, 'head' | 'id' | 'code' | 'timeMs' | 'success' | 'fields'>;

interface OpenIntent {
  readonly event: Kept;
  /** The segment that proves it to a later start. */
  segment: number;
  readonly reservedBytes: number;
}

/** Intents on disk whose outcome is not, each with room kept for an outcome `unknown` and for one carried copy. */
export class OpenIntents {
  readonly #byRequest = new Map<string, OpenIntent>();
  #reservedBytes = 0;

  get size(): number {
    return this.#byRequest.size;
  }

  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  has(requestId: string): boolean {
    return this.#byRequest.has(requestId);
  }

  requestIds(): readonly string[] {
    return [...this.#byRequest.keys()];
  }

  open(requestId: string, intent: Kept, kept: { readonly segment: number; readonly reservedBytes: number }): void {
    this.close(requestId);
    const { head, id, code, timeMs, success, fields } = intent;
    this.#byRequest.set(requestId, { event: { head, id, code, timeMs, success, fields }, ...kept });
    this.#reservedBytes += kept.reservedBytes;
  }

  close(requestId: string): void {
    const known = this.#byRequest.get(requestId);
    if (known === undefined) return;
    this.#byRequest.delete(requestId);
    this.#reservedBytes -= known.reservedBytes;
  }

  reservedFor(requestId: string): number {
    return this.#byRequest.get(requestId)?.reservedBytes ?? 0;
  }

  /** The open intents that only this segment proves, with the few fields that their outcomes repeat. */
  provedBy(segment: number): readonly SpoolEvent[] {
    return [...this.#byRequest]
      .filter(([, open]) => open.segment === segment)
      .map(([requestId, { event }]) => ({ ...event, fields: briefOf(event.fields), phase: { phase: 'intent', requestId } }));
  }

  carriedTo(requestId: string, segment: number): void {
    const known = this.#byRequest.get(requestId);
    if (known !== undefined) known.segment = segment;
  }

  /** The outcome `unknown` of an open intent. */
  unknownOutcome(requestId: string, given: { readonly reason: string; readonly timeMs: number }): SpoolEvent | undefined {
    const known = this.#byRequest.get(requestId);
    if (known === undefined) return undefined;
    const { head, id, code } = known.event;
    const fields = briefOf(known.event.fields).and({ outcome: 'unknown', reason: given.reason, intent_id: id });
    return { head, id: randomUUID(), code, timeMs: given.timeMs, success: false, fields, phase: { phase: 'outcome', requestId } };
  }
}

function briefOf(fields: EventFields): EventFields {
  return briefFields(JSON.parse(`${fields.open}}`));
}

/**
 * Room for an outcome `unknown` and for a carried copy: twice the intent with those of its fields that they repeat, and what the two say
 * beyond that. A byte or two by which a length prefix differs are within what is added.
 */
export function reserveForIntent(frameBytes: number, fieldsBytes: number, requestId: string): number {
  const briefBytes = Math.min(fieldsBytes, maxBriefBytes);
  return 2 * (frameBytes - fieldsBytes + briefBytes + '{"request_id":,"phase":"outcome"}'.length + JSON.stringify(requestId).length) + 512;
}
