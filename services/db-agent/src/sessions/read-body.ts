import type { IncomingMessage } from 'node:http';
import type { BodyBudget } from '#sessions/body-budget.ts';

export interface ReadBodyOptions {
  readonly contentLength: number | undefined;
  readonly maxBytes: number;
  readonly idleMs: number;
  readonly budget: BodyBudget;
  /** Whose share of the budget it is. */
  readonly owner: string;
}

export type BodyRead =
  | { readonly bytes: Buffer /** Call once, when the bytes are no longer needed. */; readonly release: () => void }
  | { readonly failed: 'too_large' | 'too_fine' | 'no_room' | 'idle' | 'client_gone' };

/** A body without a length is paid for in steps of this. */
const STEP_BYTES = 64 * 1024;
/** Pieces below this are copied together: a Buffer costs a hundred bytes of its own, and chunked coding may send single bytes. */
const SMALL_BYTES = 4096;
const PAGE_BYTES = 64 * 1024;
/** A chunk costs the parser microseconds whatever its size. Clients send kilobytes at a time; from here on that is asked for. */
const FREE_PIECES = 4096;
const BYTES_A_PIECE = 512;
const EMPTY = Buffer.alloc(0);

/**
 * Reads a body whole. One that arrives in one piece, as nearly all do, is handed on as it is; pieces are joined once.
 * The rest of a refused body is left to `discardRest`.
 */
export function readBody(request: IncomingMessage, options: ReadBodyOptions): Promise<BodyRead> {
  const { budget, owner, maxBytes } = options;
  let paid = options.contentLength ?? 0;
  if (paid > maxBytes) return Promise.resolve({ failed: 'too_large' });
  if (!budget.take(owner, paid)) return Promise.resolve({ failed: 'no_room' });

  return new Promise((resolve) => {
    const pieces = new Pieces();
    let size = 0;
    const idle = setTimeout(() => settle({ failed: 'idle' }), options.idleMs);
    const release = () => {
      budget.give(owner, paid);
      paid = 0;
    };
    const settle = (result: BodyRead) => {
      clearTimeout(idle);
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      if ('failed' in result) release();
      resolve(result);
    };
    const onData = (chunk: Buffer) => {
      idle.refresh();
      size += chunk.length;
      if (size > maxBytes) return settle({ failed: 'too_large' });
      while (size > paid) {
        if (!budget.take(owner, STEP_BYTES)) return settle({ failed: 'no_room' });
        paid += STEP_BYTES;
      }
      pieces.add(chunk);
      if (isTooFine(pieces.count, size)) settle({ failed: 'too_fine' });
    };
    const onEnd = () => {
      settle({ bytes: pieces.joined(size), release });
    };
    const onClose = () => settle({ failed: 'client_gone' });
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

function isTooFine(pieces: number, bytes: number): boolean {
  return pieces > FREE_PIECES + bytes / BYTES_A_PIECE;
}

/** What has come of a body, in memory that is in proportion to it however it was cut. */
class Pieces {
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

/** Lets a refused body pass by, so that the client can read the answer on the same connection; an endless one is cut. */
export function discardRest(request: IncomingMessage, limits: { readonly maxBytes: number; readonly idleMs: number }): void {
  if (request.readableEnded || request.destroyed) return;
  let size = 0;
  let pieces = 0;
  // The answer stands behind nothing but itself in the socket, and is to arrive all the same.
  const cut = () => {
    request.pause();
    request.socket.destroySoon();
  };
  const idle = setTimeout(cut, limits.idleMs);
  request.on('data', (chunk: Buffer) => {
    idle.refresh();
    size += chunk.length;
    pieces += 1;
    if (size > limits.maxBytes || isTooFine(pieces, size)) cut();
  });
  request.once('close', () => clearTimeout(idle)).once('end', () => clearTimeout(idle));
  request.resume();
}
