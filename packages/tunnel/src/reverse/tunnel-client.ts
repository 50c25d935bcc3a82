import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fullJitterBackoff, type Shared } from '#backoff.ts';
import { type TunnelLimits, tunnelLimits } from '#limits.ts';
import { type DialInfo, type TunnelCredentials, TunnelSession } from '#reverse/tunnel-session.ts';

export interface ProxyStatus {
  readonly proxy: string;
  readonly state: 'connecting' | 'attached' | 'waiting';
  /** Known once attached. */
  readonly proxyId?: string;
  readonly lastError?: string;
  /** Of one that was attached and is lost: in what time the proxy wanted all its agents back. */
  readonly spreadMs?: number;
}

export interface ReverseTunnelClientOptions {
  /** host:port of every proxy to attach to. */
  readonly proxies: readonly string[];
  /** Read at every connection, so that a renewed certificate is used. */
  readonly credentials: () => TunnelCredentials;
  readonly version: string;
  /** Told to the proxy at attach; it trusts what auth lists. */
  readonly resourceIds?: () => readonly Buffer[];
  /** Why this resource is not served here, or undefined where it is. */
  readonly serves?: (resourceId: Buffer) => string | undefined;
  /** A client's TLS connection, as the proxy relays it: hand it to createGrpcTlsServer(…).acceptSocket. */
  readonly onConnection: (stream: Duplex, info: DialInfo) => void;
  readonly onStatus?: (status: ProxyStatus) => void;
  readonly limits?: Partial<TunnelLimits>;
  readonly random?: () => number;
  readonly backoff?: { readonly baseMs: number; readonly capMs: number };
}

interface Link {
  readonly proxy: string;
  readonly abort: AbortController;
  current: TunnelSession | undefined;
  /** Until they end. One whose certificate was renewed takes dials until the next is attached. */
  readonly older: Set<TunnelSession>;
  /** Has another attachment follow the current one. */
  replace: () => void;
  status: ProxyStatus;
  done: Promise<void>;
}

/** An agent's end of reverse tunnels: attached to every proxy it is told of, for as long as it runs. */
export class ReverseTunnelClient {
  readonly #options: ReverseTunnelClientOptions;
  readonly #limits: TunnelLimits;
  readonly #links = new Map<string, Link>();
  #proxies: readonly string[];
  #started = false;

  constructor(options: ReverseTunnelClientOptions) {
    this.#options = options;
    this.#proxies = options.proxies;
    this.#limits = { ...tunnelLimits, ...options.limits };
  }

  start(): void {
    this.#started = true;
    this.setProxies(this.#proxies);
  }

  /** Attaches to those that are new, leaves those that are gone once their open streams have ended. */
  setProxies(proxies: readonly string[]): void {
    this.#proxies = proxies;
    if (!this.#started) return;
    for (const [proxy, link] of this.#links) {
      if (proxies.includes(proxy)) continue;
      this.#links.delete(proxy);
      link.abort.abort();
      for (const session of sessionsOf(link)) session.retire();
    }
    for (const proxy of proxies) {
      if (this.#links.has(proxy)) continue;
      const link: Link = {
        proxy,
        abort: new AbortController(),
        current: undefined,
        older: new Set(),
        replace: () => undefined,
        status: { proxy, state: 'connecting' },
        done: Promise.resolve(),
      };
      this.#links.set(proxy, link);
      link.done = this.#keepAttached(link);
    }
  }

  /** Call when the certificate was renewed: attaches anew beside what is open, which takes dials until then and goes on until it ends or expires. */
  renew(): void {
    for (const link of this.#links.values()) link.replace();
  }

  status(): ProxyStatus[] {
    return [...this.#links.values()].map(({ status }) => status);
  }

  /** Tells every proxy to send nothing more; settles when the open streams have ended or after `graceMs`. */
  async stop({ graceMs = 0 }: { readonly graceMs?: number } = {}): Promise<void> {
    const links = [...this.#links.values()];
    this.#links.clear();
    this.#started = false;
    for (const link of links) link.abort.abort();
    const sessions = links.flatMap(sessionsOf);
    for (const session of sessions) session.retire();
    if (graceMs > 0) await Promise.race([Promise.all(sessions.map(({ ended }) => ended)), delay(graceMs)]);
    for (const session of sessions) session.end();
    await Promise.all(links.map(({ done }) => done));
  }

  async #keepAttached(link: Link): Promise<void> {
    const { signal } = link.abort;
    const backoff = fullJitterBackoff({
      ...(this.#options.backoff ?? { baseMs: 500, capMs: 10_000 }),
      ...(this.#options.random ? { random: this.#options.random } : {}),
    });
    let shared: Shared = { ms: 0, missed: false };
    while (!signal.aborted) {
      if (![...link.older].some(({ takesDials }) => takesDials)) this.#report(link, { proxy: link.proxy, state: 'connecting' });
      const startedMs = performance.now();
      const { outcome, lost } = await this.#attachOnce(link);
      if (performance.now() - startedMs >= this.#limits.silenceMs) backoff.reset();
      if (outcome === 'again') continue;
      if (signal.aborted) return;
      shared = lost ?? { ...shared, missed: true };
      this.#report(link, { proxy: link.proxy, state: 'waiting', lastError: outcome.message, spreadMs: shared.ms });
      await delay(backoff.nextMs(shared), undefined, { signal }).catch(() => undefined);
    }
  }

  /** Settles when this attachment takes no more dials, or 'again' where another should follow at once. `lost` where it had come to stand. */
  async #attachOnce(link: Link): Promise<{ readonly outcome: 'again' | Error; readonly lost?: Shared }> {
    let session: TunnelSession;
    try {
      session = this.#open(link);
    } catch (error) {
      return { outcome: error instanceof Error ? error : new Error(String(error)) };
    }
    link.current = session;
    const outcome = await this.#overOf(session, link).catch((error: unknown) => error as Error);
    link.current = undefined;
    link.older.add(session);
    void session.ended.then(() => link.older.delete(session));
    if (link.abort.signal.aborted) session.retire();
    return session.proxyId === '' ? { outcome } : { outcome, lost: { ms: session.spreadMs, missed: false } };
  }

  async #overOf(session: TunnelSession, link: Link): Promise<'again' | Error> {
    const replaced = new Promise<'again'>((resolve) => {
      link.replace = () => resolve('again');
    });
    const proxyId = await session.attached;
    this.#report(link, { proxy: link.proxy, state: 'attached', proxyId });
    for (const older of link.older) older.retire();
    const retired = session.retired.then(() => new Error('the proxy is stopping'));
    return await Promise.race([session.ended, retired, replaced]);
  }

  #open(link: Link): TunnelSession {
    return new TunnelSession({
      proxy: link.proxy,
      credentials: this.#options.credentials(),
      version: this.#options.version,
      resourceIds: this.#options.resourceIds?.() ?? [],
      limits: this.#limits,
      serves: this.#options.serves ?? (() => undefined),
      onConnection: this.#options.onConnection,
    });
  }

  #report(link: Link, status: ProxyStatus): void {
    if (this.#links.get(link.proxy) !== link) return;
    link.status = status;
    this.#options.onStatus?.(status);
  }
}

function sessionsOf({ current, older }: Link): TunnelSession[] {
  return current === undefined ? [...older] : [...older, current];
}
