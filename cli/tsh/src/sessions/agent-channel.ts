import type { X509Certificate } from 'node:crypto';
import { AgentSession, PosternError, type SessionInfo } from '@postern/api';
import type { ConnectKey } from '@postern/api/connect-keys';
import { clientContextOptions, serverIdentityCheck } from '@postern/pki';
import { type ByteStream, byteStream, callUnaryOver, RawConnection } from '@postern/tunnel';
import type { SessionGrant } from '#sessions/session-grant.ts';
import { Pulse } from '#sessions/pulse.ts';
import { shown, wordsOf } from '#sessions/resource-kind.ts';
import { SpareStreams } from '#sessions/spare-streams.ts';

export interface AgentChannelOptions {
  readonly proxy: string;
  readonly cluster: string;
  readonly grant: SessionGrant;
}

/** What is said of a local connection, in the metadata of its stream (docs/decisions/0007). */
export type ConnectHeaders = Readonly<Partial<Record<ConnectKey, string>>>;

/** Five hundred local connections may all wait for an agent that stands still, on a person's own machine. */
const MAX_IN_FLIGHT_BYTES = 128 * 1024;
const DESCRIBE_MS = 5_000;

/** The agent was reached, and lets this certificate in no more. Another agent, or another certificate, may do. */
export class RefusedByAgent extends PosternError {
  constructor({ code, message }: PosternError) {
    super(code, message);
  }
}

/** One TLS session from here to an agent; the proxy between sees records. Each local connection is a stream in it. */
export class AgentChannel {
  readonly grant: SessionGrant;
  readonly #connection: RawConnection;
  #refusal: Error | undefined;
  readonly #streams = new Set<ByteStream>();
  readonly #spares = new SpareStreams<ByteStream>();
  readonly #pulse = new Pulse({ probe: (timeoutMs) => this.#connection.answers(timeoutMs), onDead: () => this.#abandon() });
  #retired = false;
  #abandoned = false;

  constructor({ proxy, cluster, grant }: AgentChannelOptions) {
    this.grant = grant;
    const { certificatePem, privateKeyPem, hostCaPems, agentIds } = grant;
    const check = serverIdentityCheck({ cluster, hostCaPems, kinds: [wordsOf[grant.kind].agents], names: agentIds, nowMs: Date.now });
    this.#connection = new RawConnection({
      address: proxy,
      serverName: `${grant.ticket}.session.postern.internal`,
      context: clientContextOptions(hostCaPems, { certificatePem, privateKeyPem }),
      // Kept for the person who waits.
      checkServer: (host: string, peer: X509Certificate): Error | undefined => {
        this.#refusal = check(host, peer);
        return this.#refusal;
      },
    });
  }

  get ready(): boolean {
    return !this.#abandoned && this.#connection.isReady;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Rejects as soon as the attempt has failed: whether to try again, and with which ticket, is for the caller to say. */
  async connect(timeoutMs: number): Promise<void> {
    const late = setTimeout(() => this.#connection.end(), timeoutMs);
    try {
      await this.#connection.ready;
    } catch {
      throw this.#connection.refusal === undefined ? this.#unreachable() : new RefusedByAgent(this.#connection.refusal);
    } finally {
      clearTimeout(late);
    }
  }

  describe(): Promise<SessionInfo> {
    return callUnaryOver(this.#connection, AgentSession.describe, {}, { deadlineMs: DESCRIBE_MS });
  }

  /** One that an earlier local connection has given back, where the same is said of this one. */
  openStream(headers: ConnectHeaders): ByteStream {
    const key = Object.entries(headers).flat().join('\n');
    const spare = this.#spares.take(key);
    if (spare !== undefined) return spare;
    const stream = this.#open(headers);
    this.#spares.own(key, stream, () => !this.#retired && this.ready);
    return stream;
  }

  #open(headers: ConnectHeaders): ByteStream {
    const stream: ByteStream = byteStream(this.#connection.open(AgentSession.connect.path, headers), {
      maxInFlightBytes: MAX_IN_FLIGHT_BYTES,
      onSent: (bytes) => this.#pulse.sent(stream, bytes),
      onReceived: () => this.#pulse.heard(stream),
    });
    this.#streams.add(stream);
    stream.once('close', () => {
      this.#streams.delete(stream);
      this.#pulse.forget(stream);
      this.#closeWhenDone();
    });
    return stream;
  }

  /** No new streams; those that are open finish, and the last one closes the connection. */
  retire(): void {
    this.#retired = true;
    this.#spares.closeAll();
    this.#closeWhenDone();
  }

  close(): void {
    this.#pulse.stop();
    this.#connection.end();
  }

  /** Whoever waits is told; the next request finds another agent, or this one over a new connection. */
  #abandon(): void {
    this.#abandoned = true;
    const error = new PosternError('unavailable', `the agent of ${shown(this.grant)} has gone silent, and it may have acted: try again`);
    for (const stream of this.#streams) stream.destroy(error);
    this.#connection.end(error);
  }

  #closeWhenDone(): void {
    if (this.#retired && this.#streams.size === 0) this.close();
  }

  #unreachable(): PosternError {
    const reason = this.#refusal === undefined ? 'no agent answers' : `what answered is not one of its agents: ${this.#refusal.message}`;
    return new PosternError('unavailable', `cannot reach ${shown(this.grant)}: ${reason}`, { cause: this.#refusal });
  }
}
