import { createSecureContext, type PeerCertificate } from 'node:tls';
import { Client, type ClientDuplexStream, connectivityState, credentials, Metadata } from '@grpc/grpc-js';
import { openDuplex, PosternError, ReverseTunnel } from '@postern/api';
import { wideChannelOptions } from '#grpc-internals.ts';
import type { TunnelLimits } from '#limits.ts';
import { AGENT_ID_KEY } from '#reverse/peer-door.ts';
import { TUNNEL_SERVER_NAME, type TunnelCredentials } from '#reverse/tunnel-session.ts';

export interface PeerConnectionOptions {
  readonly proxyId: string;
  /** host:port */
  readonly address: string;
  readonly credentials: TunnelCredentials;
  readonly limits: TunnelLimits;
  readonly nowMs: () => number;
}

/** setTimeout's own limit. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** A host renews its certificate at two thirds of its life: after this part of what is left a new connection sees the next one. */
const STALE_AFTER = 3 / 4;
const SPARE_STREAMS = 8;

/** One TLS connection to the tunnel door of another proxy; ends once, for a reason. */
export class PeerConnection {
  /** Settles when the handshake is done and the peer was checked; rejects with the reason where that fails. */
  readonly ready: Promise<void>;
  /** Settles when the connection is over. */
  readonly ended: Promise<Error>;
  /** Settles when a younger connection should take its place; open streams go on. */
  readonly retired: Promise<void>;
  readonly #options: PeerConnectionOptions;
  readonly #client: Client;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #carries = new Set<ClientDuplexStream<Buffer, Buffer>>();
  #validUntilMs = 0;
  #refusal: Error | undefined;
  #over = false;
  #retiring = false;
  #settleEnded: (error: Error) => void = () => undefined;
  #settleRetired: () => void = () => undefined;

  constructor(options: PeerConnectionOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve;
    });
    this.retired = new Promise((resolve) => {
      this.#settleRetired = resolve;
    });
    const { context, checkServer } = options.credentials;
    const check = (host: string, certificate: PeerCertificate) => {
      this.#refusal = checkServer(host, certificate);
      this.#validUntilMs = Date.parse(certificate.valid_to);
      return this.#refusal;
    };
    const channel = credentials.createFromSecureContext(createSecureContext(context), { checkServerIdentity: check });
    // The scheme is said: a host called `unix` must not become the path of a socket.
    this.#client = new Client(
      `dns:${options.address}`,
      channel,
      wideChannelOptions({ 'grpc.ssl_target_name_override': TUNNEL_SERVER_NAME, 'grpc.client_idle_timeout_ms': MAX_TIMER_MS }),
    );
    this.ready = this.#connect();
    this.ready.catch(() => undefined);
  }

  openCarry(agentId: string): ClientDuplexStream<Buffer, Buffer> {
    const { proxyId, limits } = this.#options;
    if (this.#over || this.#retiring) throw new PosternError('unavailable', `the connection to proxy ${proxyId} is closed`);
    if (this.#carries.size >= Math.min(limits.streamsPerTunnelConnection - SPARE_STREAMS, limits.carriesPerAgent))
      throw new PosternError('unavailable', `${this.#carries.size} streams are open to proxy ${proxyId}: no room for more`);
    const metadata = new Metadata();
    metadata.set(AGENT_ID_KEY, agentId);
    const call = openDuplex(this.#client, ReverseTunnel.carry, { metadata });
    this.#carries.add(call);
    const closed = () => {
      this.#carries.delete(call);
      this.#endWhereRetired();
    };
    call.once('status', closed).on('error', closed);
    return call;
  }

  /** Takes no more streams; ends itself when the last one has. */
  retire(): void {
    if (this.#retiring || this.#over) return;
    this.#retiring = true;
    this.#settleRetired();
    this.#endWhereRetired();
  }

  /** Ends everything now. */
  end(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const call of this.#carries) call.cancel();
    this.#client.close();
    this.#settleEnded(error);
  }

  async #connect(): Promise<void> {
    const { proxyId, address, nowMs } = this.#options;
    if (!(await this.#isReady())) {
      const why = this.#refusal?.message ?? 'it does not answer';
      const failed = new PosternError('cannot_connect', `proxy ${proxyId} cannot be reached at ${address}: ${why}`);
      this.end(failed);
      throw failed;
    }
    // Later, because the channel tells its state in the middle of changing it.
    this.#onceChanged(connectivityState.READY, Number.POSITIVE_INFINITY, () =>
      setImmediate(() => this.end(new PosternError('unavailable', `the connection to proxy ${proxyId} was lost`))),
    );
    const leftMs = Math.max(this.#validUntilMs - nowMs(), 0);
    this.#after(leftMs, () => this.end(new PosternError('expired', `the certificate of proxy ${proxyId} has expired`)));
    this.#after(leftMs * STALE_AFTER, () => this.retire());
  }

  /** False where this attempt has failed. A channel would go on by itself, at its own pace: here one attempt is one connection. */
  #isReady(): Promise<boolean> {
    const deadline = Date.now() + this.#options.limits.handshakeMs;
    return new Promise((resolve) => {
      void this.ended.then(() => resolve(false));
      const look = (seen: connectivityState) =>
        this.#onceChanged(seen, deadline, (state) => {
          if (state === connectivityState.CONNECTING && seen !== state) return look(state);
          resolve(state === connectivityState.READY);
        });
      this.#client.getChannel().getConnectivityState(true);
      look(connectivityState.IDLE);
    });
  }

  /** Tells the state that follows `seen`, or the one it still has at the deadline. */
  #onceChanged(seen: connectivityState, deadline: number, tell: (state: connectivityState) => void): void {
    const channel = this.#client.getChannel();
    channel.watchConnectivityState(seen, deadline, () => {
      if (!this.#over) tell(channel.getConnectivityState(false));
    });
  }

  #after(ms: number, act: () => void): void {
    this.#timers.push(setTimeout(act, Math.min(ms, MAX_TIMER_MS)).unref());
  }

  #endWhereRetired(): void {
    if (this.#retiring && this.#carries.size === 0) this.end(new PosternError('unavailable', 'the connection was replaced'));
  }
}
