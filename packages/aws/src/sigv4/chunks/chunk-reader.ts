import { limits } from '@postern/limits';
import { refuse, type SignatureRefusal } from '#sigv4/signature-refusal.ts';

/** Hears of the chunks of a body in order. */
export interface ChunkSink {
  /** Part of a chunk's content; `bytes` may be kept. */
  onData(bytes: Buffer, from: number, to: number): void;
  /** The chunk is complete; `size` 0 is the last. `signature` as it stands in its header, '' where chunks are not signed. */
  onChunk(size: number, signature: string): SignatureRefusal | undefined;
}

export type ChunkReaderOptions = {
  readonly areSigned: boolean;
  readonly hasTrailer: boolean;
  /** x-amz-decoded-content-length */
  readonly contentLength: number;
};

type State = 'header' | 'data' | 'data-cr' | 'data-lf' | 'behind';

const CR = 0x0d;
const LF = 0x0a;
/** Leading zeros are harmless; twelve digits are 256 TiB, and exact in a double. */
const signedHeader = /^0*([0-9a-f]{1,12});chunk-signature=([0-9a-f]{16,144}\**)$/i;
const plainHeader = /^0*([0-9a-f]{1,12})()$/i;

/**
 * S3's aws-chunked coding, in any cut: `size[;chunk-signature=…]` CRLF, content, CRLF; a last chunk of size 0; lines of trailers. It copies
 * nothing but headers and trailers, and holds no more than the limits of both.
 * Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html
 */
export class ChunkReader {
  readonly #options: ChunkReaderOptions;
  readonly #sink: ChunkSink;
  #state: State = 'header';
  #text = '';
  #size = 0;
  #left = 0;
  #signature = '';
  /** Content that chunks have announced so far. */
  #announced = 0;
  contentBytes = 0;

  constructor(options: ChunkReaderOptions, sink: ChunkSink) {
    this.#options = options;
    this.#sink = sink;
  }

  read(bytes: Buffer): SignatureRefusal | undefined {
    let at = 0;
    while (at < bytes.length) {
      switch (this.#state) {
        case 'data': {
          at = this.#data(bytes, at);
          break;
        }
        case 'header': {
          const lf = bytes.indexOf(LF, at);
          const to = lf < 0 ? bytes.length : lf + 1;
          const refusal = this.#collect(bytes, at, to, limits.awsChunkHeaderBytes + 2) ?? (lf < 0 ? undefined : this.#header());
          if (refusal !== undefined) return refusal;
          at = to;
          break;
        }
        case 'behind': {
          return this.#collect(bytes, at, bytes.length, this.#options.hasTrailer ? limits.awsTrailerBytes : 2);
        }
        default: {
          const refusal = this.#lineEnd(bytes[at]);
          if (refusal !== undefined) return refusal;
          at += 1;
        }
      }
    }
    return undefined;
  }

  /** The body is complete. What stood behind the last chunk, which is `\r\n` where there are no trailers. */
  end(): { readonly behind: string } | SignatureRefusal {
    if (this.#state !== 'behind') return refuse('bad_request', 'the body ends before its last chunk');
    if (!this.#options.hasTrailer && this.#text !== '\r\n') return malformed();
    return { behind: this.#text };
  }

  #data(bytes: Buffer, at: number): number {
    const to = Math.min(bytes.length, at + this.#left);
    this.#left -= to - at;
    this.contentBytes += to - at;
    if (this.#left === 0) this.#state = 'data-cr';
    this.#sink.onData(bytes, at, to);
    return to;
  }

  #lineEnd(octet: number | undefined): SignatureRefusal | undefined {
    if (this.#state === 'data-cr') {
      this.#state = 'data-lf';
      return octet === CR ? undefined : malformed();
    }
    if (octet !== LF) return malformed();
    this.#state = 'header';
    return this.#sink.onChunk(this.#size, this.#signature);
  }

  #collect(bytes: Buffer, from: number, to: number, maxBytes: number): SignatureRefusal | undefined {
    if (this.#text.length + to - from > maxBytes) {
      return this.#state === 'header'
        ? refuse('too_large', `the header of a chunk is longer than ${limits.awsChunkHeaderBytes} bytes`)
        : this.#options.hasTrailer
          ? refuse('too_large', `the trailers of the body are longer than ${limits.awsTrailerBytes} bytes`)
          : refuse('bad_request', 'the body goes on behind its last chunk');
    }
    this.#text += bytes.toString('latin1', from, to);
    return undefined;
  }

  #header(): SignatureRefusal | undefined {
    const text = this.#text;
    this.#text = '';
    const match = text.endsWith('\r\n') ? (this.#options.areSigned ? signedHeader : plainHeader).exec(text.slice(0, -2)) : null;
    if (match === null) return malformed();
    const [, size = '', signature = ''] = match;
    this.#size = Number.parseInt(size, 16);
    this.#signature = signature;
    this.#left = this.#size;
    this.#announced += this.#size;
    const { contentLength } = this.#options;
    if (this.#announced > contentLength || (this.#size === 0 && this.#announced < contentLength))
      return refuse('bad_request', 'the chunks of the body do not add up to its x-amz-decoded-content-length');
    if (this.#size > 0) {
      this.#state = 'data';
      return undefined;
    }
    this.#state = 'behind';
    return this.#sink.onChunk(0, signature);
  }
}

function malformed(): SignatureRefusal {
  return refuse('bad_request', 'the chunks of the body are malformed');
}
