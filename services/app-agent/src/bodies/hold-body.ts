import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type BodyBudget, type BodyFailure, type BodySink, type Exchange, isTooFine, Pieces } from '@postern/http';
import type { HeldBody } from '#bodies/held-body.ts';

export interface HoldBodyOptions {
  /** Whose share of the budgets it is. */
  readonly owner: string;
  readonly memory: BodyBudget;
  readonly files: BodyBudget;
  readonly maxMemoryBytes: number;
  readonly maxBytes: number;
  /** Exists, and nobody else may look into it. */
  readonly dir: string;
}

/** `no_room`: this user's share of what the agent may hold is taken. `no_file`: the disk refuses. */
export type HoldFailure = BodyFailure | 'too_large' | 'too_fine' | 'no_room' | 'no_file';
export type Hold = HeldBody | { readonly failed: HoldFailure; readonly cause?: unknown };

/** Room in the budgets is taken in steps of this. */
const STEP_BYTES = 256 * 1024;
/** So much may wait for the disk before the client is held back. */
const WAITING_BYTES = 1024 * 1024;

/**
 * Takes a body that has to be hashed before it can be signed: in memory as far as that goes, and then in a file that loses its name as
 * soon as it has one, so that nothing of it outlives this process.
 */
export function holdBody(
  exchange: Pick<Exchange, 'head' | 'readBody' | 'pauseBody' | 'resumeBody'>,
  options: HoldBodyOptions,
): Promise<Hold> {
  return new Promise((resolve) => {
    if (exchange.head.length > options.maxBytes) return resolve({ failed: 'too_large' });
    exchange.readBody(new Holding(exchange, options, resolve));
  });
}

class Holding implements BodySink {
  readonly #exchange: Pick<Exchange, 'pauseBody' | 'resumeBody'>;
  readonly #options: HoldBodyOptions;
  readonly #settle: (hold: Hold) => void;
  readonly #hash = createHash('sha256');
  #pieces = new Pieces();
  #count = 0;
  #size = 0;
  #inMemory = 0;
  #paidMemory = 0;
  #paidFile = 0;
  #file: FileHandle | undefined;
  /** What waits for the disk, in order; one write at a time. */
  #writing: Promise<void> | undefined;
  #waiting = 0;
  #isPaused = false;
  #isSettled = false;

  constructor(exchange: Pick<Exchange, 'pauseBody' | 'resumeBody'>, options: HoldBodyOptions, settle: (hold: Hold) => void) {
    this.#exchange = exchange;
    this.#options = options;
    this.#settle = settle;
  }

  onData(piece: Buffer): void {
    if (this.#isSettled) return;
    this.#size += piece.length;
    this.#count += 1;
    if (this.#size > this.#options.maxBytes) return this.#fail('too_large');
    if (isTooFine(this.#count, this.#size)) return this.#fail('too_fine');
    this.#hash.update(piece);
    if (this.#writing === undefined && this.#fitsMemory()) {
      this.#pieces.add(piece);
      this.#inMemory = this.#size;
      return;
    }
    if (!this.#payForFile()) return this.#fail('no_room');
    this.#toFile(piece);
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
    if (this.#size <= this.#paidMemory) return true;
    const wanted = Math.min(maxMemoryBytes, Math.ceil(this.#size / 16_384) * 16_384) - this.#paidMemory;
    // Where memory is short a small body goes to the disk as a large one does.
    if (!memory.take(owner, wanted)) return false;
    this.#paidMemory += wanted;
    return true;
  }

  #payForFile(): boolean {
    while (this.#size > this.#paidFile) {
      if (!this.#options.files.take(this.#options.owner, STEP_BYTES)) return false;
      this.#paidFile += STEP_BYTES;
    }
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
    this.#options.memory.give(this.#options.owner, this.#paidMemory);
    this.#paidMemory = 0;
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
