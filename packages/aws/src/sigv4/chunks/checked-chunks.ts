import type { BodyTransform } from '#sigv4/chunks/body-transform.ts';
import { ChunkReader } from '#sigv4/chunks/chunk-reader.ts';
import { readTrailers } from '#sigv4/chunks/trailers.ts';
import { refuse, type SignatureRefusal } from '#sigv4/signature-refusal.ts';

export type CheckedChunksOptions = {
  readonly contentLength: number;
  readonly trailers: readonly string[];
  readonly send: (bytes: Buffer) => void;
};

const silent = { onData: (): void => undefined, onChunk: (): undefined => undefined };

/**
 * STREAMING-UNSIGNED-PAYLOAD-TRAILER: nothing of the body is signed, so its bytes go on as they are; they are only read along, because
 * what is not well-formed could be one thing here and another at AWS. The last piece waits for the end.
 */
export class CheckedChunks implements BodyTransform {
  readonly #options: CheckedChunksOptions;
  readonly #reader: ChunkReader;
  #held: Buffer | undefined;
  #refusal: SignatureRefusal | undefined;

  constructor(options: CheckedChunksOptions) {
    this.#options = options;
    this.#reader = new ChunkReader({ areSigned: false, hasTrailer: true, contentLength: options.contentLength }, silent);
  }

  get contentBytes(): number {
    return this.#reader.contentBytes;
  }

  write(piece: Buffer): SignatureRefusal | undefined {
    this.#refusal ??= this.#reader.read(piece);
    if (this.#refusal !== undefined) return this.#refusal;
    // an empty piece is no last piece
    if (piece.length === 0) return undefined;
    if (this.#held !== undefined) this.#options.send(this.#held);
    this.#held = piece;
    return undefined;
  }

  end(): SignatureRefusal | undefined {
    this.#refusal ??= this.#judge();
    if (this.#refusal === undefined && this.#held !== undefined) this.#options.send(this.#held);
    this.#held = undefined;
    return this.#refusal;
  }

  #judge(): SignatureRefusal | undefined {
    const ended = this.#reader.end();
    if ('refusal' in ended) return ended;
    const trailers = readTrailers(ended.behind, this.#options.trailers);
    if ('refusal' in trailers) return trailers;
    return trailers.signature === undefined ? undefined : refuse('bad_request', 'an unsigned body cannot have a signed trailer');
  }
}
