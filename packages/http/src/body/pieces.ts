/** Pieces below this are copied together: a Buffer costs a hundred bytes of its own, and chunked coding may send single bytes. */
const SMALL_BYTES = 4096;
const PAGE_BYTES = 64 * 1024;
/** A chunk costs the parser something whatever its size. Clients send kilobytes at a time; from here on that is asked for. */
const FREE_PIECES = 4096;
const BYTES_A_PIECE = 512;
const EMPTY = Buffer.alloc(0);

export function isTooFine(pieces: number, bytes: number): boolean {
  return pieces > FREE_PIECES + bytes / BYTES_A_PIECE;
}

/** What has come of a body, in memory that is in proportion to it however it was cut. */
export class Pieces {
  readonly #list: Buffer[] = [];
  #page = EMPTY;
  /** The part of the page that is filled and not yet in the list. */
  #from = 0;
  #to = 0;
  count = 0;

  add(piece: Buffer): void {
    this.count += 1;
    // The first is nearly always the only one.
    if (this.#list.length === 0 && this.#page.length === 0) this.#list.push(piece);
    else if (piece.length < SMALL_BYTES) this.#copy(piece);
    else {
      this.#closePart();
      this.#list.push(piece);
    }
  }

  joined(size: number): Buffer {
    this.#closePart();
    const [first = EMPTY] = this.#list;
    return this.#list.length < 2 ? first : Buffer.concat(this.#list, size);
  }

  #copy(piece: Buffer): void {
    if (this.#to + piece.length > this.#page.length) {
      this.#closePart();
      this.#page = Buffer.allocUnsafeSlow(PAGE_BYTES);
      this.#from = 0;
      this.#to = 0;
    }
    this.#to += piece.copy(this.#page, this.#to);
  }

  #closePart(): void {
    if (this.#to > this.#from) this.#list.push(this.#page.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }
}
