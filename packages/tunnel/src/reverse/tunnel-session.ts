import { createSecureContext, type PeerCertificate, type SecureContextOptions } from 'node:tls';
import { Client, type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import { type AgentFrame, fromServiceError, openDuplex, PosternError, type ProxyFrame, ReverseTunnel } from '@postern/api';
import { byteStream, type ByteStream } from '#byte-stream.ts';
import { wideChannelOptions } from '#grpc-internals.ts';
import type { TunnelLimits } from '#limits.ts';
import { type Dial, readDial, writeAnswer } from '#reverse/dial-frame.ts';

export const TUNNEL_SERVER_NAME = 'tunnel.postern.internal';

export interface TunnelCredentials {
  /** Certificate, key and the Host CAs: @postern/pki's clientContextOptions. */
  readonly context: SecureContextOptions;
  /** Accepts a proxy of this cluster and nothing else: @postern/pki's serverIdentityCheck. */
  readonly checkServer: (host: string, certificate: PeerCertificate) => Error | undefined;
}

export interface DialInfo {
  readonly resourceId: Buffer;
  readonly clientAddress: string;
  readonly proxyId: string;
}

export interface TunnelSessionOptions {
  readonly proxy: string;
  readonly credentials: TunnelCredentials;
  readonly version: string;
  readonly resourceIds: readonly Buffer[];
  readonly limits: TunnelLimits;
  readonly serves: (resourceId: Buffer) => string | undefined;
  readonly onConnection: (stream: ByteStream, info: DialInfo) => void;
}

export type Retired = 'wanted' | 'drained';

const IDLE_CARRIES = 4;
/** Room on each connection for the control stream and for streams that are being closed. */
const SPARE_STREAMS = 8;
/** The fourth is left for the connection that replaces these when the certificate is renewed. */
const MAX_CONNECTIONS = 3;
const REFILL_AFTER_FAILURE_MS = 1_000;

/** One attachment of an agent to one proxy, with its Carry streams; ends once, for a reason. */
export class TunnelSession {
  /** Settles with the proxy's id once attached. */
  readonly attached: Promise<string>;
  /** Settles with the reason when the attachment is over. */
  readonly ended: Promise<Error>;
  /** Settles when no more dials are taken, before `ended`: the proxy drains, or the agent wanted it. */
  readonly retired: Promise<Retired>;
  readonly #options: TunnelSessionOptions;
  readonly #connections: { readonly client: Client; streams: number }[] = [];
  readonly #attach: ClientDuplexStream<AgentFrame, ProxyFrame>;
  readonly #idle = new Set<ClientDuplexStream<Buffer, Buffer>>();
  readonly #timers: NodeJS.Timeout[] = [];
  #busy = 0;
  #retired = false;
  #over = false;
  #wanted = IDLE_CARRIES;
  #proxyId = '';
  #settleAttached: (proxyId: string) => void = () => undefined;
  #failAttached: (error: Error) => void = () => undefined;
  #settleEnded: (error: Error) => void = () => undefined;
  #settleRetired: (why: Retired) => void = () => undefined;

  constructor(options: TunnelSessionOptions) {
    this.#options = options;
    this.attached = new Promise((resolve, reject) => {
      this.#settleAttached = resolve;
      this.#failAttached = reject;
    });
    this.attached.catch(() => undefined);
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve;
    });
    this.retired = new Promise((resolve) => {
      this.#settleRetired = resolve;
    });
    const connection = this.#connect();
    connection.streams += 1;
    this.#attach = openDuplex(connection.client, ReverseTunnel.attach);
    this.#control();
  }

  get busyCarries(): number {
    return this.#busy;
  }

  /** Takes no more dials; ends itself when the last open stream has. */
  retire(why: Retired = 'wanted'): void {
    if (this.#retired || this.#over) return;
    this.#retired = true;
    this.#settleRetired(why);
    this.#tell({ frame: { $case: 'drain', value: {} } });
    for (const call of this.#idle) call.cancel();
    this.#endWhereRetired();
  }

  /** Ends everything now. */
  end(error: Error = new PosternError('unavailable', 'the tunnel was closed')): void {
    if (this.#over) return;
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#attach.cancel();
    for (const { client } of this.#connections) client.close();
    for (const call of this.#idle) call.cancel();
    this.#failAttached(error);
    this.#settleEnded(error);
  }

  #connect(): { readonly client: Client; streams: number } {
    const { context, checkServer } = this.#options.credentials;
    const channel = credentials.createFromSecureContext(createSecureContext(context), { checkServerIdentity: checkServer });
    const client = new Client(this.#options.proxy, channel, wideChannelOptions({ 'grpc.ssl_target_name_override': TUNNEL_SERVER_NAME }));
    const connection = { client, streams: 0 };
    this.#connections.push(connection);
    return connection;
  }

  #control(): void {
    const { limits, proxy } = this.#options;
    const hello = setTimeout(() => this.end(new PosternError('cannot_connect', `no proxy answered at ${proxy}`)), limits.helloMs);
    const silence = setTimeout(() => this.end(new PosternError('unavailable', `proxy ${proxy} has gone silent`)), limits.silenceMs);
    const heartbeat = setInterval(() => this.#tell({ frame: { $case: 'heartbeat', value: { timeMs: Date.now() } } }), limits.heartbeatMs);
    this.#timers.push(hello, silence, heartbeat);
    this.#attach.on('error', (error: ServiceError) => this.end(fromServiceError(error)));
    this.#attach.on('end', () => this.end(new PosternError('unavailable', `proxy ${proxy} ended the tunnel`)));
    this.#attach.on('data', ({ frame }: ProxyFrame) => {
      silence.refresh();
      if (frame?.$case === 'hello') {
        clearTimeout(hello);
        this.#proxyId = frame.value.proxyId;
        this.#settleAttached(this.#proxyId);
        this.#refill();
      } else if (frame?.$case === 'openCarries') {
        this.#wanted = Math.min(limits.idleCarriesPerAgent, IDLE_CARRIES + Math.max(0, frame.value.count));
        this.#refill();
      } else if (frame?.$case === 'drain') {
        this.retire('drained');
      }
    });
    const { version, resourceIds } = this.#options;
    this.#tell({ frame: { $case: 'hello', value: { version, resourceIds: [...resourceIds] } } });
  }

  #tell(frame: AgentFrame): void {
    if (!this.#over && !this.#attach.writableNeedDrain && !this.#attach.writableEnded) this.#attach.write(frame);
  }

  #refill(): void {
    while (!this.#over && !this.#retired && this.#proxyId !== '' && this.#idle.size < this.#wanted && this.#openCarry());
  }

  #openCarry(): boolean {
    const { limits } = this.#options;
    if (this.#idle.size + this.#busy >= limits.carriesPerAgent) return false;
    const room = limits.streamsPerTunnelConnection - SPARE_STREAMS;
    const connection =
      this.#connections.find(({ streams }) => streams < room) ?? (this.#connections.length < MAX_CONNECTIONS ? this.#connect() : undefined);
    if (!connection) return false;
    connection.streams += 1;
    const call = openDuplex(connection.client, ReverseTunnel.carry);
    this.#idle.add(call);
    let state: 'idle' | 'busy' | 'closed' = 'idle';
    const closed = () => {
      if (state === 'closed') return;
      const wasIdle = state === 'idle';
      if (!wasIdle) this.#busy -= 1;
      state = 'closed';
      this.#idle.delete(call);
      connection.streams -= 1;
      // A stream that ended before a dial was refused: asking again at once would be a loop.
      if (wasIdle && !this.#retired) this.#timers.push(setTimeout(() => this.#refill(), REFILL_AFTER_FAILURE_MS).unref());
      else this.#refill();
      this.#endWhereRetired();
    };
    call.once('status', closed);
    call.on('error', closed);
    call.once('data', (message: Buffer) => {
      call.pause();
      this.#idle.delete(call);
      this.#busy += 1;
      state = 'busy';
      this.#answer(call, message);
      this.#refill();
    });
    return true;
  }

  #answer(call: ClientDuplexStream<Buffer, Buffer>, message: Buffer): void {
    let dial: Dial;
    try {
      dial = readDial(message);
    } catch {
      return call.cancel();
    }
    const refusal = this.#options.serves(dial.resourceId);
    call.write(writeAnswer(refusal));
    if (refusal !== undefined) return void call.end();
    const stream = byteStream(call, { remoteAddress: dial.clientAddress, stallMs: this.#options.limits.stallMs });
    if (dial.head.length > 0) stream.unshift(dial.head);
    this.#options.onConnection(stream, { resourceId: dial.resourceId, clientAddress: dial.clientAddress, proxyId: this.#proxyId });
  }

  #endWhereRetired(): void {
    if (this.#retired && this.#busy === 0) this.end();
  }
}
