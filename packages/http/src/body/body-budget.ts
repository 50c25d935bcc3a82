/**
 * How many bytes of request bodies the agent holds at once. A body must be whole before it can be hashed and signed, so
 * without a bound a hundred uploads would be the end of the process. One session may take half of it.
 */
export class BodyBudget {
  readonly #totalBytes: number;
  readonly #byOwner = new Map<string, number>();
  #held = 0;

  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
  }

  get heldBytes(): number {
    return this.#held;
  }

  take(owner: string, bytes: number): boolean {
    const own = (this.#byOwner.get(owner) ?? 0) + bytes;
    if (this.#held + bytes > this.#totalBytes || own > this.#totalBytes / 2) return false;
    this.#held += bytes;
    this.#byOwner.set(owner, own);
    return true;
  }

  give(owner: string, bytes: number): void {
    const own = (this.#byOwner.get(owner) ?? 0) - bytes;
    this.#held -= bytes;
    if (own > 0) this.#byOwner.set(owner, own);
    else this.#byOwner.delete(owner);
  }
}
