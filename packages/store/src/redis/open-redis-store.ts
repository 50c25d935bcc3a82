import { afterPrefix, checkKey, checkOperations, defaultMaxBehind } from '#limits.ts';
import { EventTail } from '#redis/event-tail.ts';
import { isLive, unpackEntry } from '#redis/packed-entry.ts';
import { RedisConnection } from '#redis/redis-connection.ts';
import { RevisionFence } from '#redis/revision-fence.ts';
import { type Page, takeSnapshot } from '#redis/take-snapshot.ts';
import {
  type Entry,
  type ListOptions,
  type Operation,
  type Store,
  StoreError,
  type StoreEvent,
  type WatchOptions,
  type WriteOptions,
} from '#store.ts';
import { follow } from '#watch/follow.ts';
import { WatchHub } from '#watch/watch-hub.ts';

export interface RedisStoreOptions {
  /** redis:// or rediss://, with user and password where the server asks for them. */
  readonly url: string;
  /** Written to an empty server once; a server that has another, or none any more, is refused. */
  readonly clusterId: string;
  readonly nowMs: () => number;
  /** The cluster is known to exist: an empty server has lost it and is refused. */
  readonly expectExisting?: boolean;
  /** A file on this host that remembers the cluster and how far its revisions had come, so that a loss is told from a beginning. */
  readonly fencePath?: string;
  /** How often expired entries are looked for; at most 5,000. */
  readonly sweepEveryMs?: number;
  /** How often the server is asked whether it is there and its settings still safe; at most 5,000. */
  readonly checkEveryMs?: number;
}

const pageEntries = 250;
const maxEvents = 10_000;
const sweepBatch = 200;

/** Rejects with StoreError `unsafe` where the server could lose an acknowledged write or is not this cluster's. */
export async function openRedisStore(options: RedisStoreOptions): Promise<Store> {
  const { url, clusterId, expectExisting = false, fencePath } = options;
  const fence = await RevisionFence.open(fencePath, clusterId);
  const connection = new RedisConnection({ url, clusterId, expectExisting, fence });
  try {
    await connection.ready();
  } catch (error) {
    connection.close();
    throw error;
  }
  return new RedisStore(options, connection, fence);
}

class RedisStore implements Store {
  readonly #clusterId: string;
  readonly #nowMs: () => number;
  readonly #connection: RedisConnection;
  readonly #fence: RevisionFence;
  readonly #hub = new WatchHub();
  readonly #tail: EventTail;
  readonly #timers: readonly NodeJS.Timeout[];

