/** Notices that nothing comes from an agent any more, not even its PINGs. */
export class Silence {
  readonly #silenceMs: number;
  readonly #onSilent: (afterMs: number) => void;
  #timer: NodeJS.Timeout;

  constructor(silenceMs: number, onSilent: (afterMs: number) => void) {
    this.#silenceMs = silenceMs;
    this.#onSilent = onSilent;
    this.#timer = this.#begin(silenceMs);
  }

  heard(): void {
    this.#timer.refresh();
  }

  /** From one PING to the next the agent was told to take so much longer; one of two may be lost. */
  allow(quietMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = this.#begin(this.#silenceMs + 2 * quietMs);
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #begin(afterMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#onSilent(afterMs), afterMs);
  }
}
