import { HttpFault } from '#grammar/http-fault.ts';
import { CR, HEAD, LF } from '#grammar/octets.ts';

const END = Buffer.from('\r\n\r\n');
const FIRST_BYTES = 1024;

/**
 * Finds where a head ends. Nearly always it comes in one piece and is read where it lies; pieces are put together in memory
 * in proportion to them, and each byte is looked at once, so that a head sent byte by byte costs no more than its bytes.
 */
export class HeadCollector {
  readonly #maxBytes: number;
  #held: Buffer | undefined;
  #size = 0;
  /** Where in the last piece the head ended, to be read after `take` has given one. */
  endsAt = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A head has begun and is not whole. */
  get isPartial(): boolean {
    return this.#size > 0;
  }

  /** The text of the head, its empty line included, once it is whole. Throws HttpFault where it cannot become one. */
  take(bytes: Buffer, from: number): string | undefined {
    if (this.#held !== undefined) return this.#takeMore(this.#held, bytes, from);
    const end = bytes.indexOf(END, from);
    if (end >= 0 && end + 4 - from <= this.#maxBytes) {
      this.endsAt = end + 4;
      return bytes.toString('latin1', from, end + 4);
    }
    if (end >= 0 || bytes.length - from > this.#maxBytes) throw this.#tooLong();
    this.#hold(Buffer.allocUnsafeSlow(Math.min(this.#maxBytes, Math.max(FIRST_BYTES, bytes.length - from))), bytes, from);
    return undefined;
  }

  clear(): void {
    this.#held = undefined;
    this.#size = 0;
  }

  #takeMore(held: Buffer, bytes: Buffer, from: number): string | undefined {
    const before = this.#size;
    const room = this.#maxBytes - before;
    let into = held;
    const wanted = Math.min(before + bytes.length - from, this.#maxBytes);
    if (wanted > held.length) {
      into = Buffer.allocUnsafeSlow(Math.min(this.#maxBytes, Math.max(wanted, 2 * held.length)));
      held.copy(into, 0, 0, before);
    }
    this.#hold(into, bytes, from);
    const end = into.subarray(0, this.#size).indexOf(END, Math.max(0, before - 3));
    if (end < 0) {
      if (bytes.length - from > room) throw this.#tooLong();
      return undefined;
    }
    const text = into.toString('latin1', 0, end + 4);
    this.endsAt = from + end + 4 - before;
    this.clear();
    return text;
  }

  #hold(into: Buffer, bytes: Buffer, from: number): void {
    this.#held = into;
    const before = this.#size;
    this.#size += bytes.copy(into, before, from);
    // What can never become a head is refused now and not after its time is up.
    for (let i = before; i < this.#size; i += 1) {
      const octet = into[i] ?? 0;
      if (octet === LF && into[i - 1] !== CR) throw new HttpFault('a line does not end with CRLF');
      if (HEAD[octet] !== 1) throw new HttpFault('the header holds a control character');
      // The body may lie behind it.
      if (octet === LF && i >= 3 && into[i - 2] === LF && into[i - 3] === CR) break;
    }
  }

  #tooLong(): HttpFault {
    return new HttpFault(`the header is over ${this.#maxBytes} bytes`, 431);
  }
}
