import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { Metadata } from '@grpc/grpc-js';
import { type CallOrigin, type PosternError, type RawServerCall, type StatusObject, statusOf } from '@postern/api';
import type { ReceiveWindow } from '#raw-call/receive-window.ts';
import { RawCall } from '#raw-call/raw-call.ts';
import { OK_TRAILERS, trailersOf } from '#raw-call/status.ts';

const HEADERS = { ':status': 200, 'content-type': 'application/grpc+proto' };

/** What is known of the connection that a call came in on. */
export interface ServedConnection {
  /** As TLS proved it. */
  readonly origin: CallOrigin;
  readonly isStranger: boolean;
  readonly window: ReceiveWindow;
  /** Of a stranger, open now. */
  calls: number;
}

/** The end that serves the call. */
export class ServerRawCall extends RawCall implements RawServerCall {
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #peer: ServedConnection;
  #metadata: Metadata | undefined;
  #trailers = OK_TRAILERS;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, peer: ServedConnection) {
    super(stream, peer.window);
    this.#stream = stream;
    this.#headers = headers;
    this.#peer = peer;
  }

  get metadata(): Metadata {
    this.#metadata ??= Metadata.fromHttp2Headers(this.#headers);
    return this.#metadata;
  }

  /** A PING of the peer on the connection below, while the call is open. The session has answered it. */
  onPing(listener: () => void): void {
    const { session } = this.#stream;
    session?.on('ping', listener);
    this.onClose(() => session?.off('ping', listener));
  }

  getPeer(): string {
    return this.#peer.origin.getPeer();
  }

  getAuthContext(): ReturnType<CallOrigin['getAuthContext']> {
    return this.#peer.origin.getAuthContext();
  }

  override end(): void {
    this.begin();
    this.stream.end();
  }

  override fail(error: PosternError): void {
    this.refuse(statusOf(error));
  }

  refuse(status: StatusObject): void {
    if (!this.closed && !this.stream.writableEnded) {
      if (this.#stream.headersSent) {
        this.#trailers = trailersOf(status);
        this.stream.end();
      } else this.#stream.respond({ ...HEADERS, ...trailersOf(status) }, { endStream: true });
    }
    this.giveUp();
  }

  protected override begin(): void {
    if (this.#stream.headersSent || this.closed) return;
    this.#stream.respond(HEADERS, { waitForTrailers: true });
    this.#stream.once('wantTrailers', () => this.#stream.sendTrailers(this.#trailers));
  }

  /** What `implement` of @postern/api hands to a handler, as what it is. */
  static of(call: RawServerCall): ServerRawCall {
    if (call instanceof ServerRawCall) return call;
    throw new TypeError('a call of raw bytes is served through a GrpcTlsServer');
  }

  protected override outcome(): PosternError | undefined {
    return undefined;
  }
}
