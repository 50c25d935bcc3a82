import type { SpoolEvent } from '#spool/event.ts';

/** An event that is neither side of a request and tells of no success: its user was refused something. */
export function isRefusal({ success, phase }: Pick<SpoolEvent, 'success' | 'phase'>): boolean {
  return !success && phase === undefined;
}

/**
 * What refusals hold of the spool until auth has them, in all and of each user. Nobody needs a right to be refused as often as he likes:
 * without bounds of their own refusals take the room of what was granted.
 */
export class RefusalShares {
  readonly #most: { readonly bytes: number; readonly bytesPerUser: number };
  #bytes = 0;
  readonly #byUser = new Map<string, number>();
  readonly #bySegment = new Map<number, Map<string, number>>();

  constructor(most: { readonly bytes: number; readonly bytesPerUser: number }) {
    this.#most = most;
  }

  fits(user: string, bytes: number): boolean {
    return this.#bytes + bytes <= this.#most.bytes && (this.#byUser.get(user) ?? 0) + bytes <= this.#most.bytesPerUser;
  }

  took(user: string, bytes: number): void {
    this.#bytes += bytes;
    this.#byUser.set(user, (this.#byUser.get(user) ?? 0) + bytes);
  }

  /** What was taken is on disk now. */
  stored(user: string, bytes: number, segment: number): void {
    const byUser = this.#bySegment.get(segment) ?? new Map<string, number>();
    byUser.set(user, (byUser.get(user) ?? 0) + bytes);
    this.#bySegment.set(segment, byUser);
  }

  /** A segment is gone, and gives back what it held. */
  deleted(segment: number): void {
    for (const [user, bytes] of this.#bySegment.get(segment) ?? []) {
      this.#bytes -= bytes;
      const left = (this.#byUser.get(user) ?? 0) - bytes;
      if (left > 0) this.#byUser.set(user, left);
      else this.#byUser.delete(user);
    }
    this.#bySegment.delete(segment);
  }
}
