/** AWS refuses a signature that is five minutes from its own time; a minute is worth a word before that. */
const WORTH_A_WORD_MS = 60_000;
const ONCE_IN_MS = 60_000;

export interface ClockSkewOptions {
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  /** Seconds this machine is ahead of AWS; negative where it is behind. */
  readonly onSkew: (aheadSeconds: number) => void;
}

/** Tells the operator, once a minute, that the clock here is not AWS's: what a client sees of it is a signature that AWS refuses. */
export class ClockSkew {
  readonly #options: ClockSkewOptions;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ClockSkewOptions) {
    this.#options = options;
  }

  /** `date` is the Date header of an answer of AWS. */
  seen(date: string): void {
    const { nowMs, monotonicMs, onSkew } = this.#options;
    const aheadMs = nowMs() - Date.parse(date);
    if (!(Math.abs(aheadMs) > WORTH_A_WORD_MS) || monotonicMs() - this.#toldAtMs < ONCE_IN_MS) return;
    this.#toldAtMs = monotonicMs();
    onSkew(Math.round(aheadMs / 1000));
  }
}
