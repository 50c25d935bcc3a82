/**
 * How many bytes of request bodies the agent holds at once. A body must be whole before it can be hashed and signed, so
 * without a bound a hundred uploads would be the end of the process. One owner may have a share of it, which is half where nothing is said.
 */
export class BodyBudget {
  readonly #totalBytes: number;
  readonly #shareBytes: number;
  readonly #byOwner = new Map<string, number>();
  #held = 0;

  constructor(totalBytes: number, shareBytes = totalBytes / 2) {
    this.#totalBytes = totalBytes;
    this.#shareBytes = shareBytes;
  }

  get heldBytes(): number {
    return this.#held;
  }

  /** What is too small for so much more: the owner's share, or all of it; undefined where it fits. */
  lacks(owner: string, bytes: number): 'share' | 'total' | undefined {
    if ((this.#byOwner.get(owner) ?? 0) + bytes > this.#shareBytes) return 'share';
    return this.#held + bytes > this.#totalBytes ? 'total' : undefined;
  }

  take(owner: string, bytes: number): boolean {
    if (this.lacks(owner, bytes) !== undefined) return false;
    this.#held += bytes;
    this.#byOwner.set(owner, (this.#byOwner.get(owner) ?? 0) + bytes);
    return true;
  }

  give(owner: string, bytes: number): void {
    const own = (this.#byOwner.get(owner) ?? 0) - bytes;
    this.#held -= bytes;
    if (own > 0) this.#byOwner.set(owner, own);
    else this.#byOwner.delete(owner);
  }
}
