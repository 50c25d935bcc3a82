import { crc32 } from 'node:zlib';
import { printable } from '#refusals/printable.ts';
import { codeOf, type RefusalKind } from '#refusals/refusal-codes.ts';

const STRING = 7;
const PRELUDE_BYTES = 12;

/**
 * A refusal as the last message of an answer that is an event stream, whose status has long been sent: an unmodelled error, which every SDK
 * throws by the name of its code. Source: https://smithy.io/2.0/aws/amazon-eventstream.html
 */
export function eventRefusal(kind: RefusalKind, message: string): Buffer {
  const { code } = codeOf(kind, 'rest-json');
  const headers = Buffer.concat([
    header(':message-type', 'error'),
    header(':error-code', code),
    header(':error-message', printable(message)),
  ]);
  const bytes = Buffer.alloc(PRELUDE_BYTES + headers.length + 4);
  bytes.writeUInt32BE(bytes.length, 0);
  bytes.writeUInt32BE(headers.length, 4);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 8)), 8);
  headers.copy(bytes, PRELUDE_BYTES);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  return bytes;
}

function header(name: string, value: string): Buffer {
  const text = Buffer.from(value);
  const head = Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([STRING, 0, 0])]);
  head.writeUInt16BE(text.length, head.length - 2);
  return Buffer.concat([head, text]);
}

/** Knows whether an event stream that passes by stands between two messages: only there may another begin. */
export class EventBoundaries {
  #left = 0;
  #length = Buffer.alloc(0);

  get between(): boolean {
    return this.#left === 0 && this.#length.length === 0;
  }

  take(piece: Buffer): void {
    for (let at = 0; at < piece.length; ) {
      if (this.#left === 0) {
        const wanted = 4 - this.#length.length;
        this.#length = Buffer.concat([this.#length, piece.subarray(at, at + wanted)]);
        at += wanted;
        if (this.#length.length < 4) return;
        // A length that no message has is where the stream is lost, and nothing may follow.
        const length = this.#length.readUInt32BE(0);
        this.#left = length > PRELUDE_BYTES ? length - 4 : Number.POSITIVE_INFINITY;
        this.#length = Buffer.alloc(0);
      }
      const to = Math.min(piece.length, at + this.#left);
      this.#left -= to - at;
      at = to;
    }
  }
}
