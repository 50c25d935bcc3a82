import { isUtf8 } from 'node:buffer';

/** The text is not JSON, or it is JSON that two parsers may read differently. The message may be shown. */
export class JsonFault extends Error {
  override readonly name = 'JsonFault';
}

const quote = 0x22;
const backslash = 0x5c;

/** Bytes that may stand in a string without further thought: neither quote nor backslash nor control character. */
const plainByte = new Uint8Array(256).fill(1, 0x20);
plainByte[quote] = 0;
plainByte[backslash] = 0;

const shortEscape = new Uint8Array(256);
for (const char of '"\\/bfnrt') shortEscape[char.charCodeAt(0)] = 1;

const hexDigit = new Uint8Array(256);
for (const char of '0123456789abcdefABCDEF') hexDigit[char.charCodeAt(0)] = 1;

const literals: readonly Uint8Array[] = ['true', 'false', 'null'].map((word) => new Uint8Array(Buffer.from(word, 'latin1')));

/** Below this a view of words costs more than it saves. */
const worthItBytes = 512;
const noWords = new Int32Array(0);

/** The tokens of strict JSON (RFC 8259) over bytes: position, blanks, strings, numbers and literals; nothing is materialised. */
export class JsonCursor {
  position = 0;
  readonly bytes: Uint8Array;
  /** The aligned middle of the bytes, four at a time, and where it starts. */
  readonly #words: Int32Array;
  readonly #wordsStart: number;

  constructor(bytes: Uint8Array) {
    if (!isUtf8(bytes)) throw new JsonFault('the body is not UTF-8');
    this.bytes = bytes;
    this.#wordsStart = (4 - (bytes.byteOffset & 3)) & 3;
    const wordCount = bytes.length < worthItBytes ? 0 : (bytes.length - this.#wordsStart) >> 2;
    this.#words = wordCount === 0 ? noWords : new Int32Array(bytes.buffer, bytes.byteOffset + this.#wordsStart, wordCount);
  }

  /** The byte at the cursor after blanks, -1 at the end. */
  next(): number {
    const bytes = this.bytes;
    let i = this.position;
    let byte = bytes[i] ?? -1;
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
      i += 1;
      byte = bytes[i] ?? -1;
    }
    this.position = i;
    return byte;
  }

  expect(byte: number, what: string): void {
    if (this.next() !== byte) throw this.fault(`${what} is expected`);
    this.position += 1;
  }

  /**
   * Goes from within a string to just after its closing quote; false when `limit` is reached first, and then the cursor stands within the
   * string, never within an escape.
   */
  finishString(limit: number): boolean {
    const bytes = this.bytes;
    let i = this.position;
    while (i < limit) {
      const stretch = i + 16;
      while (i < stretch && plainByte[bytes[i] ?? 0] === 1) i += 1;
      if (i === stretch) {
        i = this.#skipPlainWords(i, limit);
        continue;
      }
      const byte = bytes[i];
      if (byte === quote) {
        this.position = i + 1;
        return true;
      }
      this.position = i;
      if (byte !== backslash) throw this.fault(byte === undefined ? 'a string does not end' : 'a string holds a control character');
      i += this.#escapeLength(i);
    }
    this.position = i;
    return false;
  }

  /** A number, true, false or null, at the cursor. */
  skipScalar(): void {
    const { bytes, position } = this;
    const literal = literals.find((word) => word[0] === bytes[position]);
    if (literal === undefined) {
      this.position = this.#endOfNumber(position);
      return;
    }
    if (!literal.every((letter, i) => bytes[position + i] === letter)) throw this.fault('a value is expected');
    this.position = position + literal.length;
  }

  fault(what: string): JsonFault {
    return new JsonFault(`the body cannot be read at byte ${this.position}: ${what}`);
  }

  /**
   * Four bytes at a time, past everything that is plain. `(w - 0x01010101) & ~w & 0x80808080` is not zero exactly when a byte of w is zero
   * (Hacker's Delight, 6-1); w is first combined with the byte sought, and with 0x20 in place of 1 it finds control characters.
   */
  #skipPlainWords(from: number, limit: number): number {
    const words = this.#words;
    const last = Math.min(words.length, (limit - this.#wordsStart) >> 2);
    // the word in which `from` stands: what it holds before `from` has just been found plain by the loop of the caller
    const first = (from - this.#wordsStart) >> 2;
    let w = first;
    for (; w < last; w += 1) {
      const word = words[w] ?? 0;
      const quotes = word ^ 0x22222222;
      const slashes = word ^ 0x5c5c5c5c;
      const found = ((quotes - 0x01010101) & ~quotes) | ((slashes - 0x01010101) & ~slashes) | ((word - 0x20202020) & ~word);
      if ((found & 0x80808080) !== 0) break;
    }
    return w === first ? from : this.#wordsStart + w * 4;
  }

  #escapeLength(at: number): number {
    const { bytes } = this;
    const escaped = bytes[at + 1] ?? 0;
    if (shortEscape[escaped] === 1) return 2;
    let end = at + 2;
    if (escaped === 0x75) while (end < at + 6 && hexDigit[bytes[end] ?? 0] === 1) end += 1;
    if (end !== at + 6) throw this.fault('an escape is not one of JSON');
    return 6;
  }

  #endOfNumber(start: number): number {
    const { bytes } = this;
    const integer = bytes[start] === 0x2d ? start + 1 : start;
    let i = this.#endOfDigits(integer);
    if (bytes[integer] === 0x30 && i > integer + 1) throw this.fault('a number starts with a zero');
    if (bytes[i] === 0x2e) i = this.#endOfDigits(i + 1);
    const exponent = bytes[i];
    if (exponent === 0x65 || exponent === 0x45) {
      const sign = bytes[i + 1];
      i = this.#endOfDigits(sign === 0x2b || sign === 0x2d ? i + 2 : i + 1);
    }
    return i;
  }

  /** At least one digit. */
  #endOfDigits(start: number): number {
    let i = start;
    for (let byte = this.bytes[i] ?? 0; byte >= 0x30 && byte <= 0x39; byte = this.bytes[i] ?? 0) i += 1;
    if (i === start) throw this.fault('a value is expected');
    return i;
  }
}
