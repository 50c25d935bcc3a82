import { limits } from '@postern/limits';
import { JsonCursor } from '#dynamodb/json-cursor.ts';

export const maxJsonDepth = limits.requestNestingDepth;
/** DynamoDB's attribute names have at most 64 KB; escaped, six times that. */
const maxSkippedNameBytes = 400_000;
/** Names of members that somebody reads: members of the API, table names and ARNs. */
const maxReadNameBytes = 16_384;
const maxReadMembers = 1000;
/** A member that is read costs a hundred times what a byte does that is skipped, so pauses among members come sooner. */
const pauseBytes = 32 * 1024;

const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;

/** A scan that hands control back now and then. Each `yield` is a place to let other requests run. */
export type Scan<T> = Generator<void, T, void>;

/**
 * Reads the few members of a JSON text that somebody asks for and skips the rest without making anything of it, in slices: a batch of 16 MB
 * must not stop the event loop. Strict throughout, the skipped parts too, because whatever a lenient parser would read differently could
 * hide a table's name from us and show it to AWS. Names that occur twice are refused in the objects that are read.
 *
 * Asked for one member after another, and not given a generator function for each: V8 makes a map in its old generation for each such function,
 * which a request that takes microseconds should not leave behind.
 */
export class JsonScanner {
  readonly #cursor: JsonCursor;
  readonly #text: Buffer;
  readonly #sliceBytes: number;
  /** The closing brackets of what is being skipped, by depth. */
  readonly #stack: number[] = [];
  #depth = 0;
  /** Down to which depth a value is being skipped; undefined between values. */
  #floor: number | undefined;
  #inString = false;
  #pausedAt = 0;

  constructor(bytes: Uint8Array, options: { readonly sliceBytes: number }) {
    this.#cursor = new JsonCursor(bytes);
    this.#text = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#sliceBytes = options.sliceBytes;
  }

  /** Into the object at the cursor; what it answers is for `nextName`. */
  enterObject(): Set<string> {
    this.#open(openBrace, 'an object');
    return new Set();
  }

  /** To the next name and past its colon, once the value before it is consumed; undefined where the object ends. `seen` holds its names so far. */
  nextName(seen: Set<string>): string | undefined {
    if (seen.size === 0 ? this.#closes(closeBrace) : !this.#continues(closeBrace)) return undefined;
    const name = this.readString(maxReadNameBytes);
    if (seen.has(name)) throw this.#cursor.fault(`the member ${JSON.stringify(name.slice(0, 64))} is there twice`);
    if (seen.size >= maxReadMembers) throw this.#cursor.fault('an object has more members than any request of DynamoDB');
    seen.add(name);
    this.#cursor.expect(colon, 'a colon');
    return name;
  }

  /** Into the list at the cursor; false where it is empty and done with. */
  enterList(): boolean {
    this.#open(openBracket, 'a list');
    return !this.#closes(closeBracket);
  }

  /** After an element: false where the list ends. */
  nextElement(): boolean {
    return this.#continues(closeBracket);
  }

  /** Whether others have waited long enough for what was read member by member; true once for each stretch. */
  isPauseDue(): boolean {
    if (this.#cursor.position < this.#pausedAt + pauseBytes) return false;
    this.#pausedAt = this.#cursor.position;
    return true;
  }

  /** The string at the cursor, decoded; `maxBytes` counts the text with its escapes. */
  readString(maxBytes: number): string {
    const cursor = this.#cursor;
    if (cursor.next() !== quote) throw cursor.fault('a string is expected');
    const start = cursor.position;
    cursor.position = start + 1;
    if (!cursor.finishString(start + 2 + maxBytes)) throw cursor.fault(`a string is longer than ${maxBytes} bytes`);
    const text = this.#text.toString('utf8', start + 1, cursor.position - 1);
    // it has been found to be a strict JSON string, so this only undoes the escapes
    return text.includes('\\') ? String(JSON.parse(`"${text}"`)) : text;
  }

  nextIsString(): boolean {
    return this.#cursor.next() === quote;
  }

  /** To be called last: nothing but blanks may follow. */
  end(): void {
    if (this.#cursor.next() !== -1) throw this.#cursor.fault('something follows the end of the JSON text');
  }

  /** Skips the value at the cursor, a slice of it at a time: false where it goes on after a pause. */
  skipValue(): boolean {
    this.#floor ??= this.#depth;
    const sliceEnd = this.#cursor.position + this.#sliceBytes;
    while (this.#cursor.position < sliceEnd) {
      if (!this.#skipToken(sliceEnd) || !this.#skipClosings(this.#floor)) continue;
      this.#floor = undefined;
      return true;
    }
    return false;
  }

  /** One opening bracket (false) or one whole value without parts (true); false as well where a string goes on after the slice. */
  #skipToken(sliceEnd: number): boolean {
    const cursor = this.#cursor;
    const byte = this.#inString ? quote : cursor.next();
    if (byte === openBrace || byte === openBracket) {
      this.#open(byte, 'a value');
      const close = byte + 2;
      if (this.#closes(close)) return true;
      this.#stack[this.#depth] = close;
      if (close === closeBrace) this.#skipName();
      return false;
    }
    if (byte !== quote) {
      cursor.skipScalar();
      return true;
    }
    if (!this.#inString) cursor.position += 1;
    this.#inString = !cursor.finishString(sliceEnd);
    return !this.#inString;
  }

  /** A value has ended: closes what it completes, up to the comma before the next one. True when all is closed down to `floor`. */
  #skipClosings(floor: number): boolean {
    const cursor = this.#cursor;
    while (this.#depth > floor) {
      const byte = cursor.next();
      const close = this.#stack[this.#depth];
      if (byte !== comma && byte !== close) throw cursor.fault('a comma or a closing bracket is expected');
      cursor.position += 1;
      if (byte === comma) {
        if (close === closeBrace) this.#skipName();
        return false;
      }
      this.#depth -= 1;
    }
    return true;
  }

  #skipName(): void {
    const cursor = this.#cursor;
    cursor.expect(quote, 'a member name');
    if (!cursor.finishString(cursor.position + 1 + maxSkippedNameBytes)) throw cursor.fault('a member name is longer than any of DynamoDB');
    cursor.expect(colon, 'a colon');
  }

  #open(bracket: number, what: string): void {
    this.#cursor.expect(bracket, what);
    if (this.#depth >= maxJsonDepth) throw this.#cursor.fault(`it is nested deeper than ${maxJsonDepth}`);
    this.#depth += 1;
  }

  #closes(bracket: number): boolean {
    if (this.#cursor.next() !== bracket) return false;
    this.#cursor.position += 1;
    this.#depth -= 1;
    return true;
  }

  #continues(bracket: number): boolean {
    if (this.#closes(bracket)) return false;
    this.#cursor.expect(comma, 'a comma or a closing bracket');
    return true;
  }
}
