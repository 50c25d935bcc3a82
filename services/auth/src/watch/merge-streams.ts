/**
 * Several sources as one stream, each in its own order. A source is asked for its next item once the reader has taken the one
 * before, so that what waits for a slow reader waits in the source, which has its bound. Each source is given a signal and ends
 * when it aborts. Throws what one of them throws, so a source that yields nothing may stand guard over the others.
 */
export async function* mergeStreams<T>(
  sources: readonly ((signal: AbortSignal) => AsyncIterable<T>)[],
  outer: AbortSignal,
): AsyncGenerator<T> {
  const inner = new AbortController();
  const signal = AbortSignal.any([outer, inner.signal]);
  const waiting: { readonly item: T; readonly taken: () => void }[] = [];
  let wake = () => {};
  let failure: { readonly error: unknown } | undefined;

  const pump = async (source: AsyncIterable<T>) => {
    try {
      for await (const item of source) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.push({ item, taken: resolve });
        wake();
        await promise;
        if (failure !== undefined || signal.aborted) return;
      }
    } catch (error) {
      if (!signal.aborted) failure ??= { error };
      wake();
    }
  };
  for (const source of sources) void pump(source(signal));
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal.aborted) {
      if (failure !== undefined) throw failure.error;
      const next = waiting.shift();
      if (next !== undefined) {
        yield next.item;
        next.taken();
      } else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    inner.abort();
    for (const { taken } of waiting) taken();
  }
}
