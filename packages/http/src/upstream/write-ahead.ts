/** What one connection may have waiting beyond what its socket holds by itself. */
const CONNECTION_BYTES = 1024 * 1024;
/** Of all connections of a process that are ahead at once. */
const TOTAL_BYTES = 32 * 1024 * 1024;

/**
 * How far bodies may run ahead of the servers that take them. A body that is held back with each 64 KiB stands still as often as it moves,
 * which took a seventh of an upload's rate; and a thousand that are never held back would be the end of the process. Whoever finds no room
 * here is held back at once.
 */
export class WriteAhead {
  readonly #places: number;
  readonly #bytes: number;
  #taken = 0;

  constructor(totalBytes: number = TOTAL_BYTES, connectionBytes: number = CONNECTION_BYTES) {
    this.#bytes = connectionBytes;
    this.#places = Math.floor(totalBytes / connectionBytes);
  }

  /** A place for one connection; give it back. */
  take(): WriteAheadPlace | undefined {
    if (this.#taken >= this.#places) return undefined;
    this.#taken += 1;
    let isTaken = true;
    return {
      bytes: this.#bytes,
      give: () => {
        if (isTaken) this.#taken -= 1;
        isTaken = false;
      },
    };
  }
}

export interface WriteAheadPlace {
  readonly bytes: number;
  give(): void;
}

/** Of this process. */
export const writeAhead = new WriteAhead();
