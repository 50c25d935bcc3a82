import { limits } from '@postern/limits';

/** Whether what is held until it is whole comes as fast as it has to. */
export class Pace {
  readonly #nowMs: () => number;
  readonly #totalMs: number;
  readonly #beganMs: number;
  #sinceMs: number;
  #bytes = 0;

  constructor(nowMs: () => number, totalMs: number = limits.appHeldMs) {
    this.#nowMs = nowMs;
    this.#totalMs = totalMs;
    this.#beganMs = nowMs();
    this.#sinceMs = this.#beganMs;
  }

  took(bytes: number): void {
    this.#bytes += bytes;
  }

  /** From now on: while a client is held back from here it cannot send. */
  goesOn(): void {
    this.#sinceMs = this.#nowMs();
    this.#bytes = 0;
  }

  isLate(): boolean {
    const { bytes, everyMs } = limits.appHeldPace;
    const nowMs = this.#nowMs();
    if (nowMs - this.#beganMs > this.#totalMs) return true;
    if (nowMs - this.#sinceMs <= everyMs) return false;
    const isSlow = this.#bytes < bytes;
    this.goesOn();
    return isSlow;
  }
}
