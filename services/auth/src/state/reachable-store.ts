import { PosternError } from '@postern/api';
import { type Store, StoreError } from '@postern/store';

/**
 * The store as auth's callers may hear of it: where it does not answer, or a watcher fell behind, the answer is
 * `unavailable` and not an internal error. Lost races stay what they are, for those who try again.
 */
export function reachableStore(store: Store): Store {
  return {
    get: (key) => store.get(key).catch(translate),
    list: (prefix, options) => store.list(prefix, options).catch(translate),
    create: (key, value, options) => store.create(key, value, options).catch(translate),
    update: (key, value, revision, options) => store.update(key, value, revision, options).catch(translate),
    put: (key, value, options) => store.put(key, value, options).catch(translate),
    delete: (key, revision) => store.delete(key, revision).catch(translate),
    atomically: (operations) => store.atomically(operations).catch(translate),
    watch: async function* (prefix, options) {
      try {
        yield* store.watch(prefix, options);
      } catch (error) {
        translate(error);
      }
    },
    close: () => store.close(),
  };
}

function translate(error: unknown): never {
  if (!(error instanceof StoreError)) throw error;
  if (error.code === 'unavailable')
    throw new PosternError('unavailable', 'the store does not answer now: try again shortly', { cause: error });
  if (error.code === 'behind') throw new PosternError('unavailable', 'the watcher fell too far behind: watch again', { cause: error });
  throw error;
}
