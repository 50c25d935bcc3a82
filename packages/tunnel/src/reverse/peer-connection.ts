import type { X509Certificate } from 'node:crypto';
import { PosternError, ReverseTunnel } from '@postern/api';
import type { TunnelLimits } from '#limits.ts';
import type { RawCall } from '#raw-call/raw-call.ts';
import { RawConnection } from '#raw-call/raw-connection.ts';
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
  readonly #connection: RawConnection;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #carries = new Set<RawCall>();
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
    const check = (host: string, certificate: X509Certificate) => {
      this.#refusal = checkServer(host, certificate);
      this.#validUntilMs = Date.parse(certificate.validTo);
      return this.#refusal;
    };
    const { address, limits } = options;
    this.#connection = new RawConnection({ address, serverName: TUNNEL_SERVER_NAME, context, checkServer: check, limits });
    this.ready = this.#connect();
    this.ready.catch(() => undefined);
  }

  openCarry(agentId: string): RawCall {
    const { proxyId, limits } = this.#options;
    if (this.#over || this.#retiring) throw new PosternError('unavailable', `the connection to proxy ${proxyId} is closed`);
    if (this.#carries.size >= Math.min(limits.streamsPerTunnelConnection - SPARE_STREAMS, limits.carriesPerAgent))
      throw new PosternError('unavailable', `${this.#carries.size} streams are open to proxy ${proxyId}: no room for more`);
    const call = this.#connection.open(ReverseTunnel.carry.path, { [AGENT_ID_KEY]: agentId });
    this.#carries.add(call);
    call.onClose(() => {
      this.#carries.delete(call);
      this.#endWhereRetired();
    });
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
    this.#connection.end(error);
    this.#settleEnded(error);
  }

  async #connect(): Promise<void> {
    const { proxyId, address, nowMs, limits } = this.#options;
    const late = setTimeout(() => this.#connection.end(new Error('it does not answer')), limits.handshakeMs);
    try {
      await this.#connection.ready;
    } catch (error) {
      const why = this.#refusal?.message ?? (error instanceof Error ? error.message : String(error));
      const failed = new PosternError('cannot_connect', `proxy ${proxyId} cannot be reached at ${address}: ${why}`);
      this.end(failed);
      throw failed;
    } finally {
      clearTimeout(late);
    }
    void this.#connection.ended.then(() => this.end(new PosternError('unavailable', `the connection to proxy ${proxyId} was lost`)));
    const leftMs = Math.max(this.#validUntilMs - nowMs(), 0);
    this.#after(leftMs, () => this.end(new PosternError('expired', `the certificate of proxy ${proxyId} has expired`)));
    this.#after(leftMs * STALE_AFTER, () => this.retire());
  }

  #after(ms: number, act: () => void): void {
    this.#timers.push(setTimeout(act, Math.min(ms, MAX_TIMER_MS)).unref());
  }

  #endWhereRetired(): void {
    if (this.#retiring && this.#carries.size === 0) this.end(new PosternError('unavailable', 'the connection was replaced'));
  }
}
