import type { Socket } from 'node:net';
import type { LineTokens } from '#reverse/line-tokens.ts';

/** Kept ready once the agent has been used: two programs that start find theirs. */
const SPARE = 2;
const MAX_ASKED = 128;
/** A round trip and a half to the agent. Where its network lets no line pass this is what the first session loses by it. */
const PATIENCE_MS = 700;
/** After none came. */
const REST_MS = 5 * 60_000;

/** The lines of one attachment, at the proxy: asked for, waiting for a session, and busy with one. They end with it. */
export class AttachedLines {
  readonly #tokens: LineTokens;
  readonly #ask: (tokens: Buffer[]) => void;
  readonly #waiters = new Set<(line: Socket) => void>();
  /** With what listens while they wait. */
  readonly #idle = new Map<Socket, () => void>();
  readonly #busy = new Set<Socket>();
  #asked = 0;
  #restsUntilMs = 0;
  #ended = false;

  constructor(options: { readonly tokens: LineTokens; readonly ask: (tokens: Buffer[]) => void }) {
    this.#tokens = options.tokens;
    this.#ask = options.ask;
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
  take(signal: AbortSignal): Promise<Socket | undefined> {
    const [line] = this.#idle.keys();
    if (line !== undefined) {
      this.#use(line);
      this.#askForMissing();
      return Promise.resolve(line);
    }
    if (this.#ended || performance.now() < this.#restsUntilMs || this.#asked >= MAX_ASKED) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const settle = (came?: Socket) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
        resolve(came);
      };
      const giveUp = () => {
        if (this.#waiters.delete(settle)) settle();
      };
      const timer = setTimeout(() => {
        this.#restsUntilMs = performance.now() + REST_MS;
        giveUp();
      }, PATIENCE_MS);
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiters.add(settle);
      this.#askForMissing();
    });
  }

  end(): void {
    this.#ended = true;
    for (const line of [...this.#idle.keys(), ...this.#busy]) line.destroy();
  }

  #askForMissing(): void {
    const missing = Math.min(SPARE + this.#waiters.size - this.#asked - this.#idle.size, MAX_ASKED - this.#asked);
    if (missing <= 0) return;
    const came = (line: Socket) => this.#came(line);
    const expired = () => void (this.#asked -= 1);
    this.#asked += missing;
    this.#ask(Array.from({ length: missing }, () => this.#tokens.issue(came, expired)));
  }

  #came(line: Socket): void {
    this.#asked -= 1;
    if (this.#ended || line.destroyed) return void line.destroy();
    this.#restsUntilMs = 0;
    line.once('close', () => {
      this.#idle.delete(line);
      this.#busy.delete(line);
    });
    const [waiter] = this.#waiters;
    if (waiter === undefined) return this.#wait(line);
    this.#waiters.delete(waiter);
    this.#busy.add(line);
    waiter(line);
  }

  /** Read as long as it waits, or its end would not be seen. The agent has nothing to say before it is dialled. */
  #wait(line: Socket): void {
    const spoke = () => void line.destroy();
    this.#idle.set(line, spoke);
    line.once('readable', spoke);
  }

  #use(line: Socket): void {
    const spoke = this.#idle.get(line);
    if (spoke !== undefined) line.off('readable', spoke);
    this.#idle.delete(line);
    this.#busy.add(line);
  }
}
