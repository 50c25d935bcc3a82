import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type BodyBudget, type BodyFailure, type BodySink, type Exchange, isTooFine, Pieces } from '@postern/http';
import { limits } from '@postern/limits';
import type { HeldBody } from '#bodies/held-body.ts';
import { Pace } from '#bodies/pace.ts';

export interface HoldBodyOptions {
  /** Whose share of the budgets it is. */
  readonly owner: string;
  readonly memory: BodyBudget;
  readonly files: BodyBudget;
  /** For small ones, where those two are taken. */
  readonly small: BodyBudget;
  readonly maxMemoryBytes: number;
  readonly maxBytes: number;
  /** Exists, and nobody else may look into it. */
  readonly dir: string;
  readonly monotonicMs: () => number;
}

/** `no_share`: this user's share of what the agent may hold is taken. `no_room`: all of it is. `no_file`: the disk refuses. */
export type HoldFailure = BodyFailure | 'too_large' | 'too_fine' | 'no_share' | 'no_room' | 'no_file';
export type Hold = HeldBody | { readonly failed: HoldFailure; readonly cause?: unknown };

type HeldExchange = Pick<Exchange, 'head' | 'readBody' | 'pauseBody' | 'resumeBody'>;

/** Room in the budgets is taken in steps of this. */
const STEP_BYTES = 256 * 1024;
/** So much may wait for the disk before the client is held back. */
const WAITING_BYTES = 1024 * 1024;

/**
 * Takes a body that has to be hashed before it can be signed: in memory as far as that goes, and then in a file that loses its name as
 * soon as it has one, so that nothing of it outlives this process.
 */
export function holdBody(exchange: HeldExchange, options: HoldBodyOptions): Promise<Hold> {
  return new Promise((resolve) => {
    if (exchange.head.length > options.maxBytes) return resolve({ failed: 'too_large' });
    exchange.readBody(new Holding(exchange, options, resolve));
  });
}

class Holding implements BodySink {
  readonly #exchange: HeldExchange;
  readonly #options: HoldBodyOptions;
  readonly #settle: (hold: Hold) => void;
  readonly #hash = createHash('sha256');
  readonly #pace: Pace;
  #pieces = new Pieces();
  #count = 0;
  #size = 0;
  #inMemory = 0;
  #paidMemory = 0;
  #paidSmall = 0;
  #paidFile = 0;
  #file: FileHandle | undefined;
  /** What waits for the disk, in order; one write at a time. */
  #writing: Promise<void> | undefined;
  #waiting = 0;
  #isPaused = false;
  #isSettled = false;

  constructor(exchange: HeldExchange, options: HoldBodyOptions, settle: (hold: Hold) => void) {
    this.#exchange = exchange;
    this.#options = options;
    this.#settle = settle;
    this.#pace = new Pace(options.monotonicMs);
  }

  isLate(): boolean {
    return this.#pace.isLate();
  }

