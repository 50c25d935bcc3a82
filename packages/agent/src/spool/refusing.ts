/** A spool at its cap takes and refuses in turns, as uploads make room: it is back when nothing was refused for so long. */
const quietMs = 2000;

/** Whether the spool refuses events, told when that changes. */
export class Refusing<Refused> {
  readonly #tell: (refused: Refused | undefined) => void;
  #lastMs: number | undefined;

  constructor(tell: (refused: Refused | undefined) => void) {
    this.#tell = tell;
  }

  refused(refused: Refused): void {
    const isFirst = this.#lastMs === undefined;
    this.#lastMs = performance.now();
    if (isFirst) this.#tell(refused);
  }

  /** True where it refuses nothing any more. */
  taken(): boolean {
    if (this.#lastMs === undefined) return true;
    if (performance.now() - this.#lastMs < quietMs) return false;
    this.#lastMs = undefined;
    this.#tell(undefined);
    return true;
  }
}
