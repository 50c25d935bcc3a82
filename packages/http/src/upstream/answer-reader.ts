import { ChunkedDecoder } from '#grammar/chunked-decoder.ts';
import { CHUNKED, UNSAID } from '#grammar/fields.ts';
import { HeadCollector } from '#grammar/head-collector.ts';
import { HttpFault } from '#grammar/http-fault.ts';
import { type AnswerHead, type HeadLimits, parseAnswerHead } from '#grammar/parse-head.ts';
import type { AnswerHandler } from '#upstream/flight.ts';

/** A server says "100 Continue" or "103 Early Hints" a few times; one that goes on is not answering. */
const MAX_INTERIM = 8;

/** Reads the answers of one connection, one at a time. It never guesses: what is not understood throws HttpFault. */
export class AnswerReader {
  readonly #limits: HeadLimits;
  readonly #collector: HeadCollector;
  #method = '';
  #handler: AnswerHandler | undefined;
  #head: AnswerHead | undefined;
  #chunks: ChunkedDecoder | undefined;
  #left = 0;
  #bytes = 0;
  #interim = 0;
  isDone = true;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
    this.#collector = new HeadCollector(limits.maxBytes);
  }

  start(method: string, handler: AnswerHandler): void {
    this.#method = method;
    this.#handler = handler;
    this.#head = undefined;
    this.#chunks = undefined;
    this.#bytes = 0;
    this.#interim = 0;
    this.isDone = false;
  }

  /** Nobody listens any more: nothing further is handed on, not even of the piece that is being read. */
  stop(): void {
    this.#handler = undefined;
  }

  /** Undefined until it is whole. */
  get head(): AnswerHead | undefined {
    return this.#head;
  }

  /** Bytes of content so far. */
  get bytes(): number {
    return this.#chunks?.dataBytes ?? this.#bytes;
  }

  /** Hands on what `piece` holds of the answer; returns the index behind it, which is the end of the piece unless the answer ended first. */
  read(piece: Buffer): number {
    const handler = this.#handler;
    if (handler === undefined) return 0;
    let from = 0;
    let at = 0;
    let headBytes = 0;
    while (this.#head === undefined) {
      from = at;
      const wasPartial = this.#collector.isPartial;
      const text = this.#collector.take(piece, at);
      if (text === undefined) return piece.length;
      at = this.#collector.endsAt;
      const head = parseAnswerHead(text, this.#method, this.#limits);
      if (head.status < 200) {
        this.#skip(head);
        handler.onInterim?.(head.status);
        if (this.#handler === undefined) return piece.length;
        continue;
      }
      this.#begin(head, handler);
      handler.onHead(head);
      if (this.#handler === undefined) return piece.length;
      headBytes = text.length;
      if (wasPartial) {
        handler.onWire(Buffer.from(text, 'latin1'), headBytes);
        headBytes = 0;
        from = at;
      }
    }
    const to = this.#body(piece, at, handler);
    if (to > from) this.#handler?.onWire(from === 0 && to === piece.length ? piece : piece.subarray(from, to), headBytes);
    return to;
  }

  /** The connection has ended in good order. True where that is how the answer was to end. */
  endsHere(): boolean {
    if (this.#head === undefined || this.#left !== UNSAID || this.isDone) return false;
    this.isDone = true;
    return true;
  }

  #skip({ status, keepsAlive }: AnswerHead): void {
    // Nobody asked for another protocol.
    if (status === 101) throw new HttpFault('the server changes to another protocol');
    // What stands behind it is no answer of the same connection any more.
    if (!keepsAlive) throw new HttpFault('the server ends the connection with an interim answer');
    this.#interim += 1;
    if (this.#interim > MAX_INTERIM) throw new HttpFault('the server says again and again that it will answer');
  }

  #begin(head: AnswerHead, handler: AnswerHandler): void {
    this.#head = head;
    this.#left = head.length;
    const sink = { onData: (bytes: Buffer, from: number, to: number) => this.#handler?.onData?.(bytes.subarray(from, to)) };
    if (head.length === CHUNKED) this.#chunks = new ChunkedDecoder(handler.wantsData ? sink : undefined);
    this.isDone = head.length === 0;
  }

  #body(piece: Buffer, at: number, handler: AnswerHandler): number {
    if (this.isDone) return at;
    if (this.#chunks !== undefined) {
      const to = this.#chunks.read(piece, at);
      this.isDone = this.#chunks.isDone;
      return to;
    }
    const to = this.#left === UNSAID ? piece.length : Math.min(piece.length, at + this.#left);
    if (this.#left !== UNSAID) this.#left -= to - at;
    this.#bytes += to - at;
    this.isDone = this.#left === 0;
    if (handler.wantsData && to > at) handler.onData?.(piece.subarray(at, to));
    return to;
  }
}