  onData(piece: Buffer): void {
    if (this.#isSettled) return;
    this.#size += piece.length;
    this.#count += 1;
    this.#pace.took(piece.length);
    if (this.#size > this.#options.maxBytes) return this.#fail('too_large');
    if (isTooFine(this.#count, this.#size)) return this.#fail('too_fine');
    this.#hash.update(piece);
    const isInMemory = this.#writing === undefined;
    if (isInMemory && this.#fitsMemory()) return this.#keep(piece);
    const lacks = this.#payForFile();
    if (lacks === undefined) return this.#toFile(piece);
    if (isInMemory && this.#fitsSmall()) return this.#keep(piece);
    this.#fail(lacks === 'share' ? 'no_share' : 'no_room');
  }

  #keep(piece: Buffer): void {
    this.#pieces.add(piece);
    this.#inMemory = this.#size;
  }

  onEnd(): void {
    if (this.#isSettled) return;
    if (this.#writing === undefined) return this.#done(this.#pieces.joined(this.#size));
    this.#writing.then(
      () => (this.#file === undefined ? this.#fail('no_file') : this.#done(this.#file)),
      (cause: unknown) => this.#fail('no_file', cause),
    );
  }

  onFailed(why: BodyFailure): void {
    this.#fail(why);
  }

  #fitsMemory(): boolean {
    const { memory, owner, maxMemoryBytes } = this.#options;
    if (this.#size > maxMemoryBytes) return false;
    const wanted = Math.min(maxMemoryBytes, Math.ceil(this.#size / 16_384) * 16_384) - this.#paidMemory - this.#paidSmall;
    if (wanted <= 0) return true;
    // Where memory is short a small body goes to the disk as a large one does.
    if (!memory.take(owner, wanted)) return false;
    this.#paidMemory += wanted;
    return true;
  }

  /** What there is too little of, if there is. */
  #payForFile(): 'share' | 'total' | undefined {
    const { files, owner } = this.#options;
    const wanted = Math.ceil(this.#size / STEP_BYTES) * STEP_BYTES - this.#paidFile;
    const lacks = files.lacks(owner, wanted);
    if (lacks === undefined && files.take(owner, wanted)) this.#paidFile += wanted;
    return lacks;
  }

  #fitsSmall(): boolean {
    const { small, owner } = this.#options;
    if (Math.max(this.#size, this.#exchange.head.length) > limits.appSmallBodyBytes) return false;
    const wanted = this.#size - this.#paidMemory - this.#paidSmall;
    if (!small.take(owner, wanted)) return false;
    this.#paidSmall += wanted;
    return true;
  }

  #toFile(piece: Buffer): void {
    this.#waiting += piece.length;
    this.#writing = (this.#writing ?? this.#openFile()).then(() => this.#write(piece));
    this.#writing.catch((cause: unknown) => this.#fail('no_file', cause));
    if (this.#waiting > WAITING_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#exchange.pauseBody();
    }
  }

  async #openFile(): Promise<void> {
    const path = join(this.#options.dir, randomUUID());
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    this.#file = file;
    await unlink(path);
    if (this.#isSettled) return this.#close();
    const before = this.#pieces.joined(this.#inMemory);
    this.#pieces = new Pieces();
    await writeAll(file, before);
    this.#giveMemory();
  }

  async #write(piece: Buffer): Promise<void> {
    if (this.#isSettled || this.#file === undefined) return;
    await writeAll(this.#file, piece);
    this.#waiting -= piece.length;
    if (!this.#isPaused || this.#waiting > WAITING_BYTES / 2) return;
    this.#isPaused = false;
    this.#pace.goesOn();
    this.#exchange.resumeBody();
  }

  #done(content: Buffer | FileHandle): void {
    this.#isSettled = true;
    let isReleased = false;
    this.#settle({
      sha256: this.#hash.digest('hex'),
      length: this.#size,
      content,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.#release();
      },
    });
  }

  #fail(failed: HoldFailure, cause?: unknown): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    // A write that is under way has to end before its file is closed.
    if (this.#writing === undefined) this.#release();
    else
      this.#writing.then(
        () => this.#release(),
        () => this.#release(),
      );
    if (this.#isPaused) this.#exchange.resumeBody();
    this.#settle(cause === undefined ? { failed } : { failed, cause });
  }

  #release(): void {
    this.#giveMemory();
    this.#options.files.give(this.#options.owner, this.#paidFile);
    this.#paidFile = 0;
    this.#close();
  }

  #giveMemory(): void {
    const { memory, small, owner } = this.#options;
    memory.give(owner, this.#paidMemory);
    small.give(owner, this.#paidSmall);
    this.#paidMemory = 0;
    this.#paidSmall = 0;
  }

  #close(): void {
    const file = this.#file;
    this.#file = undefined;
    file?.close().catch(() => undefined);
  }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, null);
    at += bytesWritten;
  }
}
