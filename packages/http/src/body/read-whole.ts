import type { BodyBudget } from '#body/body-budget.ts';
import { isTooFine, Pieces } from '#body/pieces.ts';
import type { BodyFailure, BodySink, Exchange } from '#door/exchange.ts';

export interface ReadWholeOptions {
  readonly maxBytes: number;
  readonly budget: BodyBudget;
  /** Whose share of the budget it is. */
  readonly owner: string;
}

export type WholeBody = { readonly bytes: Buffer /** Call once, when the bytes are no longer needed. */; readonly release: () => void };
export type WholeFailure = BodyFailure | 'too_large' | 'too_fine' | 'no_room';
export type WholeRead = WholeBody | { readonly failed: WholeFailure };

/** A body without a length is paid for in steps of this. */
const STEP_BYTES = 64 * 1024;

/**
 * Reads a body whole. One that arrives in one piece, as nearly all do, is handed on as it is, and at once where it came with its
 * head; pieces are joined once. The rest of a refused body is thrown away by the door.
 */
export function readWhole(exchange: Pick<Exchange, 'head' | 'readBody'>, options: ReadWholeOptions): WholeRead | Promise<WholeRead> {
  const { length } = exchange.head;
  const paid = Math.max(0, length);
  if (paid > options.maxBytes) return { failed: 'too_large' };
  if (!options.budget.take(options.owner, paid)) return { failed: 'no_room' };
  const reading = new WholeReading(options, paid);
  exchange.readBody(reading);
  return reading.result ?? new Promise((resolve) => (reading.onResult = resolve));
}

class WholeReading implements BodySink {
  readonly #options: ReadWholeOptions;
  readonly #pieces = new Pieces();
  #paid: number;
  #size = 0;
  result: WholeRead | undefined;
  onResult: ((result: WholeRead) => void) | undefined;

  constructor(options: ReadWholeOptions, paid: number) {
    this.#options = options;
    this.#paid = paid;
  }

  onData(piece: Buffer): void {
    if (this.result !== undefined) return;
    const { maxBytes, budget, owner } = this.#options;
    this.#size += piece.length;
    if (this.#size > maxBytes) return this.onFailed('too_large');
    while (this.#size > this.#paid) {
      if (!budget.take(owner, STEP_BYTES)) return this.onFailed('no_room');
      this.#paid += STEP_BYTES;
    }
    this.#pieces.add(piece);
    if (isTooFine(this.#pieces.count, this.#size)) this.onFailed('too_fine');
  }

  onEnd(): void {
    if (this.result === undefined) this.#settle({ bytes: this.#pieces.joined(this.#size), release: () => this.#release() });
  }

  onFailed(failed: WholeFailure): void {
    if (this.result !== undefined) return;
    this.#release();
    this.#settle({ failed });
  }

  #release(): void {
    this.#options.budget.give(this.#options.owner, this.#paid);
    this.#paid = 0;
  }

  #settle(result: WholeRead): void {
    this.result = result;
    this.onResult?.(result);
  }
}
