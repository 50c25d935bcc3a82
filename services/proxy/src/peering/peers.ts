import type { Duplex } from 'node:stream';
import { Identity_Kind, PosternError } from '@postern/api';
import { clientContextOptions, serverIdentityCheck } from '@postern/pki';
import { type DialOptions, type PeerStatus, PeerTunnel, type PeerTunnelOptions, type TunnelCredentials } from '@postern/tunnel';
import type { Member } from '#outbound/cluster.ts';
import type { ProxyEntry } from '#peering/proxy-entry.ts';

export interface PeersOptions {
  readonly member: Member;
  readonly nowMs: () => number;
  readonly random?: () => number;
  /** Once when a proxy is reached, and once when it is not any more, with the reason. */
  readonly onChange?: (change: { readonly proxyId: string; readonly state: 'reached' | 'lost'; readonly reason: string }) => void;
  readonly tunnel?: Pick<PeerTunnelOptions, 'limits' | 'backoff'>;
}

/** A way to an agent over one other proxy. */
export interface PeerRoute {
  readonly proxyId: string;
  /** Rejects with `not_found` where that proxy says that the agent is not attached to it. */
  readonly dial: (options: DialOptions) => Promise<Duplex>;
}

const KNOWN_FOR_MS = 30_000;
const MAX_KNOWN = 10_000;
const UNHEALTHY_MS = 30_000;

/**
 * The other proxies of the cluster. Which agents are attached to them is not announced anywhere: they are asked when an
 * agent is wanted that is not attached here, and an agent that was found is asked for at the same proxy for a while.
 */
export class Peers {
  readonly #options: PeersOptions;
  readonly #random: () => number;
  readonly #tunnels = new Map<string, PeerTunnel>();
  readonly #reached = new Map<string, boolean>();
  readonly #failedAtMs = new Map<string, number>();
  readonly #known = new Map<string, { readonly proxyId: string; readonly untilMs: number }>();
  #stopped = false;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /** Connects to those that are new, ends everything of those that are gone. This proxy's own entry is passed over. */
  replace(entries: readonly ProxyEntry[]): void {
    if (this.#stopped) return;
    const wanted = new Map(entries.filter(({ proxyId }) => proxyId !== this.#options.member.hostId).map((entry) => [entry.proxyId, entry]));
    for (const [proxyId, tunnel] of this.#tunnels) {
      if (wanted.get(proxyId)?.address === tunnel.address) continue;
      this.#tunnels.delete(proxyId);
      this.#reached.delete(proxyId);
      this.#failedAtMs.delete(proxyId);
      void tunnel.end(new PosternError('unavailable', `proxy ${proxyId} is locked or not listed at ${tunnel.address} any more`));
    }
    for (const { proxyId, address } of wanted.values()) {
      if (this.#tunnels.has(proxyId)) continue;
      const tunnel: PeerTunnel = new PeerTunnel({
        ...this.#options.tunnel,
        proxyId,
        address,
        nowMs: this.#options.nowMs,
        random: this.#random,
        credentials: () => this.#credentials(proxyId),
        onStatus: (status) => this.#tell(status),
      });
      this.#tunnels.set(proxyId, tunnel);
    }
  }

  /** True where an agent was found at another proxy lately. */
  knows(agentId: string): boolean {
    return this.#knownAt(agentId) !== undefined;
  }

  /** In the order to try: where the agent was found last, then the others shuffled, those that failed lately last. */
  routesTo(agentId: string): PeerRoute[] {
    const known = this.#knownAt(agentId);
    const order = (proxyId: string) => (proxyId === known ? -1 : this.#random() + (this.#failedLately(proxyId) ? 1 : 0));
    return [...this.#tunnels.values()]
      .filter(({ status }) => status.state === 'ready' || status.state === 'connecting')
      .map((tunnel) => ({ tunnel, order: order(tunnel.proxyId) }))
      .sort((a, b) => a.order - b.order)
      .map(({ tunnel }) => ({ proxyId: tunnel.proxyId, dial: (options) => this.#dial(tunnel, options) }));
  }

  /** Call when the own certificate was renewed. */
  renew(): void {
    for (const tunnel of this.#tunnels.values()) tunnel.renew();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const error = new PosternError('unavailable', 'the proxy is stopping');
    const tunnels = [...this.#tunnels.values()];
    this.#tunnels.clear();
    await Promise.all(tunnels.map((tunnel) => tunnel.end(error)));
  }

  async #dial(tunnel: PeerTunnel, options: DialOptions): Promise<Duplex> {
    const { proxyId } = tunnel;
    const { agentId } = options;
    try {
      const stream = await tunnel.dial(options);
      this.#failedAtMs.delete(proxyId);
      this.#learn(agentId, proxyId);
      return stream;
    } catch (error) {
      if (this.#known.get(agentId)?.proxyId === proxyId) this.#known.delete(agentId);
      // A client that hung up says nothing about the proxy; a limit of time does.
      const hungUp = options.signal?.aborted === true && !isTimeout(options.signal);
      const isWell = error instanceof PosternError && error.code === 'not_found';
      if (!isWell && !hungUp) this.#failedAtMs.set(proxyId, this.#options.nowMs());
      throw error;
    }
  }

  #learn(agentId: string, proxyId: string): void {
    this.#known.delete(agentId);
    this.#known.set(agentId, { proxyId, untilMs: this.#options.nowMs() + KNOWN_FOR_MS });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }

  #knownAt(agentId: string): string | undefined {
    const known = this.#known.get(agentId);
    if (known && known.untilMs > this.#options.nowMs() && this.#tunnels.has(known.proxyId)) return known.proxyId;
    this.#known.delete(agentId);
    return undefined;
  }

  #failedLately(proxyId: string): boolean {
    const at = this.#failedAtMs.get(proxyId);
    return at !== undefined && this.#options.nowMs() - at < UNHEALTHY_MS;
  }

  /** Several proxies may be announced with one address, a balancer's: the certificate says which of them answered. */
  #credentials(proxyId: string): TunnelCredentials {
    const { member, nowMs } = this.#options;
    const identity = member.current();
    const { hostCaPems } = identity;
    const expect = { cluster: member.cluster, kinds: [Identity_Kind.PROXY], names: [proxyId], hostCaPems, nowMs };
    return { context: clientContextOptions(hostCaPems, identity), checkServer: serverIdentityCheck(expect) };
  }

  #tell({ proxyId, state, lastError }: PeerStatus): void {
    if (state !== 'ready' && state !== 'waiting') return;
    const reached = state === 'ready';
    if (this.#reached.get(proxyId) === reached) return;
    this.#reached.set(proxyId, reached);
    this.#options.onChange?.({ proxyId, state: reached ? 'reached' : 'lost', reason: lastError ?? 'connected' });
  }
}

/** False where a proxy is well and does not have the agent, or was not reached at all. */
export function isAboutAgent(error: unknown): boolean {
  return !(error instanceof PosternError && (error.code === 'not_found' || error.code === 'cannot_connect'));
}

function isTimeout({ reason }: AbortSignal): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError';
}
