import { readFields } from '#grammar/fields.ts';
import { HeadCollector } from '#grammar/head-collector.ts';
import { HttpFault } from '#grammar/http-fault.ts';
import { CR, EQUALS, hexDigit, LF, SEMICOLON, TOKEN } from '#grammar/octets.ts';

/** Takes the bytes of a chunk as they come; `bytes` is only lent. */
export interface DataSink {
  onData(bytes: Buffer, from: number, to: number): void;
}

/** Twelve digits are 256 TiB, and exact in a double. */
const MAX_SIZE_DIGITS = 12;
/** Nobody sends extensions; a message may hold so many bytes of them before it is taken for an attack. */
const MAX_EXTENSION_BYTES = 1024;
const TRAILER_LIMITS = { maxBytes: 4096, maxLines: 16 };
const CRLF = Buffer.from('\r\n');
/** RFC 9110 6.5.1: what frames or routes a message, or says who sends it, has no place behind it. */
const NOT_IN_TRAILERS = new Set([
  'authorization',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'host',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

type State = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailers' | 'done';

/**
 * Chunked coding, RFC 9112 7.1, of one message: hexadecimal size, CRLF, bytes, CRLF. It finds where the message ends and
 * copies nothing, so that the coded bytes can be passed on as they are.
 */
export class ChunkedDecoder {
  readonly #sink: DataSink | undefined;
  #state: State = 'size';
  #digits = 0;
  #left = 0;
  #extensionBytes = 0;
  /** In an extension: a token must follow, one has begun, or one has begun behind `=`. */
  #extension: 'name' | 'in-name' | 'value' | 'in-value' = 'name';
  readonly #trailers = new HeadCollector(TRAILER_LIMITS.maxBytes + 2);
  /** Bytes of content so far. */
  dataBytes = 0;

  constructor(sink?: DataSink) {
    this.#sink = sink;
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** Reads on from `at`; returns the index behind the last byte that belongs to the message. Throws HttpFault. */
  read(bytes: Buffer, at: number): number {
    let i = at;
    while (i < bytes.length && this.#state !== 'done') {
      if (this.#state === 'data') i = this.#data(bytes, i);
      else if (this.#state === 'trailers') i = this.#trailersFrom(bytes, i);
      else {
        this.#octet(bytes[i] ?? 0);
        i += 1;
      }
    }
    return i;
  }

  #data(bytes: Buffer, at: number): number {
    const to = Math.min(bytes.length, at + this.#left);
    this.#left -= to - at;
    this.dataBytes += to - at;
    if (this.#left === 0) this.#state = 'data-cr';
    this.#sink?.onData(bytes, at, to);
    return to;
  }

  #octet(octet: number): void {
    switch (this.#state) {
      case 'size':
        return this.#size(octet);
      case 'extension':
        return this.#inExtension(octet);
      case 'size-lf':
        if (octet !== LF) throw malformed();
        this.#digits = 0;
        this.#state = this.#left > 0 ? 'data' : 'trailers';
        return;
      case 'data-cr':
        if (octet !== CR) throw malformed();
        this.#state = 'data-lf';
        return;
      default:
        if (octet !== LF) throw malformed();
        this.#state = 'size';
    }
  }

  #size(octet: number): void {
    const digit = hexDigit(octet);
    if (digit >= 0) {
      this.#digits += 1;
      if (this.#digits > MAX_SIZE_DIGITS) throw new HttpFault('a chunk is larger than any can be');
      this.#left = this.#left * 16 + digit;
    } else if (this.#digits === 0) throw malformed();
    else if (octet === CR) this.#state = 'size-lf';
    else if (octet === SEMICOLON) {
      this.#state = 'extension';
      this.#extension = 'name';
    } else throw malformed();
  }

  #inExtension(octet: number): void {
    this.#extensionBytes += 1;
    if (this.#extensionBytes > MAX_EXTENSION_BYTES) throw new HttpFault('the chunks carry too many extensions');
    const inToken = this.#extension === 'in-name' || this.#extension === 'in-value';
    if (TOKEN[octet] === 1) {
      if (this.#extension === 'name') this.#extension = 'in-name';
      else if (this.#extension === 'value') this.#extension = 'in-value';
    } else if (!inToken) throw malformed();
    else if (octet === EQUALS && this.#extension === 'in-name') this.#extension = 'value';
    else if (octet === SEMICOLON) this.#extension = 'name';
    else if (octet === CR) this.#state = 'size-lf';
    else throw malformed();
  }

  #trailersFrom(bytes: Buffer, at: number): number {
    if (!this.#trailers.isPartial) {
      if (bytes[at] === CR && bytes[at + 1] === LF) {
        this.#state = 'done';
        return at + 2;
      }
      // Trailers are the lines of a head without its first: an empty first line makes them one.
      this.#trailers.take(CRLF, 0);
    }
    const text = this.#trailers.take(bytes, at);
    if (text === undefined) return bytes.length;
    const { fields } = readFields(text, 2, TRAILER_LIMITS.maxLines);
    for (let i = 0; i < fields.length; i += 2) {
      const name = (fields[i] ?? '').toLowerCase();
      if (NOT_IN_TRAILERS.has(name)) throw new HttpFault(`the header ${name} stands behind the body`);
    }
    this.#state = 'done';
    return this.#trailers.endsAt;
  }
}

function malformed(): HttpFault {
  return new HttpFault('the chunks of the body are malformed');
}
