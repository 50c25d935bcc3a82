export interface ViewAgeOptions {
  /** By the wall clock. */
  readonly lastHeardMs: () => number | undefined;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
}

/**
 * How long ago auth was last heard. The wall clock alone would let a view live two hours longer when somebody turns the
 * clock back by two hours, so the greater of two clocks' answers counts. Ask at least once a second.
 */
export class ViewAge {
  readonly #options: ViewAgeOptions;
  #heardMs: number | undefined;
  #seenAtMs = 0;

  constructor(options: ViewAgeOptions) {
    this.#options = options;
  }

  /** Infinity before auth has told its whole state. */
  ageMs(): number {
    const { lastHeardMs, nowMs, monotonicMs } = this.#options;
    const heardMs = lastHeardMs();
    if (heardMs === undefined) return Number.POSITIVE_INFINITY;
    if (heardMs !== this.#heardMs) {
      this.#heardMs = heardMs;
      this.#seenAtMs = monotonicMs();
    }
    return Math.max(nowMs() - heardMs, monotonicMs() - this.#seenAtMs, 0);
  }
}
