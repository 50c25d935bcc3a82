import type { SessionInfo } from '@postern/api';
import { PosternError } from '@postern/api/errors';
import { type ByteStream, tunnelLimits } from '@postern/tunnel';
import type { SessionGrant } from '#sessions/session-grant.ts';
import { type AgentChannel, type ConnectHeaders, RefusedByAgent } from '#sessions/agent-channel.ts';
import { notServedNow, shown } from '#sessions/resource-kind.ts';
import { isAway } from '#sessions/is-away.ts';

export interface ResourceSessionOptions {
  /** Asks auth for a certificate and a ticket that name the agents of this moment. */
  readonly issue: () => Promise<SessionGrant>;
  readonly open: (grant: SessionGrant) => AgentChannel;
  readonly loginUntilMs: number;
  readonly nowMs: () => number;
  readonly onRenewalFailed: (error: unknown) => void;
}
/** A connection over the known ticket fails within this; a new ticket is asked for next. */
const RECONNECT_MS = 3_000;
const CONNECT_MS = 8_000;
/** Renewed when a third of the life is left, and tried again this often where that fails. */
const RENEW_AT_REMAINING = 1 / 3;
const RETRY_RENEWAL_MS = 15_000;
/** A certificate that ends with the login cannot be had for longer. */
const SAME_END_MS = 5_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Keeps channels to living agents, under a certificate that is still good, for as long as the login lasts. */
export class ResourceSession {
  readonly #options: ResourceSessionOptions;
  #grant: SessionGrant;
  /** All under `#grant`; a second one only where the first has as many streams as an agent takes. */
  #channels: readonly AgentChannel[] = [];
  #connecting: Promise<void> | undefined;
  #renewal: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(first: SessionGrant, options: ResourceSessionOptions) {
    this.#options = options;
    this.#grant = first;
    this.#planRenewal();
  }

  /** The newest. */
  get grant(): SessionGrant {
    return this.#grant;
  }

  /** A stream to an agent; rejects within some seconds where there is none to be had. Concurrent callers share an attempt to connect. */
  async openStream(headers: ConnectHeaders): Promise<ByteStream> {
    for (;;) {
      const free = this.#channels.find((channel) => channel.ready && channel.streams < tunnelLimits.streamsPerConnection);
      if (free !== undefined) return free.openStream(headers);
      await this.connect();
    }
  }

  /** What the agent says of this session. */
  async describe(): Promise<SessionInfo> {
    for (;;) {
      const ready = this.#channels.find((channel) => channel.ready);
      if (ready !== undefined) return ready.describe();
      await this.connect();
    }
  }

  connect(): Promise<void> {
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#renewal);
    for (const channel of this.#channels) channel.close();
  }

  async #connect(): Promise<void> {
    const alive = this.#channels.filter((channel) => channel.ready);
    for (const gone of this.#channels.filter((channel) => !channel.ready)) gone.retire();
    this.#channels = alive;
    if (alive.length >= tunnelLimits.connectionsPerAgent) {
      const most = tunnelLimits.connectionsPerAgent * tunnelLimits.streamsPerConnection;
      throw new PosternError('limit_exceeded', `more than ${most} connections at once to ${shown(this.#grant)}`);
    }
    let refused: RefusedByAgent | undefined;
    if (this.#grant.validUntilMs > this.#options.nowMs()) {
      try {
        // Needs no auth: what was granted goes on while auth is away, at any agent that was named then.
        return await this.#add(this.#grant, RECONNECT_MS);
      } catch (error) {
        // The agent is gone or the ticket is stale: a new one names those that serve now.
        if (error instanceof RefusedByAgent) refused = error;
      }
    }
    await this.#renewGrant().catch((error: unknown) => {
      // That auth cannot be asked is not why the person is refused.
      throw refused !== undefined && isAway(error) ? refused : error;
    });
  }

  async #add(grant: SessionGrant, timeoutMs: number): Promise<void> {
    const channel = this.#options.open(grant);
    try {
      await channel.connect(timeoutMs);
      if (this.#closed) throw new PosternError('unavailable', 'tsh is stopping');
    } catch (error) {
      channel.close();
      throw error;
    }
    this.#channels = [...this.#channels, channel];
  }

  /** The new channel stands before the old ones are retired: a renewal that fails takes nothing away. */
  async #renewGrant(): Promise<void> {
    const grant = await this.#options.issue().catch((error: unknown) => {
      // It was there when this began: its last agent has left, and the next one may be on its way.
      throw error instanceof PosternError && error.code === 'not_found' ? notServedNow(this.#grant) : error;
    });
    const before = this.#channels;
    await this.#add(grant, CONNECT_MS);
    this.#grant = grant;
    this.#channels = this.#channels.filter((channel) => !before.includes(channel));
    for (const old of before) old.retire();
    this.#planRenewal();
  }

  #planRenewal(): void {
    const { loginUntilMs, nowMs } = this.#options;
    clearTimeout(this.#renewal);
    if (this.#grant.validUntilMs >= loginUntilMs - SAME_END_MS) return;
    this.#renewLater((this.#grant.validUntilMs - nowMs()) * (1 - RENEW_AT_REMAINING));
  }

  #renewLater(delayMs: number): void {
    this.#renewal = setTimeout(() => void this.#renew(), Math.min(Math.max(0, delayMs), MAX_TIMER_MS));
    this.#renewal.unref();
  }

  async #renew(): Promise<void> {
    try {
      await this.#renewGrant();
    } catch (error) {
      if (this.#closed) return;
      this.#options.onRenewalFailed(error);
      this.#renewLater(RETRY_RENEWAL_MS);
    }
  }
}
