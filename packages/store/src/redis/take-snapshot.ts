import type { Entry } from '#store.ts';
import { type ChangeQueue, keyOf } from '#watch/watch-hub.ts';

export interface Page {
  /** Of the whole store when the page was read. */
  readonly revision: number;
  readonly entries: readonly Entry[];
  readonly last: boolean;
}

/**
 * One state of the store out of pages read while others write. The queue was subscribed before the first page, so it
 * holds every change that a page may or may not show; the changes up to the last page's revision are laid over the
 * pages, oldest first and never over something newer. What comes after that revision is left to the caller, in order.
 */
export async function takeSnapshot(parts: {
  readonly queue: ChangeQueue;
  readonly pages: AsyncIterable<Page>;
  readonly reached: (revision: number) => Promise<void>;
}): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }> {
  const entries = new Map<string, Entry>();
  let revision = 0;
  for await (const page of parts.pages) {
    for (const entry of page.entries) entries.set(entry.key, entry);
    revision = page.revision;
  }
  await parts.reached(revision);
  for (const change of parts.queue.takeUpTo(revision)) {
    const key = keyOf(change);
    const known = entries.get(key);
    if (known !== undefined && Number(known.revision) > change.revision) continue;
    if (change.type === 'put') entries.set(key, change.entry);
    else entries.delete(key);
  }
  const inOrder = [...entries.values()]
    .map((entry) => ({ entry, bytes: Buffer.from(entry.key) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  return { entries: inOrder.map(({ entry }) => entry), revision };
}
