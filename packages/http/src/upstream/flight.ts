import type { AnswerHead } from '#grammar/parse-head.ts';

/** A request as it is to leave; how it is framed is up to what carries it. */
export interface UpstreamRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Flat; Host and, for HTTP/1.1, the frame of the body included. */
  readonly fields: readonly string[];
  /** The body, or its first part where more is written later. */
  readonly body: Buffer;
  /** The rest of the body comes by `Flight.write`, as bytes of the wire: the fields have said how it ends. */
  readonly isStreamed?: boolean;
}

/** A request on its way, for whoever sent it. */
export interface Flight {
  /** Holds the server back, and lets it go on. */
  pause(): void;
  resume(): void;
  /** Bytes of a streamed body; false: wait for `onDrain`. */
  write(bytes: Buffer): boolean;
  endRequest(): void;
  /** Nobody wants the answer any more. A body that is not complete never will be. */
  abort(reason: string): void;
}

/** What requests are sent to. */
export interface Upstream {
  /** Bodies are framed by the protocol below: what is written is content. */
  readonly isHttp2: boolean;
  /** Requests under way. */
  readonly inFlight: number;
  /** Sends a request once. Nothing of the handler is called before this returns. */
  send(request: UpstreamRequest, handler: AnswerHandler): Flight;
}

export type UpstreamCode =
  /** No connection could be had: name, address, TCP or certificate. */
  | 'unreachable'
  | 'connect_timeout'
  /** As many connections as there may be, and none became free in time. The reason says what to do. */
  | 'none_free'
  | 'headers_timeout'
  | 'idle_timeout'
  /** The connection broke or ended before the answer was whole. */
  | 'closed'
  /** What came is no HTTP as it is spoken here. */
  | 'malformed'
  /** By the caller. */
  | 'aborted';

export interface UpstreamFailure {
  readonly code: UpstreamCode;
  /** In words, with the system's own code. */
  readonly reason: string;
  /** A byte of the request may have left: only where this is false has nobody acted on it. */
  readonly mayHaveLeft: boolean;
  /** Of the answer's content that had come. */
  readonly bytes: number;
}

/**
 * Hears of one answer: the head, its bytes in order, then the end or a failure, of which exactly one comes and comes last.
 * Methods are called from within the socket's events.
 */
export interface AnswerHandler {
  /** Content is wanted apart from the bytes of the wire: `onData` is called. */
  readonly wantsData: boolean;
  /** "100 Continue", "103 Early Hints": more is to come. */
  onInterim?(status: number): void;
  onHead(head: AnswerHead): void;
  /**
   * The answer as it came, chunk sizes included, and checked. The first piece starts with the head, which is `headBytes` long;
   * `headBytes` is 0 in all others. Pieces are the reader's own memory and may be kept.
   */
  onWire(bytes: Buffer, headBytes: number): void;
  onData?(piece: Buffer): void;
  /** More of a streamed body may be written. Called first when the head is written. */
  onDrain?(): void;
  /** The answer is whole; `bytes` is the size of its content. */
  onEnd(bytes: number): void;
  onFailed(failure: UpstreamFailure): void;
}

/** What a flight needs of the connection that carries it. */
export interface FlightConnection {
  readonly answerBytes: number;
  pause(): void;
  resume(): void;
  write(bytes: Buffer): boolean;
  endRequest(): void;
  abort(): void;
}

/** It is written once, on one connection, and never again. `R` is what that connection writes. */
export class PooledFlight<R> implements Flight {
  readonly request: R;
  readonly handler: AnswerHandler;
  readonly #unqueue: (flight: PooledFlight<R>) => void;
  readonly #settled: () => void;
  #connection: FlightConnection | undefined;
  #isSettled = false;
  /** The first byte is about to be written, or has been, and nobody has said that it was not looked at. */
  mayHaveLeft = false;

  constructor(
    request: R,
    handler: AnswerHandler,
    hooks: { readonly unqueue: (flight: PooledFlight<R>) => void; readonly settled: () => void },
  ) {
    this.request = request;
    this.handler = handler;
    this.#unqueue = hooks.unqueue;
    this.#settled = hooks.settled;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  pause(): void {
    this.#connection?.pause();
  }
  resume(): void {
    this.#connection?.resume();
  }

  write(bytes: Buffer): boolean {
    return this.#connection?.write(bytes) ?? false;
  }
  endRequest(): void {
    this.#connection?.endRequest();
  }

  abort(reason: string): void {
    if (this.#isSettled) return;
    const connection = this.#connection;
    if (connection === undefined) this.#unqueue(this);
    const bytes = connection?.answerBytes ?? 0;
    connection?.abort();
    this.fail('aborted', reason, bytes);
  }

  /** For the pool and its connections. */
  startOn(connection: FlightConnection): void {
    this.#connection = connection;
    this.mayHaveLeft = true;
  }

  end(bytes: number): void {
    if (!this.#settle()) return;
    this.handler.onEnd(bytes);
  }

  fail(code: UpstreamCode, reason: string, bytes = 0): void {
    if (!this.#settle()) return;
    this.handler.onFailed({ code, reason, mayHaveLeft: this.mayHaveLeft, bytes });
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.#connection = undefined;
    this.#settled();
    return true;
  }
}
