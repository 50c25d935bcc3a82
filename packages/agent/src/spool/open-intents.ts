import { randomUUID } from 'node:crypto';
import type { SpoolEvent } from '#spool/spool.ts';

const NO_FIELDS = Buffer.alloc(0);

interface OpenIntent {
  /** The intent without any fields: what an outcome `unknown` has to say, and no more memory than that. */
  readonly event: SpoolEvent;
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

  open(requestId: string, intent: SpoolEvent, kept: { readonly segment: number; readonly reservedBytes: number }): void {
    const { segment, reservedBytes } = kept;
    this.close(requestId);
    const event = { ...intent, fieldsJson: NO_FIELDS };
    this.#byRequest.set(requestId, { event, segment, reservedBytes });
    this.#reservedBytes += reservedBytes;
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

  /** The open intents that only this segment proves. */
  provedBy(segment: number): readonly { readonly requestId: string; readonly event: SpoolEvent }[] {
    return [...this.#byRequest]
      .filter(([, open]) => open.segment === segment)
      .map(([requestId, { event }]) => ({ requestId, event: { ...event, fieldsJson: skeletonFields(requestId) } }));
  }

  carriedTo(requestId: string, segment: number): void {
    const known = this.#byRequest.get(requestId);
    if (known !== undefined) known.segment = segment;
  }

  /** The outcome `unknown` of an open intent. */
  unknownOutcome(requestId: string, given: { readonly reason: string; readonly timeMs: number }): SpoolEvent | undefined {
    const known = this.#byRequest.get(requestId);
    if (known === undefined) return undefined;
    const fields = { phase: 'outcome', request_id: requestId, outcome: 'unknown', reason: given.reason, intent_id: known.event.id };
    return { ...known.event, id: randomUUID(), timeMs: given.timeMs, success: false, fieldsJson: Buffer.from(JSON.stringify(fields)) };
  }
}

function skeletonFields(requestId: string): Buffer {
  return Buffer.from(JSON.stringify({ phase: 'intent', request_id: requestId }));
}

/**
 * Twice the intent without its own fields (outcome and carried copy) and what an `unknown` says beyond it. Counted from the
 * frame that was encoded already; a byte or two by which a length prefix is shorter are within what is added.
 */
export function reserveForIntent(intent: SpoolEvent, requestId: string, frameBytes: number): number {
  return 2 * (frameBytes - intent.fieldsJson.length + skeletonFields(requestId).length) + 512;
}
