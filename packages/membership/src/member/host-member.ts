import type { Client } from '@grpc/grpc-js';
import { CertsService, callUnary, PosternError } from '@postern/api';
import { generateKey } from '@postern/pki';
import { fullJitterBackoff } from '@postern/tunnel';
import { openAuthChannel } from '#channel/open-auth-channel.ts';
import { type HostMaterial, type HostRole, type MemberMaterial, materialOf } from '#member/host-material.ts';

export interface HostMemberOptions {
  readonly material: MemberMaterial;
  /** host:port of the proxy or of auth. */
  readonly address: string;
  readonly via: 'proxy' | 'direct';
  /** Each attempt to renew that failed; the next follows by itself. */
  readonly onProblem?: (error: unknown) => void;
  readonly nowMs?: () => number;
  readonly random?: () => number;
}

const MAX_TIMER_MS = 2 ** 31 - 1;
/** Against an auth server whose clock makes every new certificate look old. */
const MIN_RENEWAL_MS = 1_000;
const RETRY = { baseMs: 1_000, capMs: 60_000 };
/** Auth's heartbeats on the watch come more often, and whoever misses them redials: this is for a channel that nobody watches on. */
const KEEPALIVE_MS = 300_000;

/** A host that belongs to the cluster: its certificate, renewed at two thirds of its life for as long as it runs. */
export class HostMember {
  readonly hostId: string;
  readonly cluster: string;
  readonly role: HostRole;
  readonly #options: HostMemberOptions;
  readonly #nowMs: () => number;
  readonly #random: () => number;
  readonly #listeners = new Set<(material: MemberMaterial) => void>();
  readonly #stopping = new AbortController();
  #material: MemberMaterial;
  #client: Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #renewal: Promise<void> | undefined;

  constructor(options: HostMemberOptions) {
    const { hostId, cluster, role } = options.material;
    this.hostId = hostId;
    this.cluster = cluster;
    this.role = role;
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#material = options.material;
    this.#schedule();
  }

  current(): HostMaterial {
    return this.#material;
  }

  /** With what has to be kept so that the host can go on after a restart: see saveMember. */
  material(): MemberMaterial {
    return this.#material;
  }

  /** Called after each renewal; returns what ends it. */
  onRenewed(listener: (material: MemberMaterial) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The shared channel to auth. Another one follows each renewal: ask for it at each call, and never close it. */
  client(): Client {
    if (this.#stopping.signal.aborted) throw new PosternError('unavailable', `host ${this.hostId} is stopping`);
    this.#client ??= this.openChannel();
    return this.#client;
  }

  /** Gives up the shared channel, of which nothing has been heard for too long; the next call is on another. */
  redial(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  /** A channel of the caller's own, with the certificate of this moment; he closes it. */
  openChannel(): Client {
    const { address, via, nowMs } = this.#options;
    return openAuthChannel({
      address,
      via,
      cluster: this.cluster,
      hostCaPems: this.#material.hostCaPems,
      client: this.#material,
      keepaliveMs: KEEPALIVE_MS,
      ...(nowMs ? { nowMs } : {}),
    });
  }

  /** Renews at once, unless that is under way. Rejects where it fails; the schedule goes on either way. */
  renew(): Promise<void> {
    this.#renewal ??= this.#renewOnce().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    this.redial();
    await this.#renewal?.catch(() => undefined);
  }

  async #renewOnce(): Promise<void> {
    const key = generateKey();
    const client = this.openChannel();
    const { hostId, cluster, role } = this;
    try {
      const answer = await callUnary(client, CertsService.renewHostCert, { publicKey: key.publicKeyDer });
      if (this.#stopping.signal.aborted) return;
      this.#material = materialOf(answer, { role, cluster, hostId, ...key });
    } finally {
      client.close();
    }
    // Calls on the old channel run to their end; auth ends its streams when the old certificate expires.
    this.redial();
    for (const listener of this.#listeners) this.#guarded(() => listener(this.#material));
  }

  #schedule(): void {
    const { issuedMs, notAfterMs } = this.#material;
    // A twentieth earlier by chance: hosts that joined together shall not renew together.
    const share = 2 / 3 - this.#random() / 20;
    this.#after(Math.max(issuedMs + (notAfterMs - issuedMs) * share - this.#nowMs(), MIN_RENEWAL_MS), () => void this.#keepRenewed());
  }

  async #keepRenewed(): Promise<void> {
    const backoff = fullJitterBackoff({ ...RETRY, random: this.#random });
    while (!this.#stopping.signal.aborted) {
      try {
        await this.renew();
        return this.#schedule();
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#options.onProblem?.(this.#explain(error));
        await new Promise<void>((resolve) => {
          this.#after(backoff.nextMs(), resolve);
          this.#stopping.signal.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    }
  }

  #explain(error: unknown): unknown {
    if (this.#nowMs() < this.#material.notAfterMs) return error;
    return new PosternError(
      'expired',
      `the certificate of host ${this.hostId} has expired and cannot be renewed: restart it with a new token (tctl tokens add --type=${this.role})`,
      { cause: error },
    );
  }

  #after(delayMs: number, then: () => void): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(then, Math.min(delayMs, MAX_TIMER_MS));
    this.#timer.unref();
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#options.onProblem?.(error);
    }
  }
}
