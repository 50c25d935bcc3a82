export interface ResetLimit {
  readonly atOnce: number;
  readonly perSecond: number;
}

/**
 * How many requests each owner may break off: so many at once, and so many in each second after that. What goes beyond is owed, so that
 * many that are broken off together count as they would one after another.
 */
export class ResetAllowance {
  readonly limit: ResetLimit;
  readonly #nowMs: () => number;
  /** Of owners who have less than all of it; who was counted longest ago stands first. */
  readonly #left = new Map<string, { readonly left: number; readonly atMs: number }>();

  constructor(limit: ResetLimit, nowMs: () => number) {
    this.limit = limit;
    this.#nowMs = nowMs;
  }

  left(owner: string): number {
    const { atOnce, perSecond } = this.limit;
    const counted = this.#left.get(owner);
    if (counted === undefined) return atOnce;
    return Math.min(atOnce, counted.left + ((this.#nowMs() - counted.atMs) / 1000) * perSecond);
  }

  count(owner: string): void {
    const left = this.left(owner) - 1;
    this.#left.delete(owner);
    this.#left.set(owner, { left, atMs: this.#nowMs() });
    for (const other of this.#left.keys()) {
      if (this.left(other) < this.limit.atOnce) break;
      this.#left.delete(other);
    }
  }
}
