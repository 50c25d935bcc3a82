/** So long an agent may say nothing at all while somebody waits for it, before it is asked whether it is there. */
const QUIET_MS = 1_800;
/** Then so long for its answer. Together with a look each 200 ms a person is told within five seconds. */
const ANSWER_MS = 2_500;
const LOOK_MS = 200;
/** What was sent stands before the question on the way: on a line of 128 kbit/s it is still no sign of death. */
const SLOWEST_BYTES_A_MS = 16;

export interface PulseOptions {
  /** Asks the agent for a sign of life; rejects where none came in time. */
  readonly probe: (timeoutMs: number) => Promise<void>;
  readonly onDead: () => void;
  readonly nowMs?: () => number;
}

/**
 * Tells an agent that is slow to answer from one that is cut off. HTTP/2's own keepalive needs 25 s for it, and asks whether or not
 * somebody waits; this asks where a stream has sent and not heard since, and nothing was heard on the whole session for a while.
 */
export class Pulse {
  readonly #options: PulseOptions;
  readonly #nowMs: () => number;
  readonly #waiting = new Map<object, number>();
  #heardAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #over = false;

  constructor(options: PulseOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  sent(stream: object, bytes: number): void {
    if (this.#over) return;
    if (this.#waiting.size === 0) this.#heardAtMs = this.#nowMs();
    this.#waiting.set(stream, (this.#waiting.get(stream) ?? 0) + bytes);
    this.#timer ??= setTimeout(() => this.#look(), LOOK_MS).unref();
  }

  heard(stream: object): void {
    this.#heardAtMs = this.#nowMs();
    this.#waiting.delete(stream);
  }

  /** The stream is closed: nobody waits for it. */
  forget(stream: object): void {
    this.#waiting.delete(stream);
  }

  stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#over || this.#waiting.size === 0) return;
    this.#timer = setTimeout(() => this.#look(), LOOK_MS).unref();
    if (!this.#asking && this.#nowMs() - this.#heardAtMs >= QUIET_MS) void this.#ask();
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    const askedAtMs = this.#nowMs();
    const unheardBytes = [...this.#waiting.values()].reduce((sum, bytes) => sum + bytes, 0);
    try {
      await this.#options.probe(ANSWER_MS + Math.ceil(unheardBytes / SLOWEST_BYTES_A_MS));
      this.#heardAtMs = this.#nowMs();
    } catch {
      if (this.#over || this.#heardAtMs > askedAtMs) return;
      this.stop();
      this.#options.onDead();
    } finally {
      this.#asking = false;
    }
  }
}
