import { constants, type ServerHttp2Stream } from 'node:http2';
import type { AnswerObserver, BodyFailure, BodySink, Exchange } from '#door/exchange.ts';
import { http2Headers } from '#grammar/http2-head.ts';
import type { RequestHead } from '#grammar/parse-head.ts';

/** What an exchange needs of the connection that its stream belongs to. */
export interface Http2ExchangeConnection<C> {
  readonly context: C;
  readonly tick: number;
  /** No further stream is taken; those that are open come to their end. */
  closeSoon(): void;
}

export interface Http2ExchangeRules {
  readonly bodyIdleTicks: number;
  readonly bodyTicks: number;
  readonly stallTicks: number;
}

/** One request of HTTP/2 and its answer: a stream of its own, so that nothing of it can be taken for another's. */
export class Http2Exchange<C = unknown> implements Exchange<C> {
  readonly isHttp2 = true;
  /** The stream ends by itself, and the connection with it only after a refusal that says so. */
  readonly closesAfter = false;
  readonly head: RequestHead;
  readonly #stream: ServerHttp2Stream;
  readonly #connection: Http2ExchangeConnection<C>;
  #sink: BodySink | undefined;
  #isReading = false;
  #isPaused = false;
  #failure: BodyFailure | undefined;
  #bodyDone: boolean;
  #continued = false;
  #noMore = false;
  #isGone = false;
  #started = false;
  #ended = false;
  readonly #bodySince: number;
  #since: number;
  /** Bytes of the answer wait since then for a client that takes none. */
  #stalledSince: number | undefined;
  observer: AnswerObserver | undefined;

  constructor(head: RequestHead, stream: ServerHttp2Stream, connection: Http2ExchangeConnection<C>) {
    this.head = head;
    this.#stream = stream;
    this.#connection = connection;
    this.#bodyDone = head.length === 0;
    this.#since = connection.tick;
    this.#bodySince = connection.tick;
    stream.on('drain', () => this.#onDrain());
    stream.on('close', () => this.#onClose());
  }

  get context(): C {
    return this.#connection.context;
  }
  get started(): boolean {
    return this.#started;
  }
  get isGone(): boolean {
    return this.#isGone;
  }

  readNoMore(): void {
    this.#noMore = true;
  }

  sayContinue(): void {
    if (!this.head.expectsContinue || this.#continued || this.#started || this.#isGone || this.#stream.closed) return;
    this.#continued = true;
    this.#stream.additionalHeaders({ ':status': 100 });
  }

  readBody(sink: BodySink): void {
    if (this.#failure !== undefined) return sink.onFailed(this.#failure);
    if (this.#bodyDone && this.#sink === undefined) return sink.onEnd();
    this.#sink = sink;
    this.#since = this.#connection.tick;
    this.resumeBody();
    if (this.#isReading) return;
    this.#isReading = true;
    this.#stream.on('data', (piece: Buffer) => this.#onData(piece));
    this.#stream.on('end', () => this.#onEnd());
  }

  pauseBody(): void {
    this.#isPaused = true;
    this.#stream.pause();
  }

  resumeBody(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#since = this.#connection.tick;
    this.#stream.resume();
  }

  #onData(piece: Buffer): void {
    this.#since = this.#connection.tick;
    this.#sink?.onData(piece);
  }

  /** A stream that was reset ends as one that is complete does, but for this. */
  #onEnd(): void {
    if (this.#stream.aborted || this.#stream.closed) return this.failBody('client_gone');
    this.#bodyDone = true;
    this.#sink?.onEnd();
  }

  failBody(why: BodyFailure): void {
    if (this.#bodyDone || this.#failure !== undefined) return;
    this.#failure = why;
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.onFailed(why);
  }

  answer(status: number, fields: readonly string[], body: Buffer): void {
    this.begin(status, undefined, fields);
    if (this.#mayHaveBody(status) && body.length > 0) this.write(body);
    this.end();
  }

  begin(status: number, _reason: string | undefined, fields: readonly string[]): void {
    this.#started = true;
    if (this.#isGone) return;
    const headers = http2Headers({ ':status': status }, fields);
    try {
      this.#stream.respond(headers, { endStream: !this.#mayHaveBody(status) });
    } catch {
      // Two of what may stand once, or what no field of HTTP/2 may hold.
      this.cut();
    }
  }

  write(bytes: Buffer): boolean {
    const stream = this.#stream;
    if (this.#isGone || !stream.writable) return true;
    if (stream.write(bytes)) return true;
    this.#stalledSince ??= this.#connection.tick;
    return false;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const stream = this.#stream;
    // Whoever still sends a body is told that nobody reads it, behind the whole answer (RFC 9113 8.1).
    if (!this.#bodyDone) stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR));
    if (stream.writable) stream.end();
    if (this.#noMore) this.#connection.closeSoon();
  }

  /** Destroyed and not closed: node:http2 would end what it closes in good order first, and half an answer would pass for a whole one. */
  cut(): void {
    this.#stream.destroy(new Error('the answer is cut'));
  }

  #mayHaveBody(status: number): boolean {
    return this.head.method !== 'HEAD' && status !== 204 && status !== 304;
  }

  #onDrain(): void {
    this.#stalledSince = undefined;
    this.observer?.onDrain();
  }

  #onClose(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.failBody('client_gone');
    if (!this.#ended) this.observer?.onGone();
  }

  sweep({ bodyIdleTicks, bodyTicks, stallTicks }: Http2ExchangeRules): void {
    const { tick } = this.#connection;
    if (this.#stalledSince !== undefined && tick - this.#stalledSince >= stallTicks) return this.cut();
    if (this.#sink === undefined || this.#isPaused || this.#bodyDone) return;
    if (tick - this.#since >= bodyIdleTicks && this.#sink.mayRest !== true) this.failBody('idle');
    else if (tick - this.#bodySince >= bodyTicks || this.#sink.isLate?.() === true) this.failBody('late');
  }
}
