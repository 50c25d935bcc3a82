import { Identity_Kind, type Identity, type ResourceEvent } from '@postern/api';
import { comeBackMs, quietMs } from '#watch/watch-cost.ts';

/** How many hosts watch, and what follows for each. A host with many watches counts once and a person never: nobody makes the others wait. */
export class WatchingHosts {
  readonly #watches = new Map<string, number>();

  /** Counts a watch until what is returned is called. */
  enter({ kind, name }: Pick<Identity, 'kind' | 'name'>): () => void {
    if (isPerson(kind)) return () => undefined;
    this.#watches.set(name, (this.#watches.get(name) ?? 0) + 1);
    return () => {
      const left = (this.#watches.get(name) ?? 0) - 1;
      if (left > 0) this.#watches.set(name, left);
      else this.#watches.delete(name);
    };
  }

  get quietMs(): number {
    return quietMs(this.#watches.size);
  }

  toldTo(kind: Identity_Kind): Pick<ResourceEvent, 'spreadMs' | 'quietMs'> {
    const { agents, proxies } = comeBackMs(this.#watches.size);
    return { spreadMs: kind === Identity_Kind.PROXY ? proxies : agents, quietMs: this.quietMs };
  }
}

export function isPerson(kind: Identity_Kind): boolean {
  return kind === Identity_Kind.USER || kind === Identity_Kind.ADMIN;
}
