/**
 * Counts acts by key in fixed windows. Bounded: past `maxKeys` the key that was touched longest ago is dropped, which
 * errs towards letting an act through; what must be exact is counted in the store.
 */
export class RateLimiter {
  readonly #windows = new Map<string, { startMs: number; count: number }>();
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #maxKeys: number;

  constructor(options: { readonly limit: number; readonly windowMs: number; readonly maxKeys?: number }) {
    this.#limit = options.limit;
    this.#windowMs = options.windowMs;
    this.#maxKeys = options.maxKeys ?? 10_000;
  }

  /** Counts one act; false where the key had its share in this window already. */
  take(key: string, nowMs: number): boolean {
    const window = this.#windowOf(key, nowMs);
    window.count++;
    return window.count <= this.#limit;
  }

  #windowOf(key: string, nowMs: number): { startMs: number; count: number } {
    const known = this.#windows.get(key);
    const elapsed = known === undefined ? Number.POSITIVE_INFINITY : nowMs - known.startMs;
    const window = known !== undefined && elapsed >= 0 && elapsed < this.#windowMs ? known : { startMs: nowMs, count: 0 };
    this.#windows.delete(key);
    this.#windows.set(key, window);
    if (this.#windows.size > this.#maxKeys) {
      const oldest = this.#windows.keys().next();
      if (oldest.done === false) this.#windows.delete(oldest.value);
    }
    return window;
  }
}
