export interface WayToAuthOptions {
  /** Whether a tunnel stands, or none is wanted. */
  readonly attached: () => boolean;
  /** In what time the proxy that was lost wanted all its agents back. */
  readonly spreadMs: () => number;
  /** In what time auth wants those back who watch it. */
  readonly authSpreadMs: () => number;
  /** A clock that nobody sets. */
  readonly nowMs?: () => number;
  readonly random?: () => number;
}

/** For an agent whose tunnels stay down while auth could be reached all the same, over another proxy. */
const AT_MOST_MS = 30_000;
/** Whoever knocks last at a proxy's door stands behind a queue. */
const SPREADS_OF_TUNNELS = 1.5;

interface Waiting {
  /** Lets it go after so long, whatever was said before. */
  goIn(ms: number): void;
}

/**
 * An agent that reaches auth through a proxy loses both with it. Tunnels come first then, its own and those of all the others: they are what
 * people wait for, and decisions go on meanwhile by what auth said last. So what is for auth waits until a tunnel stands, the time is over in
 * which the proxy wanted its agents back, and a moment of this agent's own has come: all of them have noticed the loss together.
 */
export class WayToAuth {
  readonly #options: WayToAuthOptions;
  readonly #nowMs: () => number;
  readonly #random: () => number;
  readonly #waiting = new Set<Waiting>();
  #stood = false;
  #othersUntilMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(options: WayToAuthOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#random = options.random ?? Math.random;
  }

  /** Resolves when it makes sense to dial auth, and after half a minute in which no tunnel came. Never rejects. */
  open(): Promise<void> {
    const waitMs = this.#stopped ? 0 : this.#options.attached() ? this.#othersMs() : AT_MOST_MS;
    if (waitMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const waiting = {
        goIn: (ms: number) => {
          clearTimeout(timer);
          if (ms <= 0) go();
          else timer = setTimeout(go, ms).unref();
        },
      };
      const go = () => {
        this.#waiting.delete(waiting);
        resolve();
      };
      this.#waiting.add(waiting);
      waiting.goIn(waitMs);
    });
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Call when the state of a tunnel has changed. */
  changed(): void {
    const stands = this.#options.attached();
    // One that comes and goes must not keep auth away for good: the time runs from the first loss.
    if (this.#stood && !stands && this.#othersMs() <= 0) this.#othersUntilMs = this.#nowMs() + this.#drawMs();
    this.#stood = stands;
    if (stands) for (const waiting of this.#waiting) waiting.goIn(this.#othersMs());
  }

  /** Nobody waits any more, neither who does now nor who comes later. */
  stop(): void {
    this.#stopped = true;
    for (const waiting of this.#waiting) waiting.goIn(0);
  }

  #drawMs(): number {
    return SPREADS_OF_TUNNELS * this.#options.spreadMs() + this.#random() * this.#options.authSpreadMs();
  }

  #othersMs(): number {
    return this.#othersUntilMs - this.#nowMs();
  }
}
