import { Identity_Kind, type ResourceEvent } from '@postern/api';
import { comeBackMs, proxiesComeBackMs, quietMs } from '#watch/watch-cost.ts';

/** How many hosts watch, and what follows for each. One with many watches counts once, so that nobody makes the others wait. */
export class WatchingHosts {
  readonly #watches = new Map<string, number>();

  /** Counts a watch of a host until what is returned is called. */
  enter(hostId: string): () => void {
    this.#watches.set(hostId, (this.#watches.get(hostId) ?? 0) + 1);
    return () => {
      const left = (this.#watches.get(hostId) ?? 0) - 1;
      if (left > 0) this.#watches.set(hostId, left);
      else this.#watches.delete(hostId);
    };
  }

  get quietMs(): number {
    return quietMs(this.#watches.size);
  }

  toldTo(kind: Identity_Kind): Pick<ResourceEvent, 'spreadMs' | 'quietMs'> {
    const backMs = kind === Identity_Kind.PROXY ? proxiesComeBackMs : comeBackMs;
    return { spreadMs: backMs(this.#watches.size), quietMs: this.quietMs };
  }
}
