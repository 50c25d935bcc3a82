import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { PosternError } from '@postern/api';
import { fullJitterBackoff } from '#backoff.ts';
import { type TunnelLimits, tunnelLimits } from '#limits.ts';
import { PeerConnection } from '#reverse/peer-connection.ts';
import { speakDial } from '#reverse/speak-dial.ts';
import type { DialOptions } from '#reverse/tunnel-server.ts';
import type { TunnelCredentials } from '#reverse/tunnel-session.ts';

export interface PeerStatus {
  readonly proxyId: string;
  readonly state: 'connecting' | 'ready' | 'waiting' | 'ended';
  readonly lastError?: string;
}

export interface PeerTunnelOptions {
  /** Only a server whose certificate names this proxy is accepted; `checkServer` sees to it. */
  readonly proxyId: string;
  /** host:port that reaches this very proxy, from auth's list. */
  readonly address: string;
  /** Read at every connection, so that a renewed certificate is used. */
  readonly credentials: () => TunnelCredentials;
  readonly onStatus?: (status: PeerStatus) => void;
  readonly limits?: Partial<TunnelLimits>;
  readonly nowMs?: () => number;
  readonly random?: () => number;
  readonly backoff?: { readonly baseMs: number; readonly capMs: number };
}

/** What holds for so long was no chance: the next loss starts the backoff anew. */
const STEADY_MS = 30_000;

/** The way to agents that are attached to one other proxy: one connection, kept for as long as auth lists that proxy. */
export class PeerTunnel {
  readonly proxyId: string;
  readonly address: string;
  readonly #options: PeerTunnelOptions;
  readonly #limits: TunnelLimits;
  readonly #ending = new AbortController();
  /** The current one, and those whose last streams still run. */
  readonly #connections = new Set<PeerConnection>();
  readonly #done: Promise<void>;
  #current: PeerConnection | undefined;
  #status: PeerStatus;

  constructor(options: PeerTunnelOptions) {
    this.#options = options;
    this.proxyId = options.proxyId;
    this.address = options.address;
    this.#limits = { ...tunnelLimits, ...options.limits };
    this.#status = { proxyId: options.proxyId, state: 'connecting' };
    this.#done = this.#keepConnected();
  }

  get status(): PeerStatus {
    return this.#status;
  }

  /**
   * A stream to an agent that is attached to that proxy. Rejects with `not_found` where it says that the agent is not
   * attached there, with `cannot_connect` and at once while the proxy cannot be reached, and else with `unavailable`.
   */
  async dial(options: DialOptions): Promise<Duplex> {
    const timeout = AbortSignal.timeout(this.#limits.dialMs);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    const connection = this.#current;
    if (!connection || this.#status.state === 'waiting')
      throw new PosternError('cannot_connect', this.#status.lastError ?? `proxy ${this.proxyId} cannot be reached`);
    await settledOrAborted(connection.ready, signal, this.proxyId);
    const { agentId, resourceId, clientAddress, head = Buffer.alloc(0) } = options;
    const call = connection.openCarry(agentId);
    return speakDial(call, { agentId, dial: { resourceId, clientAddress, head }, stallMs: this.#limits.stallMs, signal });
  }

  /** Call when the own certificate was renewed: connects anew, open streams go on. */
  renew(): void {
    this.#current?.retire();
  }

  /** Ends everything: the proxy is locked or listed no more. */
  async end(error: Error): Promise<void> {
    this.#ending.abort();
    for (const connection of this.#connections) connection.end(error);
    await this.#done;
  }

  async #keepConnected(): Promise<void> {
    const { signal } = this.#ending;
    const backoff = fullJitterBackoff({
      ...(this.#options.backoff ?? { baseMs: 500, capMs: 10_000 }),
      ...(this.#options.random ? { random: this.#options.random } : {}),
    });
    while (!signal.aborted) {
      this.#report({ proxyId: this.proxyId, state: 'connecting' });
      const startedMs = performance.now();
      const lost = await this.#connectOnce();
      if (signal.aborted) break;
      if (performance.now() - startedMs >= STEADY_MS) backoff.reset();
      if (lost === 'retired') continue;
      this.#report({ proxyId: this.proxyId, state: 'waiting', lastError: lost.message });
      await delay(backoff.nextMs(), undefined, { signal }).catch(() => undefined);
    }
    this.#report({ proxyId: this.proxyId, state: 'ended' });
  }

  /** Settles when this connection takes no more streams. */
  async #connectOnce(): Promise<'retired' | Error> {
    const { address, proxyId, credentials, nowMs = Date.now } = this.#options;
    try {
      const connection = new PeerConnection({ proxyId, address, credentials: credentials(), limits: this.#limits, nowMs });
      this.#current = connection;
      this.#connections.add(connection);
      void connection.ended.then(() => this.#connections.delete(connection));
      await connection.ready;
      this.#report({ proxyId, state: 'ready' });
      return await Promise.race([connection.ended, connection.retired.then(() => 'retired' as const)]);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      this.#current = undefined;
    }
  }

  #report(status: PeerStatus): void {
    this.#status = status;
    this.#options.onStatus?.(status);
  }
}

function settledOrAborted(promise: Promise<void>, signal: AbortSignal, proxyId: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new PosternError('unavailable', `proxy ${proxyId} did not answer in time`));
    signal.addEventListener('abort', late, { once: true });
    if (signal.aborted) late();
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', late));
  });
}
