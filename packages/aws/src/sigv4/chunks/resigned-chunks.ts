import { createHash } from 'node:crypto';
import type { BodyTransform } from '#sigv4/chunks/body-transform.ts';
import { ChunkReader, type ChunkSink } from '#sigv4/chunks/chunk-reader.ts';
import { ChunkSignatures } from '#sigv4/chunks/chunk-signatures.ts';
import { FrameWriter } from '#sigv4/chunks/frame-writer.ts';
import { checksumLength } from '#sigv4/chunks/framed-length.ts';
import { canonicalTrailers, readTrailers, type Trailer } from '#sigv4/chunks/trailers.ts';
import type { SignatureChain } from '#sigv4/signature-chain.ts';
import { refuse, type SignatureRefusal } from '#sigv4/signature-refusal.ts';

export type ResignedChunksOptions = {
  /** the client's */
  readonly received: SignatureChain;
  /** ours */
  readonly signed: SignatureChain;
  readonly contentLength: number;
  readonly hasTrailer: boolean;
  /** names, see announcedTrailers */
  readonly trailers: readonly string[];
  readonly send: (bytes: Buffer) => void;
};

/**
 * Verifies each chunk of a client by a running hash, whatever its size, and writes its content in chunks of our own: a signature stands
 * before its chunk, so to keep the client's chunks would be to hold one of 5 GiB.
 */
export class ResignedChunks implements BodyTransform, ChunkSink {
  readonly #options: ResignedChunksOptions;
  readonly #reader: ChunkReader;
  readonly #received: ChunkSignatures;
  readonly #writer: FrameWriter;
  #hash = createHash('sha256');
  #refusal: SignatureRefusal | undefined;

  constructor(options: ResignedChunksOptions) {
    const { received, signed, contentLength, hasTrailer, send } = options;
    this.#options = options;
    this.#reader = new ChunkReader({ areSigned: true, hasTrailer, contentLength }, this);
    this.#received = new ChunkSignatures(received);
    this.#writer = new FrameWriter({ chain: signed, contentLength, send });
  }

  get contentBytes(): number {
    return this.#reader.contentBytes;
  }

  write(piece: Buffer): SignatureRefusal | undefined {
    this.#refusal ??= this.#reader.read(piece);
    return this.#refusal;
  }

  end(): SignatureRefusal | undefined {
    this.#refusal ??= this.#finish();
    return this.#refusal;
  }

  onData(bytes: Buffer, from: number, to: number): void {
    this.#hash.update(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
    this.#writer.add(bytes, from, to);
  }

  onChunk(size: number, signature: string): SignatureRefusal | undefined {
    const sha256 = this.#hash.digest('hex');
    this.#hash = createHash('sha256');
    if (!this.#received.verifyChunk(sha256, signature)) {
      return refuse('bad_signature', 'the chunk signature we calculated does not match the signature you provided');
    }
    if (size > 0 && size === this.#writer.filled) this.#writer.hashIs(sha256);
    return undefined;
  }

  #finish(): SignatureRefusal | undefined {
    const ended = this.#reader.end();
    if ('refusal' in ended) return ended;
    const { hasTrailer, trailers: announced } = this.#options;
    if (!hasTrailer) {
      this.#writer.end(undefined);
      return undefined;
    }
    const trailers = readTrailers(ended.behind, announced);
    if ('refusal' in trailers) return trailers;
    if (!this.#received.verifyTrailer(canonicalTrailers(trailers.lines), trailers.signature ?? '')) {
      return refuse('bad_signature', 'the trailer signature we calculated does not match the signature you provided');
    }
    const wrong = trailers.lines.find((line) => !isOfKnownLength(line));
    if (wrong !== undefined && announced.every((name) => checksumLength(name) !== undefined))
      return refuse('bad_request', `the trailer ${wrong.name} is not as long as its checksum`);
    this.#writer.end(trailers.lines);
    return undefined;
  }
}

/** The request's Content-Length has been sent on the strength of it. */
function isOfKnownLength({ name, value }: Trailer): boolean {
  return checksumLength(name) === value.length;
}
