import { PosternError } from '@postern/api';
import { type Entry, type Store, StoreError } from '@postern/store';

export interface NextValue {
  readonly value: string;
  readonly expiresMs?: number;
}

const MAX_TRIES = 500;

/**
 * Reads, decides, and writes only where nobody wrote in between; starts over otherwise. `decide` answers undefined
 * to leave the entry as it is, and may throw to give up. The store's compare-and-set is what makes counted acts
 * exact between several auth servers, so there is no lock here.
 */
export async function changeEntry(
  store: Store,
  key: string,
  decide: (current: Entry | undefined) => NextValue | undefined,
): Promise<Entry | undefined> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const current = await store.get(key);
    const next = decide(current);
    if (next === undefined) return current;
    const options = next.expiresMs === undefined ? {} : { expiresMs: next.expiresMs };
    try {
      return current === undefined
        ? await store.create(key, next.value, options)
        : await store.update(key, next.value, current.revision, options);
    } catch (error) {
      if (!isLostRace(error)) throw error;
    }
  }
  throw new PosternError('conflict', 'too many writers at once: try again');
}

export function isLostRace(error: unknown): boolean {
  return error instanceof StoreError && (error.code === 'exists' || error.code === 'conflict' || error.code === 'absent');
}
