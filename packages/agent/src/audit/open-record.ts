import { randomUUID } from 'node:crypto';
import { type Outcome, outcomeFields } from '#audit/outcome.ts';
import type { EventFields, EventHead } from '#spool/event.ts';
import type { Spool } from '#spool/spool.ts';

/** What events of one kind of request have in common. */
export interface RequestEvent {
  readonly spool: Pick<Spool, 'write' | 'writeLater'>;
  readonly nowMs: () => number;
  readonly head: EventHead;
  /** The code of an intent and of an answer, and that of what became nothing. */
  readonly codes: { readonly ok: string; readonly failed: string };
  readonly onEnded: (outcome: Outcome['kind']) => void;
}

export interface RecordedFields {
  readonly intent: EventFields;
  /** What the outcome repeats of the intent. */
  readonly outcome: EventFields;
}

/** A request whose intent is written and whose outcome is owed, exactly once. */
export class OpenRecord {
  readonly #event: RequestEvent;
  readonly #fields: EventFields;
  readonly #startedMs: number;
  /** The request is called by its intent: both are found by one id. */
  readonly requestId = randomUUID();
  #ended = false;

  /**
   * Calls back without an error once the intent is on disk, with one where it cannot be, and then nothing may be sent and the record
   * is not to be ended. Never before this returns.
   */
  constructor(event: RequestEvent, { intent, outcome }: RecordedFields, durable: (error: Error | undefined) => void) {
    this.#event = event;
    this.#fields = outcome;
    this.#startedMs = event.nowMs();
    const { spool, head, codes } = event;
    const phase = { phase: 'intent', requestId: this.requestId } as const;
    spool.write({ head, id: this.requestId, code: codes.ok, timeMs: this.#startedMs, success: true, fields: intent, phase }, durable);
  }

  /** `more` is what is only known at the end. */
  end(outcome: Outcome, more?: Readonly<Record<string, unknown>>): void {
    if (this.#ended) return;
    this.#ended = true;
    const { spool, nowMs, head, codes, onEnded } = this.#event;
    onEnded(outcome.kind);
    const timeMs = nowMs();
    spool.writeLater({
      head,
      id: randomUUID(),
      code: outcome.kind === 'answered' ? codes.ok : codes.failed,
      timeMs,
      success: outcome.kind === 'answered' && outcome.status < 400,
      fields: this.#fields.and({ duration_ms: timeMs - this.#startedMs, ...outcomeFields(outcome), ...more }),
      phase: { phase: 'outcome', requestId: this.requestId },
    });
  }
}
