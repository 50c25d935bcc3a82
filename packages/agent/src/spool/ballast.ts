import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';

const ballastBytes = 512 * 1024;
const retryMs = 1000;

/**
 * Space that is kept filled so that it can be given back: on a full disk the outcomes of requests already under way, and
 * the clearing up that makes room again, still have somewhere to be written. Intents never use it.
 */
export class Ballast {
  readonly #path: string;
  #held = false;
  #triedMs = Number.NEGATIVE_INFINITY;

  constructor(dir: string) {
    this.#path = join(dir, 'ballast');
  }

  get held(): boolean {
    return this.#held;
  }

  /** Fills the space again where it was given back; false where the disk has none. Tried once a second at most. */
  async take(): Promise<boolean> {
    if (this.#held) return true;
    if (performance.now() - this.#triedMs < retryMs) return false;
    this.#triedMs = performance.now();
    try {
      const handle = await open(this.#path, 'w', 0o600);
      try {
        // Not zeros, which some file systems store as nothing.
        await handle.writeFile(Buffer.alloc(ballastBytes, 'postern ballast '));
        await handle.datasync();
      } finally {
        await handle.close();
      }
      this.#held = true;
    } catch {
      await this.release();
    }
    return this.#held;
  }

  async release(): Promise<void> {
    this.#held = false;
    await rm(this.#path, { force: true });
  }
}
