import { AwsError } from '#protocols/aws-error.ts';
import type { BodyDecoder } from '#exchange/read-body.ts';
import type { ChunkChain } from '#sigv4/chunk-chain.ts';

export interface AwsChunkedOptions {
  /** Undefined where the chunks carry no signatures. */
  readonly chain: ChunkChain | undefined;
  /** Whether a trailer must stand at the end. */
  readonly trailer: boolean;
  /** Each run of the body's own bytes. */
  readonly onData: (data: Buffer) => void;
}

const maxLineBytes = 4096;
const maxTrailerLines = 16;
/** Of every chunk but the last. Source: S3 API reference, "Transferring payload in multiple chunks". */
const minChunkBytes = 8192;

/**
 * Takes a body in the content encoding aws-chunked apart, in pieces of any size, and judges each chunk as it ends:
 * `HEX-SIZE[;chunk-signature=SIGNATURE]\r\nDATA\r\n`, a last one of size 0, and a trailer of `name:value\r\n` lines before an empty one.
 */
export class AwsChunked implements BodyDecoder {
  readonly #options: AwsChunkedOptions;
  #state: 'size' | 'data' | 'data-end' | 'trailer' | 'done' = 'size';
  #line = '';
  #left = 0;
  #signature = '';
  #lastWasShort = false;
  #trailerText = '';
  #trailerLines = 0;
  #trailerSigned = false;
  readonly trailer = new Map<string, string>();

  constructor(options: AwsChunkedOptions) {
    this.#options = options;
  }

  push(piece: Buffer): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#state === 'done') throw malformed('there is more after its end');
      at = this.#state === 'data' ? this.#takeData(piece, at) : this.#takeLine(piece, at);
    }
  }

  /** The wire has ended: so must have the body. */
  end(): void {
    const { chain, trailer } = this.#options;
    if (this.#state === 'trailer' && chain !== undefined && trailer && this.trailer.size > 0 && !this.#trailerSigned)
      throw malformedTrailer('it has no signature');
    if (this.#state !== 'done') throw new AwsError('IncompleteBody', 'The request body terminated unexpectedly');
  }

  #takeData(piece: Buffer, at: number): number {
    const data = piece.subarray(at, at + this.#left);
    this.#options.chain?.data(data);
    this.#options.onData(data);
    this.#left -= data.length;
    if (this.#left === 0) this.#state = 'data-end';
    return at + data.length;
  }

  #takeLine(piece: Buffer, at: number): number {
    const newline = piece.indexOf(0x0a, at);
    this.#line += piece.toString('latin1', at, newline < 0 ? piece.length : newline);
    if (this.#line.length > maxLineBytes) throw malformed('a line of it is too long');
    if (newline < 0) return piece.length;
    if (!this.#line.endsWith('\r')) throw malformed('a line of it does not end in CR LF');
    const line = this.#line.slice(0, -1);
    this.#line = '';
    if (this.#state === 'size') this.#beginChunk(line);
    else if (this.#state === 'trailer') this.#trailerLine(line);
    else this.#endChunk(line);
    return newline + 1;
  }

  #beginChunk(line: string): void {
    const { chain } = this.#options;
    const shape =
      chain === undefined ? /^(?<size>[0-9a-fA-F]{1,12})$/u : /^(?<size>[0-9a-fA-F]{1,12});chunk-signature=(?<signature>[0-9a-f]+\**)$/u;
    const groups = shape.exec(line)?.groups;
    if (groups === undefined) throw malformed(`"${line.slice(0, 100)}" does not begin a chunk`);
    this.#left = Number.parseInt(groups['size'] ?? '', 16);
    this.#signature = groups['signature'] ?? '';
    if (this.#left === 0) {
      chain?.endChunk(this.#signature);
      this.#state = 'trailer';
      return;
    }
    if (this.#lastWasShort)
      throw new AwsError('InvalidChunkSizeError', 'Only the last chunk is allowed to have a size less than 8192 bytes', 403);
    this.#lastWasShort = this.#left < minChunkBytes;
    this.#state = 'data';
  }

  #endChunk(line: string): void {
    if (line !== '') throw malformed('a chunk is longer than it says');
    this.#options.chain?.endChunk(this.#signature);
    this.#state = 'size';
  }

  #trailerLine(line: string): void {
    const { chain, trailer } = this.#options;
    const signed = chain !== undefined && trailer;
    if (line === '') {
      // Some clients leave a line empty between the trailer and its signature.
      if (signed && !this.#trailerSigned && this.trailer.size > 0) return this.#countLine();
      if (signed && !this.#trailerSigned) throw malformedTrailer('it has no signature');
      this.#state = 'done';
      return;
    }
    this.#countLine();
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (colon < 1 || !trailer || this.#trailerSigned || this.trailer.has(name))
      throw malformedTrailer(`the line "${line.slice(0, 100)}" is not expected`);
    if (name === 'x-amz-trailer-signature' && signed) {
      chain.endTrailer(this.#trailerText, value);
      this.#trailerSigned = true;
      return;
    }
    this.trailer.set(name, value);
    this.#trailerText += `${name}:${value}\n`;
  }

  #countLine(): void {
    this.#trailerLines += 1;
    if (this.#trailerLines > maxTrailerLines) throw malformedTrailer('it has too many lines');
  }
}

function malformed(why: string): AwsError {
  return new AwsError('IncompleteBody', `The body is not aws-chunked as it says: ${why}`);
}

function malformedTrailer(why: string): AwsError {
  return new AwsError('MalformedTrailerError', `The request contained trailing data that was not well-formed: ${why}`);
}
