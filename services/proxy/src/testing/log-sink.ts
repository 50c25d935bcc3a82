import { Writable } from 'node:stream';

/** Keeps the lines of a logger. */
export class LogSink extends Writable {
  readonly #lines: string[];
  constructor(lines: string[]) {
    super({ decodeStrings: false });
    this.#lines = lines;
  }
  override _write(line: string, _encoding: BufferEncoding, done: () => void): void {
    this.#lines.push(line);
    done();
  }
}
