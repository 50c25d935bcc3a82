import type { RequestHead } from '#grammar/parse-head.ts';

/** Why a body will not be whole. `late` is too long in all, `idle` too long between two pieces. */
export type BodyFailure = 'idle' | 'late' | 'malformed' | 'client_gone';

/** Takes a request's body as it comes. Called synchronously for what is already there. */
export interface BodySink {
  /** The client may say nothing for as long as it likes between two pieces: somebody else's limit ends it. */
  readonly mayRest?: boolean;
  /** Asked now and then while the client is waited for: true, and the body has failed as `late`, since it comes too slowly. */
  isLate?(): boolean;
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

/** One request and its answer, whichever HTTP they are spoken in. */
export interface Exchange<C = unknown> {
  readonly head: RequestHead;
  readonly context: C;
  /** Its answer has no bytes of HTTP/1.1's wire: a head (`begin`) and content (`write`). */
  readonly isHttp2: boolean;
  /** The answer's head has been written. */
  readonly started: boolean;
  readonly isGone: boolean;
  /** The connection ends with this answer, so that the answer has to say so. */
  readonly closesAfter: boolean;
  observer: AnswerObserver | undefined;
  /** What stands behind this request is no request: to be called where the client may mean something else by it. */
  readNoMore(): void;
  /** Tells a client that waits for it to send the body; nothing is decided about this by the door. */
  sayContinue(): void;
  /** Once, or again to replace the sink. */
  readBody(sink: BodySink): void;
  pauseBody(): void;
  resumeBody(): void;
  /** A whole answer. `fields` is flat and says the body's length. */
  answer(status: number, fields: readonly string[], body: Buffer): void;
  /** The head of an answer whose content is written behind it. */
  begin(status: number, reason: string | undefined, fields: readonly string[]): void;
  /** Bytes of an answer; of HTTP/1.1 the head may be among them. False: wait for `onDrain`. */
  write(bytes: Buffer): boolean;
  /** The answer is complete. */
  end(): void;
  /** The answer will not be complete, and the client sees so. */
  cut(): void;
}
