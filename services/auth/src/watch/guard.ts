import type { Store } from '@postern/store';

/**
 * Yields nothing. Throws as soon as `recheck` does, which is asked after each change under `prefix`: so a long stream ends
 * when its reader is locked, deleted or loses the right to read, and not when it next asks.
 */
// oxlint-disable-next-line require-yield -- a guard has nothing to say; it ends the stream or lets it be
export async function* guard(options: {
  readonly store: Store;
  readonly prefix: string;
  readonly recheck: () => Promise<unknown>;
  readonly signal: AbortSignal;
}): AsyncGenerator<never> {
  let isSynced = false;
  for await (const event of options.store.watch(options.prefix, { signal: options.signal })) {
    if (event.type === 'synced') isSynced = true;
    // The state is asked about once as well: something may have changed between the first check and the watch.
    if (isSynced) await options.recheck();
  }
}
