import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import { type AgentFrame, PosternError, type ProxyFrame, ReverseTunnel, type Spread } from '@postern/api';
import { byteStream } from '#byte-stream.ts';
import type { TunnelLimits } from '#limits.ts';
import { firstMessage, type RawCall, receiveMessages } from '#raw-call/raw-call.ts';
import { RawConnection, type RawConnectionOptions } from '#raw-call/raw-connection.ts';
import { AgentLines } from '#reverse/agent-lines.ts';
import { type Dial, readDial, writeAnswer } from '#reverse/dial-frame.ts';

export const TUNNEL_SERVER_NAME = 'tunnel.postern.internal';

export interface TunnelCredentials {
  /** Certificate, key and the Host CAs: @postern/pki's clientContextOptions. */
  readonly context: SecureContextOptions;
  /** Accepts a proxy of this cluster and nothing else: @postern/pki's serverIdentityCheck. */
  readonly checkServer: (host: string, certificate: X509Certificate) => Error | undefined;
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
  readonly onConnection: (stream: Duplex, info: DialInfo) => void;
}

/** An agent that nobody has used keeps none: each costs a proxy 25 kB, and a proxy has thousands of agents. The first dial asks. */
const IDLE_CARRIES_UNUSED = 0;
const IDLE_CARRIES = 4;
/** Room on each connection for the control stream and for streams that are being closed. */
const SPARE_STREAMS = 8;
/** The fourth is left for the connection that replaces these when the certificate is renewed. */
const MAX_CONNECTIONS = 3;
const REFILL_AFTER_FAILURE_MS = 1_000;
/** Dials may be on their way until the proxy has heard that no more are wanted. */
const RETIRING_MS = 1_000;
const NOTHING_TO_SHARE: Spread = { ms: 0, quietMs: 0 };
/** A stream waits for its dial for as long as there is an attachment. */
const NEVER = new AbortController().signal;

interface TunnelConnection {
  readonly connection: RawConnection;
  streams: number;
}

