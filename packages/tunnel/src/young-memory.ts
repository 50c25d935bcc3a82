import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes that pass between two collections. Each was read into some buffers of its size on its way through the process. */
const EVERY_BYTES = 4 * 1024 * 1024;

const LARGE_BYTES = 8 * 1024;

// In parts, on other threads, as V8 does it: to wake one takes longer than it would work, and memory that is not yet freed counts until it is.
setFlagsFromString('--no-parallel-scavenge');
setFlagsFromString('--no-concurrent-array-buffer-sweeping');

type Collect = (options: { readonly type: 'minor'; readonly execution: 'sync' }) => void;

/**
 * Frees the buffers of bytes that have passed. V8 counts their memory, which is not in its heap, against a limit of 64 MiB, and answers by
 * marking the whole heap: sixty times a GiB, which took a third of the processors' time and stopped the process for 10 ms each time. They
 * are the youngest of all objects, and a collection of the young alone takes 0.3 ms; only V8 does not think of it, since hardly anything
 * in the heap itself is new.
 */
export class YoungMemory {
  readonly #collector: () => () => void;
  #collect: (() => void) | undefined;
  #passedBytes = 0;

  /** `collector` is asked for the function when it is needed for the first time. */
  constructor(collector: () => () => void) {
    this.#collector = collector;
  }

  /** Small ones count for nothing: V8 collects them with what belongs to their requests, and once more would make a small request a tenth dearer. */
  passed(bytes: number): void {
    if (bytes < LARGE_BYTES) return;
    this.#passedBytes += bytes;
    if (this.#passedBytes < EVERY_BYTES) return;
    this.#passedBytes = 0;
    this.#collect ??= this.#collector();
    this.#collect();
  }
}

/** Of this process. Nobody else sees V8's function, and no flag has to stand on a command line. */
export const youngMemory = new YoungMemory(collector);

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as Collect;
  setFlagsFromString('--no-expose-gc');
  return () => collect({ type: 'minor', execution: 'sync' });
}
