import { PosternError } from '@postern/api';

/** Where the parts of messages go. */
export interface MessageSink {
  /** A piece of the current message, a view of what was read. */
  part(bytes: Buffer): void;
  /** The message is whole; false where what follows is not wanted yet. */
  end(messageBytes: number): boolean;
}

/** gRPC's Length-Prefixed-Message: one byte that says whether it is compressed, four of length (gRPC over HTTP/2, "Requests"). */
export const PREFIX_BYTES = 5;

/** Reads gRPC messages out of chunks that are cut anywhere, and joins nothing: the bytes of a message pass on as they come. */
export class MessageReader {
  readonly #maxMessageBytes: number;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  #messageBytes = 0;
  #left = 0;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Gives back what was not taken, because the sink wanted no more. Throws `bad_request` for what is not gRPC. */
  take(chunk: Buffer, sink: MessageSink): Buffer | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const part = at === 0 && chunk.length <= this.#left ? chunk : chunk.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        sink.part(part);
      } else {
        at = this.#readPrefix(chunk, at);
        if (this.#prefixBytes > 0) return undefined;
      }
      if (this.#left === 0 && !sink.end(this.#messageBytes)) return at < chunk.length ? chunk.subarray(at) : undefined;
    }
    return undefined;
  }

  #readPrefix(chunk: Buffer, at: number): number {
    const whole = this.#prefixBytes === 0 && chunk.length - at >= PREFIX_BYTES;
    const copied = whole ? 0 : chunk.copy(this.#prefix, this.#prefixBytes, at, at + PREFIX_BYTES - this.#prefixBytes);
    this.#prefixBytes += copied;
    if (!whole && this.#prefixBytes < PREFIX_BYTES) return at + copied;
    const [from, offset] = whole ? [chunk, at] : [this.#prefix, 0];
    if (from[offset] !== 0) throw new PosternError('bad_request', 'a compressed message came where raw bytes are spoken');
    this.#messageBytes = from.readUInt32BE(offset + 1);
    if (this.#messageBytes > this.#maxMessageBytes)
      throw new PosternError('bad_request', `a message of ${this.#messageBytes} bytes came; ${this.#maxMessageBytes} is the most`);
    this.#left = this.#messageBytes;
    this.#prefixBytes = 0;
    return at + (whole ? PREFIX_BYTES : copied);
  }
}
