import { PosternError } from '@postern/api';

/** A reader that falls so far behind would only hear old news: it ends, and begins again from the state. */
const MAX_WAITING = 10_000;

/**
 * Several sources as one stream, each in its own order. Each source is given a signal and ends when it aborts. Throws what
 * one of them throws, so a source that yields nothing may stand guard over the others.
 */
export async function* mergeStreams<T>(
  sources: readonly ((signal: AbortSignal) => AsyncIterable<T>)[],
  outer: AbortSignal,
): AsyncGenerator<T> {
  const inner = new AbortController();
  const signal = AbortSignal.any([outer, inner.signal]);
  const waiting: T[] = [];
  let wake = () => {};
  let failure: { readonly error: unknown } | undefined;

  const pump = async (source: AsyncIterable<T>) => {
    try {
      for await (const item of source) {
        waiting.push(item);
        if (waiting.length > MAX_WAITING)
          failure ??= { error: new PosternError('unavailable', 'the watcher fell too far behind: watch again') };
        wake();
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
      const item = waiting.shift();
      if (item !== undefined) yield item;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    inner.abort();
  }
}
