import type { SpoolFull, SpoolUnavailable } from '#spool/spool.ts';

/** A spool at its cap takes and refuses in turns, as uploads make room: it is back when nothing was refused for so long. */
const quietMs = 2000;

/** Whether the spool refuses events, told when that changes. */
export class Refusing {
  readonly #tell: (refusal: SpoolFull | SpoolUnavailable | undefined) => void;
  #lastMs: number | undefined;

  constructor(tell: (refusal: SpoolFull | SpoolUnavailable | undefined) => void) {
    this.#tell = tell;
  }

  refused(refusal: SpoolFull | SpoolUnavailable): void {
    const isFirst = this.#lastMs === undefined;
    this.#lastMs = performance.now();
    if (isFirst) this.#tell(refusal);
  }

  taken(): void {
    if (this.#lastMs === undefined || performance.now() - this.#lastMs < quietMs) return;
    this.#lastMs = undefined;
    this.#tell(undefined);
  }
}
