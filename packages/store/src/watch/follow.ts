import type { ChangeQueue } from '#watch/watch-hub.ts';
import type { Entry, StoreEvent } from '#store.ts';

/** The state, `synced`, then what the queue brings, until the signal aborts. */
export async function* follow(
  snapshot: Iterable<Entry>,
  queue: ChangeQueue,
  signal: AbortSignal,
): AsyncGenerator<StoreEvent, void, undefined> {
  for (const entry of snapshot) {
    if (signal.aborted) return;
    queue.throwIfFailed();
    yield { type: 'put', entry };
  }
  yield { type: 'synced' };
  while (!signal.aborted) {
    for (const change of await queue.take(signal)) {
      if (signal.aborted) return;
      queue.throwIfFailed();
      yield change.type === 'put' ? { type: 'put', entry: change.entry } : { type: 'delete', key: change.key };
    }
  }
}
