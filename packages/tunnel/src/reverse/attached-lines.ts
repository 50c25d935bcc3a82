import type { Line, LineTokens } from '#reverse/line-tokens.ts';

export interface AttachedLinesOptions {
  readonly tokens: LineTokens;
  /** Has the agent open one for each token. False: it cannot be told now. */
  readonly ask: (makeTokens: () => Buffer[]) => boolean;
}

/** Kept ready once the agent has been used: two programs that start find theirs. */
const SPARE = 2;
/** At a time, so that what many agents of one network open is not more than a door takes of strangers of one address. */
const MAX_ASKED = 48;
/** A round trip and a half to the agent. Where its network lets no line pass this is what the first session loses by it. */
const PATIENCE_MS = 700;
/** After one that never came, or led nowhere. */
const REST_MS = 5 * 60_000;

/** The lines of one attachment, at the proxy: asked for, waiting for a session, and busy with one. They end with it. */
export class AttachedLines {
  readonly #options: AttachedLinesOptions;
  readonly #waiters = new Set<(line?: Line) => void>();
  /** With what listens while they wait. */
  readonly #idle = new Map<Line, () => void>();
  readonly #busy = new Set<Line>();
  #asked = 0;
  #lastCameMs = Number.NEGATIVE_INFINITY;
  #restsUntilMs = 0;
  #ended = false;

  constructor(options: AttachedLinesOptions) {
    this.#options = options;
  }

  get idleCount(): number {
    return this.#idle.size;
  }
  get busyCount(): number {
    return this.#busy.size;
  }
  /** Sessions that have one, or wait for one. */
  get claimedCount(): number {
    return this.#busy.size + this.#waiters.size;
  }

  /** A line that waits, or the next that comes; undefined where the agent gives none in time. */
  take(signal: AbortSignal): Promise<Line | undefined> {
    if (this.#ended || signal.aborted) return Promise.resolve(undefined);
    const [line] = this.#idle.keys();
    if (line !== undefined) {
      this.#use(line);
      this.#askForMissing();
      return Promise.resolve(line);
    }
    const beganMs = performance.now();
    if (beganMs < this.#restsUntilMs) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const settle = (came?: Line) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
        resolve(came);
      };
      const giveUp = () => {
        if (this.#waiters.delete(settle)) settle();
      };
      const timer = setTimeout(() => {
        // Others may just have been served first.
        if (this.#lastCameMs < beganMs) this.#rest();
        giveUp();
      }, PATIENCE_MS);
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiters.add(settle);
      this.#askForMissing();
    });
  }

  /** It led nowhere, though it had come: those that wait beside it are no better, and nobody shall wait for others. */
  distrust(): void {
    this.#rest();
    for (const { socket } of this.#idle.keys()) socket.destroy();
  }

  end(): void {
    this.#ended = true;
    for (const goWithout of this.#waiters) goWithout();
    this.#waiters.clear();
    for (const { socket } of [...this.#idle.keys(), ...this.#busy]) socket.destroy();
  }

  #rest(): void {
    this.#restsUntilMs = performance.now() + REST_MS;
  }

  #askForMissing(): void {
    if (performance.now() < this.#restsUntilMs) return;
    const missing = Math.min(SPARE + this.#waiters.size - this.#asked - this.#idle.size, MAX_ASKED - this.#asked);
    if (missing <= 0) return;
    const came = (line: Line) => this.#came(line);
    const expired = () => void (this.#asked -= 1);
    const { tokens, ask } = this.#options;
    if (ask(() => Array.from({ length: missing }, () => tokens.issue(came, expired)))) this.#asked += missing;
  }

  #came(line: Line): void {
    this.#asked -= 1;
    const { socket } = line;
    if (this.#ended || socket.destroyed) return void socket.destroy();
    this.#lastCameMs = performance.now();
    socket.once('close', () => {
      this.#idle.delete(line);
      this.#busy.delete(line);
    });
    const [waiter] = this.#waiters;
    if (waiter === undefined) return this.#wait(line);
    this.#waiters.delete(waiter);
    this.#busy.add(line);
    waiter(line);
    this.#askForMissing();
  }

  /** Read as long as it waits, or its end would not be seen. The agent has nothing to say before it is dialled. */
  #wait(line: Line): void {
    const spoke = () => void line.socket.destroy();
    this.#idle.set(line, spoke);
    line.socket.once('readable', spoke);
  }

  #use(line: Line): void {
    const spoke = this.#idle.get(line);
    if (spoke !== undefined) line.socket.off('readable', spoke);
    this.#idle.delete(line);
    this.#busy.add(line);
  }
}
