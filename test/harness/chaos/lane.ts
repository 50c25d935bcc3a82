import type { Socket } from 'node:net';
import type { Fault } from '#chaos/fault.ts';

const PASS: Fault = { mode: 'pass' };
/** Kept for a delay or a throttle; beyond it the sender waits, as on a real path. */
const MAX_QUEUED_BYTES = 1024 * 1024;
const TICK_MS = 50;

interface Piece {
  /** undefined is the end of the stream. */
  readonly bytes: Buffer | undefined;
  readonly dueMs: number;
}

/** One direction of one connection: reads a socket and writes another, as its fault says. Order is always kept. */
export class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #count: (bytes: number, swallowed: boolean) => void;
  #fault = PASS;
  #queue: Piece[] = [];
  #queuedBytes = 0;
  #lastDueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #blocked = false;
  /** Bytes of this lane will never arrive: the connection is of no use any more. */
  lossy = false;

  constructor(from: Socket, to: Socket, count: (bytes: number, swallowed: boolean) => void) {
    this.#from = from;
    this.#to = to;
    this.#count = count;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.on('end', () => this.#take(undefined));
    to.on('drain', () => {
      this.#blocked = false;
      this.#pump();
    });
  }

  set(fault: Fault): void {
    this.#fault = fault;
    this.#pump();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
  }

  #take(bytes: Buffer | undefined): void {
    if (this.#fault.mode === 'blackhole') {
      this.lossy = true;
      if (bytes !== undefined) this.#count(bytes.length, true);
      return;
    }
    const { ms = 0, jitterMs = 0 } = this.#fault;
    const delayMs = this.#fault.mode === 'delay' ? Math.max(0, ms + (Math.random() * 2 - 1) * jitterMs) : 0;
    this.#lastDueMs = Math.max(this.#lastDueMs, performance.now() + delayMs);
    this.#queue.push({ bytes, dueMs: this.#lastDueMs });
    this.#queuedBytes += bytes?.length ?? 0;
    this.#pump();
  }

  #pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#fault.mode !== 'hold') {
      let credit =
        this.#fault.mode === 'throttle' ? Math.max(1, Math.floor(((this.#fault.bytesPerSecond ?? 1) * TICK_MS) / 1000)) : Infinity;
      for (let piece = this.#queue[0]; piece !== undefined && credit > 0 && !this.#blocked; piece = this.#queue[0]) {
        if (this.#fault.mode === 'delay' && piece.dueMs > performance.now()) break;
        credit -= this.#send(piece, credit);
      }
      this.#wakeLater();
    }
    const full = this.#fault.mode === 'hold' || this.#queuedBytes > MAX_QUEUED_BYTES || (this.#fault.mode === 'pass' && this.#blocked);
    if (full) this.#from.pause();
    else this.#from.resume();
  }

  #send(piece: Piece, credit: number): number {
    if (piece.bytes === undefined) {
      this.#queue.shift();
      this.#to.end();
      return 0;
    }
    const sent = piece.bytes.subarray(0, Math.min(piece.bytes.length, credit));
    if (sent.length === piece.bytes.length) this.#queue.shift();
    else this.#queue[0] = { ...piece, bytes: piece.bytes.subarray(sent.length) };
    this.#queuedBytes -= sent.length;
    this.#count(sent.length, false);
    if (this.#to.writable && !this.#to.write(sent)) this.#blocked = true;
    return sent.length;
  }

  #wakeLater(): void {
    const [next] = this.#queue;
    if (next === undefined || this.#blocked) return;
    const waitMs = this.#fault.mode === 'throttle' ? TICK_MS : Math.max(1, next.dueMs - performance.now());
    this.#timer = setTimeout(() => this.#pump(), waitMs);
  }
}
