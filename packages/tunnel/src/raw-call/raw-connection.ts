import type { X509Certificate } from 'node:crypto';
import { type ClientHttp2Session, connect as connectHttp2, type OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { PosternError } from '@postern/api';
import { widenSession } from '#grpc-internals.ts';
import { type TunnelLimits, tunnelLimits } from '#limits.ts';
import { lastWordsIn } from '#last-words.ts';
import { ClientRawCall } from '#raw-call/client-raw-call.ts';
import { ReceiveWindow } from '#raw-call/receive-window.ts';
import { dial, type Dialled } from '#raw-call/dial.ts';
import { secureContextOf } from '#raw-call/secure-context.ts';

export interface RawConnectionOptions {
  /** host:port */
  readonly address: string;
  readonly serverName: string;
  /** The same object for every dial with the same material: it is read once. */
  readonly context: SecureContextOptions;
  /** Which server is accepted. */
  readonly checkServer: (host: string, certificate: X509Certificate) => Error | undefined;
  readonly limits?: TunnelLimits;
  /** Between two PINGs, and for how long one may go unanswered; those of the limits where it is not given. */
  readonly keepalive?: { readonly everyMs: () => number; readonly timeoutMs: number };
  /** A way to the server other than TCP to its address: a stream through a tunnel, or a socket that has said something first. */
  readonly dial?: (signal: AbortSignal) => Promise<Duplex>;
}

const GRPC_HEADERS = { ':method': 'POST', te: 'trailers', 'content-type': 'application/grpc+proto' };

/**
 * One TLS connection to a gRPC server, for calls whose messages are bytes. Dialled once; ends once, for a reason. To
 * dial again is for whoever holds it.
 */
export class RawConnection {
  /** Settles when the server has taken the connection: its settings came, after it saw the certificate. */
  readonly ready: Promise<void>;
  readonly ended: Promise<Error>;
  readonly #options: RawConnectionOptions;
  readonly #limits: TunnelLimits;
  readonly #abort = new AbortController();
  #session: ClientHttp2Session | undefined;
  #window: ReceiveWindow | undefined;
  #socket: Duplex | undefined;
  #state: 'connecting' | 'ready' | 'draining' | 'over' = 'connecting';
  #refusal: PosternError | undefined;
  #keepalive: NodeJS.Timeout | undefined;
  #again: Dialled['again'] | undefined;
  #settleReady: () => void = () => undefined;
  #failReady: (error: Error) => void = () => undefined;
  #settleEnded: (error: Error) => void = () => undefined;

  constructor(options: RawConnectionOptions) {
    this.#options = options;
    this.#limits = options.limits ?? tunnelLimits;
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = resolve;
      this.#failReady = reject;
    });
    this.ready.catch(() => undefined);
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve;
    });
    this.#connect().catch((error: unknown) => this.end(error instanceof Error ? error : new Error(String(error))));
  }

  /** Takes new calls: it stands, and the server has not said that it leaves. */
  get isReady(): boolean {
    return this.#state === 'ready' && this.#session?.closed === false && !this.#session.destroyed;
  }

  /** What the server has said where it let nobody in: then `ready` and `ended` have it too. */
  get refusal(): PosternError | undefined {
    return this.#refusal;
  }

  /** Throws `unavailable` where the connection takes no calls. */
  open(path: string, headers: OutgoingHttpHeaders = {}): ClientRawCall {
    const session = this.#session;
    const window = this.#window;
    if (session === undefined || window === undefined || session.closed || session.destroyed)
      throw new PosternError('unavailable', `the connection to ${this.#options.address} is closed`);
    return new ClientRawCall(session.request({ ...GRPC_HEADERS, ':path': path, ...headers }), window, (error) => this.end(error));
  }

  /** Resolves when the server has answered a PING; rejects where it has not in time. */
  answers(timeoutMs: number): Promise<void> {
    const session = this.#session;
    return new Promise((resolve, reject) => {
      const silent = () => reject(new PosternError('unavailable', `${this.#options.address} has not answered for ${timeoutMs} ms`));
      const timer = setTimeout(silent, timeoutMs).unref();
      // One that is answered with an error is of a session that ends: its calls end with it.
      const sent = session?.destroyed === false && session.ping(() => (clearTimeout(timer), resolve()));
      if (!sent) silent();
    });
  }

  /** A bare connection to the very server that this one has reached. */
  dialAgain(signal: AbortSignal): Promise<Socket> {
    const { address } = this.#options;
    return this.#again?.(signal) ?? Promise.reject(new PosternError('unavailable', `${address} has not been reached by TCP`));
  }

  /** Ends it with everything on it. */
  end(error: Error = new PosternError('unavailable', 'the connection was closed')): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    clearTimeout(this.#keepalive);
    // With a reason of its own: without one Node makes an exception with its stack, which was an eighth of what a lost proxy cost.
    this.#abort.abort(error);
    this.#session?.destroy();
    this.#socket?.destroy();
    this.#failReady(error);
    this.#settleEnded(error);
  }

  async #connect(): Promise<void> {
    const raw = await this.#dial();
    this.#socket = raw;
    if (this.#state === 'over') return void raw.destroy();
    const socket = await this.#secure(raw);
    const { serverName } = this.#options;
    const session = connectHttp2(`https://${serverName}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: this.#limits.streamWindowBytes, maxHeaderListSize: this.#limits.maxMetadataBytes },
      // Each stream is bounded by its window. Node's own 10 MB would refuse streams in the middle of a busy time.
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
    });
    this.#session = session;
    this.#window = new ReceiveWindow(session, this.#limits);
    if (this.#state !== 'connecting') return session.destroy();
    widenSession(session);
    session.once('remoteSettings', () => {
      // A server that lets nobody in says so right behind its settings.
      setImmediate(() => {
        if (this.#state !== 'connecting') return;
        this.#state = 'ready';
        this.#window?.sample();
        this.#settleReady();
      });
    });
    // The server leaves; what is open goes on until it is done or cut. Node (24) would answer with a graceful close in which it may
    // never notice that the connection below is gone.
    session.close = () => undefined;
    session.once('goaway', (_code: number, _lastStream: number, words?: Uint8Array) => {
      this.#refusal = lastWordsIn(words);
      if (this.#refusal !== undefined) return this.end(this.#refusal);
      if (this.#state === 'ready') this.#state = 'draining';
    });
    session.once('error', (error) => this.end(error));
    session.once('close', () => this.end(new PosternError('unavailable', `the connection to ${this.#options.address} was lost`)));
    this.#beat(session);
  }

  async #dial(): Promise<Duplex> {
    const { address, dial: otherWay } = this.#options;
    if (otherWay !== undefined) return await otherWay(this.#abort.signal);
    const { socket, again } = await dial(address, this.#abort.signal);
    this.#again = again;
    return socket;
  }

  #secure(raw: Duplex): Promise<TLSSocket> {
    const { serverName, context, checkServer, address } = this.#options;
    return new Promise((resolve, reject) => {
      const socket: TLSSocket = connectTls({
        socket: raw,
        servername: serverName,
        secureContext: secureContextOf(context),
        // Said, or NODE_TLS_REJECT_UNAUTHORIZED=0 of a developer's shell would have anybody's certificate do.
        rejectUnauthorized: true,
        checkServerIdentity: (host) => {
          const certificate = socket.getPeerX509Certificate();
          return certificate === undefined ? new Error('the server has shown no certificate') : checkServer(host, certificate);
        },
        ALPNProtocols: ['h2'],
      });
      this.#socket = socket;
      // Node would hand objects of the whole chain to the check above, which reads one certificate: a tenth of a handshake.
      Object.defineProperty(socket, 'getPeerCertificate', { value: () => undefined });
      const lost = () => reject(new PosternError('unavailable', `${address} closed the connection in the middle of the handshake`));
      socket.once('error', reject).once('close', lost);
      socket.once('secureConnect', () => {
        socket.off('error', reject).off('close', lost);
        if (socket.authorized && socket.alpnProtocol === 'h2') return resolve(socket);
        socket.destroy();
        const wrong = socket.authorized ? 'does not speak HTTP/2' : 'has not shown who it is';
        reject(new PosternError('unavailable', `what answered at ${address} ${wrong}`));
      });
    });
  }

  #beat(session: ClientHttp2Session): void {
    const { keepaliveMs, keepaliveTimeoutMs } = this.#limits;
    const { everyMs, timeoutMs } = this.#options.keepalive ?? { everyMs: () => keepaliveMs, timeoutMs: keepaliveTimeoutMs };
    // Not from one moment for all: where thousands are told at once to take longer, each goes on from its own last PING.
    this.#keepalive = setTimeout(() => {
      this.#ping(session, timeoutMs);
      this.#beat(session);
    }, everyMs()).unref();
  }

  /** A peer that vanished without a word is noticed by its silence. */
  #ping(session: ClientHttp2Session, timeoutMs: number): void {
    const silent = setTimeout(
      () => this.end(new PosternError('unavailable', `${this.#options.address} has gone silent`)),
      timeoutMs,
    ).unref();
    const sent = !session.destroyed && session.ping(() => clearTimeout(silent));
    if (!sent) clearTimeout(silent);
  }
}
