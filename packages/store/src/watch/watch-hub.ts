import { limits } from '@postern/limits';
import { type Entry, StoreError } from '#store.ts';

/** One committed change. Revisions of consecutive changes of the store are consecutive, which is how a gap is seen. */
export type Change =
  | { readonly revision: number; readonly type: 'put'; readonly entry: Entry }
  | { readonly revision: number; readonly type: 'delete'; readonly key: string };

export const keyOf = (change: Change): string => (change.type === 'put' ? change.entry.key : change.key);

/** What one watcher has not read yet: bounded in number and in bytes, and ended by an error rather than by silence. */
export class ChangeQueue {
  readonly prefix: string;
  readonly #maxBehind: number;
  #waiting: Change[] = [];
  #waitingBytes = 0;
  #failure: StoreError | undefined;
  #wake: (() => void) | undefined;

  constructor(prefix: string, maxBehind: number) {
    this.prefix = prefix;
    this.#maxBehind = maxBehind;
  }

  push(change: Change): void {
    if (this.#failure !== undefined) return;
    const bytes = keyOf(change).length + (change.type === 'put' ? change.entry.value.length : 0);
    const few = this.#waiting.length > 0 && this.#waitingBytes + bytes > limits.slowConsumerBytes ? 'bytes' : 'events';
    const bound = few === 'bytes' ? limits.slowConsumerBytes : this.#maxBehind;
    if (few === 'bytes' || this.#waiting.length >= this.#maxBehind) {
      this.fail(new StoreError('behind', `the watcher of ${this.prefix} is more than ${bound} ${few} behind: watch again from the start`));
      return;
    }
    this.#waiting.push(change);
    this.#waitingBytes += bytes;
    this.#wake?.();
  }

  fail(error: StoreError): void {
    this.#failure ??= error;
    // A watcher that has lost one event must not act on the rest.
    this.#clear();
    this.#wake?.();
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  takeNow(): Change[] {
    this.throwIfFailed();
    const taken = this.#waiting;
    this.#clear();
    return taken;
  }

  #clear(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  /** What waits of the changes up to a revision; the later ones stay. */
  takeUpTo(revision: number): Change[] {
    const taken = this.takeNow();
    const later = taken.findIndex((change) => change.revision > revision);
    if (later === -1) return taken;
    for (const change of taken.slice(later)) this.push(change);
    return taken.slice(0, later);
  }

  /** Everything that waits, at least one change; empty only where the signal aborted. */
  async take(signal: AbortSignal): Promise<Change[]> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    signal.addEventListener('abort', wake, { once: true });
    try {
      if (this.#failure === undefined && this.#waiting.length === 0 && !signal.aborted) await promise;
    } finally {
      signal.removeEventListener('abort', wake);
      this.#wake = undefined;
    }
    return signal.aborted ? [] : this.takeNow();
  }
}

/** Hands each committed change to the watchers of its prefix, in commit order. */
export class WatchHub {
  /** By prefix: thousands of agents watch the same few, and a change of another is not asked of each. */
  readonly #queues = new Map<string, Set<ChangeQueue>>();

  get size(): number {
    return [...this.#queues.values()].reduce((sum, { size }) => sum + size, 0);
  }

  subscribe(prefix: string, maxBehind: number): ChangeQueue {
    const queue = new ChangeQueue(prefix, maxBehind);
    const queues = this.#queues.get(prefix) ?? new Set();
    this.#queues.set(prefix, queues.add(queue));
    return queue;
  }

  unsubscribe(queue: ChangeQueue): void {
    const queues = this.#queues.get(queue.prefix);
    queues?.delete(queue);
    if (queues?.size === 0) this.#queues.delete(queue.prefix);
  }

  publish(change: Change): void {
    const key = keyOf(change);
    for (const [prefix, queues] of this.#queues) {
      if (key.startsWith(prefix)) for (const queue of queues) queue.push(change);
    }
  }

  failAll(error: StoreError): void {
    for (const queues of this.#queues.values()) for (const queue of queues) queue.fail(error);
  }
}
