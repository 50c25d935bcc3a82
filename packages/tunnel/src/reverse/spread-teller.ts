import type { Spread } from '@postern/api';
import { spreadMs } from '#backoff.ts';

/** With twice as many the jitter of a first try is not enough. */
const FROM_AGENTS = 64;
/** So many times as many as they were told of: then all hear it at once, or at the next look. */
const AT_ONCE_FROM = 2;
const AT_A_LOOK_FROM = 1.1;
const LOOK_MS = 5_000;
/** Told in one turn of the loop: 2 ms. Thousands at once would be felt by whoever signs in. */
const IN_A_TURN = 64;

interface Told {
  spread(spread: Spread): void;
}

/**
 * Tells the agents of a proxy in what time all of them are wanted back, should it be lost. Whoever attaches hears it at once, and those that
 * attached before, when there were fewer, within a few seconds: what is stale here is a crowd later.
 */
export class SpreadTeller {
  readonly #agents: ReadonlyMap<string, Told>;
  readonly #attachMs: number;
  /** So many agents count in what the others know. It never falls: those that left may come back. */
  #over = FROM_AGENTS;
  #look: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;

  constructor(options: { readonly agents: ReadonlyMap<string, Told>; readonly attachMs: number }) {
    this.#agents = options.agents;
    this.#attachMs = options.attachMs;
  }

  /** PINGs of thousands come every 45 s at most: a balancer in between may forget what is quiet for 50. A host that vanished is noticed by the kernel. */
  get now(): Spread {
    const ms = spreadMs(Math.max(this.#agents.size, this.#over), this.#attachMs);
    return { ms, quietMs: ms };
  }

  /** Call for each agent that attaches; returns what it is to be told. */
  attached(): Spread {
    if (this.#agents.size >= AT_ONCE_FROM * this.#over) this.#tellAll();
    this.#look ??= setTimeout(() => {
      this.#look = undefined;
      if (this.#agents.size >= AT_A_LOOK_FROM * this.#over) this.#tellAll();
    }, LOOK_MS).unref();
    return this.now;
  }

  stop(): void {
    clearTimeout(this.#look);
    clearImmediate(this.#turn);
  }

  #tellAll(): void {
    const isSame = this.now.ms === spreadMs(this.#over, this.#attachMs);
    this.#over = this.#agents.size;
    // There is a longest time, and whoever knows it need not hear it again.
    if (isSame) return;
    const agents = this.#agents.values();
    const tellSome = () => {
      for (let told = 0; told < IN_A_TURN; told += 1) {
        const next = agents.next();
        if (next.done === true) return;
        next.value.spread(this.now);
      }
      this.#turn = setImmediate(tellSome);
    };
    clearImmediate(this.#turn);
    tellSome();
  }
}
