export interface Swept {
  /** Called once a period. */
  sweep(): void;
}

/**
 * One timer for many limits. A clock call and a timer for each request cost more than reading it does; here a limit is a
 * number of ticks, and is kept to within two periods: never too early.
 */
export class Sweep {
  readonly #periodMs: number;
  readonly #members = new Set<Swept>();
  #timer: NodeJS.Timeout | undefined;
  tick = 0;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  /** So many ticks after another one at least `ms` have passed. */
  ticks(ms: number): number {
    return Math.ceil(ms / this.#periodMs) + 1;
  }

  add(member: Swept): void {
    this.#members.add(member);
    this.#timer ??= setInterval(() => this.#sweep(), this.#periodMs).unref();
  }

  delete(member: Swept): void {
    this.#members.delete(member);
    if (this.#members.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  get size(): number {
    return this.#members.size;
  }

  #sweep(): void {
    this.tick += 1;
    for (const member of this.#members) member.sweep();
  }
}

/** How often to look so that limits of this size are kept; half a second where they are long. */
export function periodFor(...limitsMs: readonly number[]): number {
  return Math.max(10, Math.min(500, ...limitsMs.map((ms) => ms / 4)));
}
