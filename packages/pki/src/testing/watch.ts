import { readdirSync } from 'node:fs';

const MIB = 1024 * 1024;
const descriptors = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);

/** What many calls cost: how long the slowest took, and what all of them left behind. */
export class Watch {
  readonly #rss = process.memoryUsage.rss();
  readonly #descriptors = descriptors();
  slowestMs = 0;

  time<T>(call: () => T): T {
    const startedMs = performance.now();
    try {
      return call();
    } finally {
      this.slowestMs = Math.max(this.slowestMs, performance.now() - startedMs);
    }
  }

  get grownMiB(): number {
    return (process.memoryUsage.rss() - this.#rss) / MIB;
  }

  get descriptorsLeft(): number {
    return descriptors() - this.#descriptors;
  }
}
