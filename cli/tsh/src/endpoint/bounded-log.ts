import { appendFileSync, renameSync, statSync } from 'node:fs';
import { printableLines } from '@postern/terminal/output';

const MAX_BYTES = 1024 * 1024;

/** Lines of a process that nobody watches; of what is older than the last and the last but one file nothing is kept. */
export class BoundedLog {
  readonly #file: string;
  readonly #maxBytes: number;
  constructor(file: string, maxBytes = MAX_BYTES) {
    this.#file = file;
    this.#maxBytes = maxBytes;
  }

  write(line: string): void {
    try {
      if (this.#size() >= this.#maxBytes) renameSync(this.#file, `${this.#file}.old`);
      appendFileSync(this.#file, `${new Date().toISOString()} ${printableLines(line)}\n`, { mode: 0o600 });
    } catch {
      // A disk that is full must not end what people work through.
    }
  }

  #size(): number {
    try {
      return statSync(this.#file).size;
    } catch {
      return 0;
    }
  }
}