  constructor(options: RedisStoreOptions, connection: RedisConnection, fence: RevisionFence) {
    this.#clusterId = options.clusterId;
    this.#nowMs = options.nowMs;
    this.#connection = connection;
    this.#fence = fence;
    const currentRevision = async (): Promise<number> => (await this.#page('', '', 0)).revision;
    this.#tail = new EventTail({ connection, hub: this.#hub, currentRevision });
    this.#timers = [
      // Failures of both are told to whoever asks the store next.
      setInterval(() => void this.#sweep().catch(() => undefined), Math.min(options.sweepEveryMs ?? 1000, 5000)),
      setInterval(() => void this.#check().catch(() => undefined), Math.min(options.checkEveryMs ?? 4000, 5000)),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key);
    const [revision, packed] = (await this.#call('get', [this.#clusterId, key])) as [string, string | null];
    this.#fence.seen(Number(revision));
    const entry = packed === null ? undefined : unpackEntry(key, packed);
    return entry !== undefined && isLive(entry, this.#nowMs()) ? entry : undefined;
  }

  async list(prefix: string, { limit = Number.POSITIVE_INFINITY, after = '' }: ListOptions = {}): Promise<readonly Entry[]> {
    const found: Entry[] = [];
    const nowMs = this.#nowMs();
    for await (const { entries } of this.#pages(prefix, after)) {
      for (const entry of entries) if (isLive(entry, nowMs)) found.push(entry);
      if (found.length >= limit) break;
    }
    return found.slice(0, Math.min(limit, found.length));
  }

  async create(key: string, value: string, options?: WriteOptions): Promise<Entry> {
    return this.#write({ kind: 'create', key, value, ...options });
  }

  async update(key: string, value: string, expectedRevision: string, options?: WriteOptions): Promise<Entry> {
    return this.#write({ kind: 'update', key, value, expectedRevision, ...options });
  }

  async put(key: string, value: string, options?: WriteOptions): Promise<Entry> {
    return this.#write({ kind: 'put', key, value, ...options });
  }

  async delete(key: string, expectedRevision?: string): Promise<boolean> {
    const [revision] = await this.#apply([{ kind: 'delete', key, ...(expectedRevision === undefined ? {} : { expectedRevision }) }]);
    return revision !== '';
  }

  async atomically(operations: readonly Operation[]): Promise<readonly (Entry | undefined)[]> {
    const revisions = await this.#apply(operations);
    return operations.map((operation, at) => ('value' in operation ? entryOf(operation, revisions[at] ?? '') : undefined));
  }

  async *watch(prefix: string, { signal, maxBehind = defaultMaxBehind }: WatchOptions): AsyncGenerator<StoreEvent, void, undefined> {
    if (signal.aborted) return;
    await this.#tail.start();
    const queue = this.#hub.subscribe(prefix, maxBehind);
    try {
      const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      const reached = (revision: number): Promise<void> => Promise.race([this.#tail.reached(revision), aborted]);
      const { entries } = await takeSnapshot({ queue, pages: this.#pages(prefix, ''), reached });
      const nowMs = this.#nowMs();
      yield* follow(
        entries.filter((entry) => isLive(entry, nowMs)),
        queue,
        signal,
      );
    } finally {
      this.#hub.unsubscribe(queue);
    }
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const closed = new StoreError('unavailable', `the store on redis at ${this.#connection.address} was closed`);
    this.#tail.close(closed);
    this.#connection.close();
    await this.#fence.save();
  }

  async #write(operation: Exclude<Operation, { readonly kind: 'delete' | 'check' }>): Promise<Entry> {
    const [revision = ''] = await this.#apply([operation]);
    return entryOf(operation, revision);
  }

  /** The new revision of each operation; empty where it changed nothing. */
  async #apply(operations: readonly Operation[]): Promise<readonly string[]> {
    checkOperations(operations);
    if (operations.length === 0) return [];
    const given = operations.flatMap((operation) => {
      const value = 'value' in operation ? operation.value : '';
      const expected = 'expectedRevision' in operation ? (operation.expectedRevision ?? '') : '';
      const expires = 'expiresMs' in operation ? String(operation.expiresMs ?? '') : '';
      return [operation.kind, operation.key, value, expected, expires];
    });
    const reply = (await this.#call('apply', [this.#clusterId, this.#nowMs(), maxEvents, ...given])) as string[];
    if (reply[0] !== 'ok') throw refusal(operations, reply);
    for (const revision of reply.slice(1)) this.#fence.seen(Number(revision));
    return reply.slice(1);
  }

  async *#pages(prefix: string, after: string): AsyncGenerator<Page> {
    let min = after >= prefix && after !== '' ? `(${after}` : `[${prefix}`;
    for (;;) {
      const page = await this.#page(min, `(${afterPrefix(prefix)}`, pageEntries);
      yield page;
      const last = page.entries.at(-1);
      if (page.last || last === undefined) return;
      min = `(${last.key}`;
    }
  }

  async #page(min: string, max: string, limit: number): Promise<Page> {
    const range = limit === 0 ? ['-', '-'] : [min, max];
    const [revision, ...flat] = (await this.#call('page', [this.#clusterId, ...range, limit])) as [string, ...string[]];
    this.#fence.seen(Number(revision));
    const entries: Entry[] = [];
    for (let at = 0; at < flat.length; at += 2) {
      const entry = unpackEntry(flat[at] ?? '', flat[at + 1] ?? '');
      if (entry !== undefined) entries.push(entry);
    }
    return { revision: Number(revision), entries, last: flat.length < 2 * limit };
  }

  async #sweep(): Promise<void> {
    while ((await this.#call('sweep', [this.#clusterId, this.#nowMs(), maxEvents, sweepBatch])) === sweepBatch);
  }

  async #check(): Promise<void> {
    await this.#connection.recheck();
    await this.#fence.save();
  }

  async #call(name: 'apply' | 'sweep' | 'get' | 'page', args: readonly (string | number)[]): Promise<unknown> {
    try {
      return await this.#connection.call(name, args);
    } catch (error) {
      throw this.#connection.failure(error);
    }
  }
}

function entryOf(operation: Exclude<Operation, { readonly kind: 'delete' | 'check' }>, revision: string): Entry {
  const { key, value, expiresMs } = operation;
  return { key, value, revision, ...(expiresMs === undefined ? {} : { expiresMs }) };
}

function refusal(operations: readonly Operation[], [, code, at]: readonly string[]): StoreError {
  const index = Number(at);
  const key = operations[index]?.key ?? '';
  if (code === 'exists') return new StoreError('exists', `${key} already exists`, { index });
  if (code === 'absent') return new StoreError('absent', `${key} does not exist`, { index });
  return new StoreError('conflict', `${key} was changed by another: read it again`, { index });
}
