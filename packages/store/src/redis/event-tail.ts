import type { Redis } from 'ioredis';
import { unpackEntry } from '#redis/packed-entry.ts';
import type { RedisConnection } from '#redis/redis-connection.ts';
import { eventsKey } from '#redis/store-functions.ts';
import { StoreError } from '#store.ts';
import type { Change, WatchHub } from '#watch/watch-hub.ts';

const blockMs = 4000;
const maxEventsPerRead = 500;
/** For so long watchers wait for a server that does not answer; then they are told. */
const patienceMs = 15_000;
const retryMs = 200;

type StreamReply = [string, [string, string[]][]][] | null;

/**
 * One reader of the event stream for all watchers of this process, on a connection of its own. Revisions of consecutive
 * events are consecutive, so that an event trimmed away before it was read is noticed and never passed over.
 */
export class EventTail {
  readonly #connection: RedisConnection;
  readonly #hub: WatchHub;
  readonly #redis: Redis;
  readonly #currentRevision: () => Promise<number>;
  #position: number | undefined;
  #starting: Promise<void> | undefined;
  #waiters: { readonly revision: number; readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  #closed = false;

  constructor(parts: { readonly connection: RedisConnection; readonly hub: WatchHub; readonly currentRevision: () => Promise<number> }) {
    this.#connection = parts.connection;
    this.#hub = parts.hub;
    this.#currentRevision = parts.currentRevision;
    this.#redis = parts.connection.duplicate();
  }

  /** Resolves once every later event will reach the hub. */
  async start(): Promise<void> {
    this.#starting ??= this.#begin();
    try {
      await this.#starting;
    } catch (error) {
      this.#starting = undefined;
      throw error;
    }
  }

  /** Resolves once every event up to the revision was published. */
  reached(revision: number): Promise<void> {
    if (this.#position !== undefined && this.#position >= revision) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiters.push({ revision, resolve, reject });
    return promise;
  }

  close(error: StoreError): void {
    this.#closed = true;
    this.#redis.disconnect();
    this.#failAll(error);
  }

  async #begin(): Promise<void> {
    this.#position = await this.#currentRevision();
    void this.#run();
  }

  async #run(): Promise<void> {
    let lastHeard = performance.now();
    while (!this.#closed) {
      try {
        await this.#readOnce();
        lastHeard = performance.now();
      } catch (cause) {
        if (this.#closed) return;
        const error = this.#connection.failure(cause);
        const silent = error.code === 'unavailable';
        if (!silent || performance.now() - lastHeard > patienceMs) {
          this.#failAll(error);
          // The next watcher begins anew, from where the server is then.
          this.#position = undefined;
          this.#starting = undefined;
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
  }

  async #readOnce(): Promise<void> {
    // The server that answers now may be another than the one asked before.
    await this.#connection.ready();
    if (this.#redis.status === 'wait') await this.#redis.connect();
    const from = this.#position ?? 0;
    const reply = (await this.#redis.call(
      'XREAD',
      'COUNT',
      maxEventsPerRead,
      'BLOCK',
      blockMs,
      'STREAMS',
      eventsKey,
      `${from}-0`,
    )) as StreamReply;
    for (const [id, fields] of reply?.[0]?.[1] ?? []) {
      const revision = Number(id.split('-')[0]);
      if (revision !== (this.#position ?? 0) + 1) {
        throw new StoreError(
          'behind',
          `events between revisions ${this.#position} and ${revision} are no longer kept: watch again from the start`,
        );
      }
      this.#position = revision;
      this.#hub.publish(changeOf(revision, fields));
    }
    this.#wake();
  }

  #wake(): void {
    const position = this.#position ?? 0;
    for (const waiter of this.#waiters) if (waiter.revision <= position) waiter.resolve();
    this.#waiters = this.#waiters.filter(({ revision }) => revision > position);
  }

  #failAll(error: StoreError): void {
    this.#hub.failAll(error);
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters = [];
  }
}

/** Fields of an event: `put`, key, `entry`, packed entry; or `delete`, key. */
function changeOf(revision: number, [type, key = '', , packed = '']: readonly string[]): Change {
  const entry = type === 'put' ? unpackEntry(key, packed) : undefined;
  return entry === undefined ? { revision, type: 'delete', key } : { revision, type: 'put', entry };
}
