import { CHUNKED } from '#grammar/fields.ts';
import { ChunkedDecoder, type DataSink } from '#grammar/chunked-decoder.ts';
import { HttpFault } from '#grammar/http-fault.ts';
import type { RequestHead } from '#grammar/parse-head.ts';
import { answerHead, joined } from '#grammar/write-head.ts';

/** Why a body will not be whole. `late` is too long in all, `idle` too long between two pieces. */
export type BodyFailure = 'idle' | 'late' | 'malformed' | 'client_gone';

/** Takes a request's body as it comes. Called synchronously for what is already there. */
export interface BodySink {
  onData(piece: Buffer): void;
  onEnd(): void;
  onFailed(why: BodyFailure): void;
}

/** Hears of the client while an answer is on its way. */
export interface AnswerObserver {
  /** After `write` has said false: more may be written. */
  onDrain(): void;
  /** The client has gone: nothing that is written reaches it. */
  onGone(): void;
}

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

/** One request and its answer. The next request of the connection is read when both are complete. */
export class Exchange<C = unknown> implements DataSink {
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
  get isPaused(): boolean {
    return this.#paused;
  }
  /** The answer's head has been written. */
  get started(): boolean {
    return this.#started;
  }
  get ended(): boolean {
    return this.#ended;
  }
  get isGone(): boolean {
    return this.#isGone;
  }

  /** The connection ends with this answer, so that the answer has to say so. */
  get closesAfter(): boolean {
    return (
      this.head.closes ||
      this.#noMore ||
      this.#failure !== undefined ||
      // Whether the body still comes is up to the client, and what comes could be either.
      (this.head.expectsContinue && !this.#continued && !this.#bodyDone)
    );
  }

  /** What is already read behind this request is no request: to be called where the client may mean something else by it. */
  readNoMore(): void {
    this.#noMore = true;
  }

  /** Tells a client that waits for it to send the body; nothing is decided about this by the door. */
  sayContinue(): void {
    if (!this.head.expectsContinue || this.#continued || this.#started) return;
    this.#continued = true;
    this.#connection.write(CONTINUE);
  }

  /** Once, or again to replace the sink. */
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

  /** A whole answer in one write. `fields` is flat and says the body's length. */
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

  /** Bytes of an answer, its head first. False: wait for `onDrain`. */
  write(bytes: Buffer): boolean {
    this.#started = true;
    return this.#isGone || this.#connection.write(bytes);
  }

  /** The answer is complete. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#connection.answered();
  }

  /** The answer will not be complete, and the client sees so. */
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
