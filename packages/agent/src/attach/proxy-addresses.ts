import type { ProxyStatus } from '@postern/tunnel';
import type { WatchedResource } from '#authorise/policy-view.ts';

/** Where proxies are to be attached to: those that auth lists, and the one of the configuration. */
export class ProxyAddresses {
  readonly #configured: string | undefined;
  readonly #listed = new Map<string, string>();
  #known = false;
  #behindConfigured: string | undefined;

  constructor(configured: string | undefined) {
    this.#configured = configured;
  }

  put(resource: WatchedResource): void {
    const address = addressOf(resource.json);
    if (address === undefined) this.#listed.delete(resource.name);
    else this.#listed.set(resource.name, address);
  }

  remove(name: string): void {
    this.#listed.delete(name);
  }

  /**
   * The configured address may be that of a balancer before several proxies: which of them it led to is known once it is
   * attached, and that one is not dialled a second time. Until it has answered or failed the others wait.
   */
  all(statuses: readonly ProxyStatus[]): string[] {
    if (this.#configured === undefined) return [...new Set(this.#listed.values())];
    const link = statuses.find(({ proxy }) => proxy === this.#configured);
    if (!link || (link.state === 'connecting' && link.proxyId === undefined && !this.#known)) return [this.#configured];
    this.#known = true;
    if (link.proxyId !== undefined) this.#behindConfigured = link.proxyId;
    const others = [...this.#listed].filter(([id]) => id !== this.#behindConfigured).map(([, address]) => address);
    return [...new Set([this.#configured, ...others])];
  }
}

function addressOf(json: unknown): string | undefined {
  const spec = (json as { spec?: { own_addr?: unknown; public_addr?: unknown } } | null)?.spec;
  for (const address of [spec?.own_addr, spec?.public_addr]) if (typeof address === 'string' && address !== '') return address;
  return undefined;
}
