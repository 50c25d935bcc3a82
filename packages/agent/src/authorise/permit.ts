import type { Refused } from '#authorise/authorizer.ts';

/**
 * Something that was allowed and goes on: an exchange, a tunnel. The whole decision is asked for again before its first byte leaves, and
 * by its session when what the decision hung on has changed. What was refused once stays refused.
 */
export class Permit {
  readonly #decide: () => Refused | undefined;
  #ended: Refused | undefined;
  #cut: ((why: Refused) => void) | undefined;
  /** Of the roster of its session. */
  rosterAt: number | undefined;

  constructor(decide: () => Refused | undefined) {
    this.#decide = decide;
  }

  /** Why it may not go on, as it was last asked. */
  get ended(): Refused | undefined {
    return this.#ended;
  }

  /** Why it may not go on now; whoever asks does not go on, so that nothing is cut. */
  refusal(): Refused | undefined {
    this.#ended ??= decided(this.#decide);
    return this.#ended;
  }

  /** How to end what is under way now; called once at most. */
  onCut(cut: (why: Refused) => void): void {
    this.#cut = cut;
  }

  /** Cuts what is under way, unless it may go on. */
  review(): void {
    const why = this.refusal();
    if (why) this.end(why);
  }

  end(why: Refused): void {
    this.#ended ??= why;
    const cut = this.#cut;
    this.#cut = undefined;
    cut?.(this.#ended);
  }
}

/** Whoever cannot decide refuses. */
export function decided(decide: () => Refused | undefined): Refused | undefined {
  try {
    return decide();
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    return { allowed: false, cause: 'identity', reason: `whether it is allowed cannot be decided: ${what}` };
  }
}