/** One attachment of an agent to one proxy, with its Carry streams; ends once, for a reason. */
export class TunnelSession {
  /** Settles with the proxy's id once attached. */
  readonly attached: Promise<string>;
  /** Settles with the reason when the attachment is over. */
  readonly ended: Promise<Error>;
  /** Settles when no more dials are taken, before `ended`: the proxy drains, or the agent wanted it. */
  readonly retired: Promise<void>;
  readonly #options: TunnelSessionOptions;
  readonly #connections = new Set<TunnelConnection>();
  readonly #idle = new Set<RawCall>();
  readonly #lines: AgentLines;
  #attach: RawCall | undefined;
  readonly #timers: NodeJS.Timeout[] = [];
  #busy = 0;
  #retired = false;
  #expectsDials = true;
  #over = false;
  #wanted = IDLE_CARRIES_UNUSED;
  #proxyId = '';
  #spreadMs = 0;
  #heartbeatMs: number;
  #settleAttached: (proxyId: string) => void = () => undefined;
  #failAttached: (error: Error) => void = () => undefined;
  #settleEnded: (error: Error) => void = () => undefined;
  #settleRetired: () => void = () => undefined;

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
    const { proxy, limits, serves } = options;
    this.#heartbeatMs = limits.heartbeatMs;
    this.#lines = new AgentLines({
      dial: (signal) => first.connection.dialAgain(signal),
      serves,
      onConnection: (line, dial) => options.onConnection(line, { ...dial, proxyId: this.#proxyId }),
      onFreed: () => this.#endWhereRetired(),
    });
    this.#after(limits.answerMs, () => {
      if (this.#proxyId === '') this.end(new PosternError('cannot_connect', `no proxy answered at ${proxy}`));
    });
    // Both ends go by its PINGs, and the server counts none for lost before its own patience is over.
    const first = this.#connect({ everyMs: () => this.#heartbeatMs, timeoutMs: limits.silenceMs - limits.heartbeatMs });
    first.streams += 1;
    void first.connection.ended.then((error) => this.end(error));
    first.connection.ready.then(
      () => this.#control(first.connection),
      () => undefined,
    );
  }

  /** Of the proxy; empty until it has answered. */
  get proxyId(): string {
    return this.#proxyId;
  }

  /** In which time the proxy wants its agents back, should it be lost; 0 where it never answered. */
  get spreadMs(): number {
    return this.#spreadMs;
  }

  /** Attached, and neither retired nor over. */
  get takesDials(): boolean {
    return this.#proxyId !== '' && !this.#retired && !this.#over;
  }

  /** Takes no more dials; ends itself when the last open stream has. */
  retire(): void {
    if (this.#retired || this.#over) return;
    this.#retired = true;
    this.#settleRetired();
    this.#tell({ frame: { $case: 'drain', value: {} } });
    this.#after(RETIRING_MS, () => {
      this.#expectsDials = false;
      for (const call of this.#idle) call.reset();
      this.#lines.closeWaiting();
      this.#endWhereRetired();
    });
  }

  /** Ends everything now. */
  end(error: Error = new PosternError('unavailable', 'the tunnel was closed')): void {
    if (this.#over) return;
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const { connection } of this.#connections) connection.end(error);
    this.#lines.end();
    this.#failAttached(error);
    this.#settleEnded(error);
  }

  #connect(keepalive?: RawConnectionOptions['keepalive']): TunnelConnection {
    const { proxy, limits, credentials } = this.#options;
    const reach = { address: proxy, serverName: TUNNEL_SERVER_NAME, ...credentials, limits };
    const connection = new RawConnection({ ...reach, ...(keepalive && { keepalive }) });
    const made = { connection, streams: 0 };
    this.#connections.add(made);
    void connection.ended.then(() => this.#connections.delete(made));
    return made;
  }

  #control(connection: RawConnection): void {
    if (this.#over) return;
    const { proxy, version, resourceIds } = this.#options;
    this.#attach = connection.open(ReverseTunnel.attach.path);
    receiveMessages(this.#attach, {
      message: (bytes) => this.#hear(ReverseTunnel.attach.responseDeserialize(bytes)),
      over: (error) => this.end(error ?? new PosternError('unavailable', `proxy ${proxy} ended the tunnel`)),
    });
    this.#tell({ frame: { $case: 'hello', value: { version, resourceIds: [...resourceIds], opensLines: true } } });
    // Asked for while the connection was made.
    if (this.#retired) this.#tell({ frame: { $case: 'drain', value: {} } });
  }

  #hear({ frame }: ProxyFrame): void {
    if (frame?.$case === 'hello') {
      this.#proxyId = frame.value.proxyId;
      this.#spread(frame.value.spread ?? NOTHING_TO_SHARE);
      this.#settleAttached(this.#proxyId);
      this.#refill();
    } else if (frame?.$case === 'openCarries') {
      this.#wanted = Math.min(this.#options.limits.idleCarriesPerAgent, IDLE_CARRIES + Math.max(0, frame.value.count));
      this.#refill();
    } else if (frame?.$case === 'openLines') {
      this.#openLines(frame.value.tokens);
    } else if (frame?.$case === 'spread') {
      this.#spread(frame.value);
    } else if (frame?.$case === 'drain') {
      this.retire();
    }
  }

  #spread({ ms, quietMs }: Spread): void {
    const { maxSpreadMs, heartbeatMs } = this.#options.limits;
    this.#spreadMs = Math.min(Math.max(ms, 0), maxSpreadMs);
    this.#heartbeatMs = heartbeatMs + Math.min(Math.max(quietMs, 0), maxSpreadMs);
  }

  #tell(frame: AgentFrame): void {
    if (this.#over || this.#attach === undefined || this.#attach.stream.writableNeedDrain) return;
    this.#attach.write(ReverseTunnel.attach.requestSerialize(frame));
  }

  #after(ms: number, act: () => void): NodeJS.Timeout {
    const timer = setTimeout(act, ms);
    this.#timers.push(timer);
    return timer;
  }

  #refill(): void {
    while (!this.#over && !this.#retired && this.#proxyId !== '' && this.#idle.size < this.#wanted && this.#openCarry());
  }

  #openLines(tokens: readonly Uint8Array[]): void {
    for (const token of tokens) if (this.#sessions < this.#options.limits.carriesPerAgent) this.#lines.open(Buffer.from(token));
  }

  /** That there are, or could be at once. */
  get #sessions(): number {
    return this.#idle.size + this.#busy + this.#lines.count;
  }

  #openCarry(): boolean {
    const { limits } = this.#options;
    if (this.#sessions >= limits.carriesPerAgent) return false;
    const room = limits.streamsPerTunnelConnection - SPARE_STREAMS;
    const free = [...this.#connections].find(({ streams }) => streams < room);
    if (free?.connection.isReady) {
      this.#carry(free);
      return true;
    }
    if (free !== undefined || this.#connections.size >= MAX_CONNECTIONS) return false;
    this.#connect().connection.ready.then(
      () => this.#refill(),
      () => this.#refillLater(),
    );
    return false;
  }

  #carry(connection: TunnelConnection): void {
    const call = connection.connection.open(ReverseTunnel.carry.path);
    connection.streams += 1;
    this.#idle.add(call);
    let taken = false;
    call.onClose(() => {
      if (taken) this.#busy -= 1;
      this.#idle.delete(call);
      connection.streams -= 1;
      // A stream that ended before a dial was refused: asking again at once would be a loop. And what closes all streams may have
      // closed the connection, which is heard of in a moment.
      if (taken) setImmediate(() => this.#refill());
      else this.#refillLater();
      this.#endWhereRetired();
    });
    firstMessage(call, NEVER, 'the proxy').then(
      (message) => {
        if (call.closed) return;
        taken = true;
        this.#idle.delete(call);
        this.#busy += 1;
        this.#wanted = Math.max(this.#wanted, IDLE_CARRIES);
        this.#answer(call, message);
        this.#refill();
      },
      () => call.reset(),
    );
  }

  #refillLater(): void {
    if (!this.#retired && !this.#over) this.#after(REFILL_AFTER_FAILURE_MS, () => this.#refill()).unref();
  }

  #answer(call: RawCall, message: Buffer): void {
    let dial: Dial;
    try {
      dial = readDial(message);
    } catch {
      return call.reset();
    }
    const refusal = this.#options.serves(dial.resourceId);
    call.write(writeAnswer(refusal));
    if (refusal !== undefined) return call.end();
    const stream = byteStream(call, { remoteAddress: dial.clientAddress, stallMs: this.#options.limits.stallMs });
    if (dial.head.length > 0) stream.unshift(dial.head);
    this.#options.onConnection(stream, { resourceId: dial.resourceId, clientAddress: dial.clientAddress, proxyId: this.#proxyId });
  }

  #endWhereRetired(): void {
    if (this.#retired && !this.#expectsDials && this.#busy + this.#lines.busyCount === 0) this.end();
  }
}
