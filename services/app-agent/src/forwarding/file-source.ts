import type { FileHandle } from 'node:fs/promises';
import type { BodySource, BodyTarget } from '#forwarding/body-source.ts';

const READ_BYTES = 256 * 1024;

/** A body that waits in a file. */
export class FileSource implements BodySource {
  readonly #file: FileHandle;
  readonly #length: number;
  #at = 0;
  #target: BodyTarget | undefined;
  #isReading = false;
  #isHeldBack = false;

  constructor(file: FileHandle, length: number) {
    this.#file = file;
    this.#length = length;
  }

  start(target: BodyTarget): void {
    this.#target = target;
    void this.#pump();
  }

  drained(): void {
    this.#isHeldBack = false;
    void this.#pump();
  }

  stop(): void {
    this.#target = undefined;
  }

  /** Nobody may want it any more by the time that it is read. */
  #write(bytes: Buffer): void {
    if (this.#target !== undefined && !this.#target.write(bytes)) this.#isHeldBack = true;
  }

  async #pump(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#target !== undefined && !this.#isHeldBack && this.#at < this.#length) {
        const wanted = Math.min(READ_BYTES, this.#length - this.#at);
        const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(wanted), 0, wanted, this.#at);
        if (bytesRead === 0) throw new Error('the file is shorter than what was written to it');
        this.#at += bytesRead;
        this.#write(bytesRead === wanted ? buffer : buffer.subarray(0, bytesRead));
      }
      if (this.#at === this.#length && this.#target !== undefined) {
        this.#target.end();
        this.#target = undefined;
      }
    } catch {
      this.#target?.fail({ kind: 'internal', reason: 'the agent could not read back the body that it had set aside' });
      this.#target = undefined;
    } finally {
      this.#isReading = false;
    }
  }
}
