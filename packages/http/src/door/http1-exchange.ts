import type { AnswerObserver, BodyFailure, BodySink, Exchange } from '#door/exchange.ts';
import { CHUNKED } from '#grammar/fields.ts';
import { ChunkedDecoder, type DataSink } from '#grammar/chunked-decoder.ts';
import { HttpFault } from '#grammar/http-fault.ts';
import type { RequestHead } from '#grammar/parse-head.ts';
import { answerHead, joined } from '#grammar/write-head.ts';

/** What an exchange needs of the connection below it. */
export interface ExchangeConnection<C> {
  readonly context: C;
  /** Gives the sink what is already read, and lets the stream flow. */
  feed(): void;
  pause(): void;
  write(bytes: Buffer): boolean;
  answered(): void;
  destroy(): void;
}

const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');
/** Below this an answer is copied together with its head: one write costs more than a few kilobytes. */
const SMALL_BYTES = 64 * 1024;

/** One request of HTTP/1.1 and its answer. The next request of the connection is read when both are complete. */
export class Http1Exchange<C = unknown> implements Exchange<C>, DataSink {
  readonly isHttp2 = false;
  readonly head: RequestHead;
  readonly #connection: ExchangeConnection<C>;
  readonly #decoder: ChunkedDecoder | undefined;
  #left: number;
  #sink: BodySink | undefined;
  #failure: BodyFailure | undefined;
  #bodyDone: boolean;
  #paused = false;
  #continued = false;
  #noMore = false;
  #isGone = false;
  #started = false;
  #ended = false;
  observer: AnswerObserver | undefined;

  constructor(head: RequestHead, connection: ExchangeConnection<C>) {
    this.head = head;
    this.#connection = connection;
    this.#left = head.length;
    this.#bodyDone = head.length === 0;
    this.#decoder = head.length === CHUNKED ? new ChunkedDecoder(this) : undefined;
  }

  get context(): C {
    return this.#connection.context;
  }
  get bodyDone(): boolean {
    return this.#bodyDone;
  }
  /** Somebody takes the body now. */
  get takesBody(): boolean {
    return this.#sink !== undefined && !this.#paused && !this.#bodyDone;
  }
  /** See BodySink. */
  get mayRest(): boolean {
    return this.#sink?.mayRest === true;
  }
  isLate(): boolean {
    return this.#sink?.isLate?.() === true;
  }
  get isPaused(): boolean {
    return this.#paused;
  }
  get started(): boolean {
    return this.#started;
  }
  get ended(): boolean {
    return this.#ended;
  }
  get isGone(): boolean {
    return this.#isGone;
  }

  get closesAfter(): boolean {
    return (
      this.head.closes ||
      this.#noMore ||
      this.#failure !== undefined ||
      // Whether the body still comes is up to the client, and what comes could be either.
      (this.head.expectsContinue && !this.#continued && !this.#bodyDone)
    );
  }

  readNoMore(): void {
    this.#noMore = true;
  }

  sayContinue(): void {
    if (!this.head.expectsContinue || this.#continued || this.#started) return;
    this.#continued = true;
    this.#connection.write(CONTINUE);
  }

  readBody(sink: BodySink): void {
    if (this.#failure !== undefined) return sink.onFailed(this.#failure);
    if (this.#isGone && !this.#bodyDone) return sink.onFailed('client_gone');
    if (this.#bodyDone && this.#sink === undefined) return sink.onEnd();
    this.#sink = sink;
    this.#paused = false;
    this.#connection.feed();
  }

  pauseBody(): void {
    this.#paused = true;
    this.#connection.pause();
  }

  resumeBody(): void {
    this.#paused = false;
    this.#connection.feed();
  }

  /** For the connection: reads on from `at`, and returns the index behind the last byte of the body. */
  takeBody(bytes: Buffer, at: number): number {
    if (this.#decoder !== undefined) return this.#takeChunks(this.#decoder, bytes, at);
    const to = Math.min(bytes.length, at + this.#left);
    this.#left -= to - at;
    this.onData(bytes, at, to);
    if (this.#left === 0) this.#endBody();
    return to;
  }

  #takeChunks(decoder: ChunkedDecoder, bytes: Buffer, at: number): number {
    try {
      const to = decoder.read(bytes, at);
      if (decoder.isDone) this.#endBody();
      return to;
    } catch (error) {
      if (!(error instanceof HttpFault)) throw error;
      this.failBody('malformed');
      return bytes.length;
    }
  }

  onData(bytes: Buffer, from: number, to: number): void {
    this.#sink?.onData(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
  }

  #endBody(): void {
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

  /** In one write where it is small. */
  answer(status: number, fields: readonly string[], body: Buffer): void {
    const head = answerHead(status, undefined, this.closesAfter ? [...fields, 'connection', 'close'] : fields);
    const sent = this.head.method === 'HEAD' ? body.subarray(0, 0) : body;
    if (sent.length <= SMALL_BYTES) this.write(joined(head, sent));
    else {
      this.write(Buffer.from(head, 'latin1'));
      this.write(sent);
    }
    this.end();
  }

  begin(status: number, reason: string | undefined, fields: readonly string[]): void {
    this.write(Buffer.from(answerHead(status, reason, fields), 'latin1'));
  }

  write(bytes: Buffer): boolean {
    this.#started = true;
    return this.#isGone || this.#connection.write(bytes);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#connection.answered();
  }

  cut(): void {
    this.#connection.destroy();
  }

  /** For the connection. */
  gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.failBody('client_gone');
    if (!this.#ended) this.observer?.onGone();
  }
}
