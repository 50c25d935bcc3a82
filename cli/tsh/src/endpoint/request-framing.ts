import { CHUNKED, ChunkedDecoder, HeadCollector, type HeadLimits, parseRequestHead, type RequestHead } from '@postern/http';

/** What a piece of a connection's bytes begins with. */
export type Part =
  /** A request's head, of which `bytes` are whole. */
  | { readonly kind: 'head'; readonly head: RequestHead; readonly bytes: Buffer; readonly text: string }
  /** Bytes of the body of the request whose head came before. */
  | { readonly kind: 'body'; readonly bytes: Buffer };

/**
 * Finds where each request of a connection begins and ends, so that the next may go elsewhere. It reads by the grammar that the agent
 * reads by, so that both find the same requests, and the bytes of bodies are lent, not copied.
 */
export class RequestFraming {
  readonly #limits: HeadLimits;
  readonly #head: HeadCollector;
  /** Of the body that is under way. */
  #left = 0;
  #chunks: ChunkedDecoder | undefined;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
    this.#head = new HeadCollector(limits.maxBytes);
  }

  /** Nothing of a request is under way. */
  get between(): boolean {
    return this.#left === 0 && this.#chunks === undefined && !this.#head.isPartial;
  }

  /** The parts that `piece` holds, in order. Throws HttpFault where it is no HTTP/1.1. */
  *parts(piece: Buffer): Generator<Part> {
    let at = 0;
    while (at < piece.length) {
      if (this.#left > 0 || this.#chunks !== undefined) {
        const to = this.#bodyTo(piece, at);
        yield { kind: 'body', bytes: piece.subarray(at, to) };
        at = to;
        continue;
      }
      const isWhole = !this.#head.isPartial;
      const text = this.#head.take(piece, at);
      if (text === undefined) return;
      const { endsAt } = this.#head;
      const head = parseRequestHead(text, this.#limits);
      this.#left = head.length === CHUNKED ? 0 : head.length;
      this.#chunks = head.length === CHUNKED ? new ChunkedDecoder() : undefined;
      yield { kind: 'head', head, text, bytes: isWhole ? piece.subarray(at, endsAt) : Buffer.from(text, 'latin1') };
      at = endsAt;
    }
  }

  #bodyTo(piece: Buffer, at: number): number {
    if (this.#chunks === undefined) {
      const to = Math.min(piece.length, at + this.#left);
      this.#left -= to - at;
      return to;
    }
    const to = this.#chunks.read(piece, at);
    if (this.#chunks.isDone) this.#chunks = undefined;
    return to;
  }
}
