import { once } from 'node:events';
import { Redis, type RedisOptions } from 'ioredis';
import { checkSettings } from '#redis/check-settings.ts';
import type { RevisionFence } from '#redis/revision-fence.ts';
import { functionNames, storeKeys, storeLibrary } from '#redis/store-functions.ts';
import { StoreError } from '#store.ts';

const commandTimeoutMs = 5000;
const graceMs = 2000;
/** Longer than a command may take, shorter than the 15 s within which a silent server has to be noticed. */
const silenceMs = 8000;

export interface ConnectionOptions {
  readonly url: string;
  readonly clusterId: string;
  readonly expectExisting: boolean;
  readonly fence: RevisionFence;
}

/**
 * One connection on which nothing is asked before the server was checked, each time anew after it was lost. Commands are
 * neither queued while it is away nor sent a second time: whether an unanswered write was done is for the caller to look up.
 */
export class RedisConnection {
  readonly #options: ConnectionOptions;
  readonly #redis: Redis;
  readonly address: string;
  #checked: Promise<void> | undefined;
  #lastError: Error | undefined;
  #mayCreate: boolean;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#mayCreate = !options.expectExisting && !options.fence.existed;
    this.#redis = makeClient(options.url, { commandTimeout: commandTimeoutMs });
    this.address = `${this.#redis.options.host ?? 'localhost'}:${this.#redis.options.port ?? 6379}`;
    this.#redis.on('error', (error: Error) => {
      this.#lastError = error;
    });
    this.#redis.on('close', () => {
      this.#checked = undefined;
    });
  }

  /** Resolves once the server is there and safe; rejects with `unsafe` or, within seconds, with `unavailable`. */
  async ready(): Promise<void> {
    if (this.#closed) throw new StoreError('unavailable', `the store on redis at ${this.address} was closed`);
    if (this.#checked === undefined) {
      const checking = this.#check();
      this.#checked = checking;
      checking.catch(() => {
        if (this.#checked === checking) this.#checked = undefined;
      });
    }
    await this.#checked;
  }

  /** Looks at the settings again: they can be changed while the server runs. */
  async recheck(): Promise<void> {
    this.#checked = undefined;
    await this.ready();
  }

  async call(name: keyof typeof functionNames, args: readonly (string | number)[]): Promise<unknown> {
    await this.ready();
    return this.#send(name, args);
  }

  /** A connection of its own for reads that wait on the server. */
  duplicate(): Redis {
    const redis = makeClient(this.#options.url, {});
    redis.on('error', () => undefined);
    return redis;
  }

  /** Noticed by the timeout of the socket where the server has gone silent. */
  async ping(): Promise<void> {
    await this.#redis.ping();
  }

  close(): void {
    this.#closed = true;
    this.#redis.disconnect();
  }

  failure(cause: unknown): StoreError {
    if (cause instanceof StoreError) return cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    if (message.startsWith('POSTERNMARKER')) return this.#markerGone(message.slice('POSTERNMARKER '.length));
    if (message.startsWith('READONLY'))
      return new StoreError('unsafe', `redis at ${this.address} became a replica: give the address of its primary`, { cause });
    if (message.startsWith('OOM'))
      return new StoreError('unavailable', `redis at ${this.address} is at its memory limit: raise maxmemory, nothing was written`, {
        cause,
      });
    if (message.startsWith('MISCONF'))
      return new StoreError('unavailable', `redis at ${this.address} cannot write to its disk: nothing was written`, { cause });
    if (cause instanceof Error && cause.name === 'ReplyError')
      return new StoreError('unavailable', `redis at ${this.address} refused a command of the store`, { cause });
    return new StoreError('unavailable', `redis at ${this.address} does not answer: a write under way may or may not have been done`, {
      cause,
    });
  }

  async #check(): Promise<void> {
    try {
      await this.#connected();
      await checkSettings(this.#redis, this.address);
      await this.#loadFunctions();
      await this.#claim();
    } catch (error) {
      throw this.failure(error);
    }
  }

  async #connected(): Promise<void> {
    if (this.#redis.status === 'ready') return;
    if (this.#redis.status === 'wait') void this.#redis.connect().catch(() => undefined);
    try {
      await once(this.#redis, 'ready', { signal: AbortSignal.timeout(graceMs) });
    } catch {
      throw new StoreError('unavailable', `redis at ${this.address} cannot be reached`, { cause: this.#lastError });
    }
  }

  async #loadFunctions(): Promise<void> {
    try {
      await this.#redis.call('FUNCTION', 'LOAD', storeLibrary);
    } catch (error) {
      if (error instanceof Error && error.message.includes('already exists')) return;
      if (error instanceof Error && error.message.includes('unknown command')) {
        throw new StoreError('unsafe', `redis at ${this.address} is older than version 7, which the store needs: upgrade it`, {
          cause: error,
        });
      }
      throw error;
    }
  }

  async #claim(): Promise<void> {
    const { clusterId, fence } = this.#options;
    // Taken before asking: another connection may learn of a newer revision before this answer arrives.
    const highest = fence.highest;
    const [state, detail] = (await this.#send('claim', [clusterId, this.#mayCreate ? 'create' : 'expect'])) as [string, string];
    if (state === 'other') throw this.#markerGone(detail);
    if (state === 'empty') throw this.#markerGone('');
    if (state === 'unmarked') {
      throw new StoreError(
        'unsafe',
        `redis at ${this.address} holds data without the marker of a cluster: restore its backup, or run redis-cli flushall to begin a new cluster`,
      );
    }
    if (Number(detail) < highest) {
      const mend =
        fence.path === undefined
          ? 'restore the newest data'
          : `restore the newest data, or delete ${fence.path} to go on without what was lost`;
      throw new StoreError(
        'unsafe',
        `redis at ${this.address} went back from revision ${highest} to ${detail}, as an old backup or a late replica does: ${mend}`,
      );
    }
    // From here on an empty server is one that has lost this cluster.
    this.#mayCreate = false;
    fence.seen(Number(detail));
    await fence.save();
  }

  #markerGone(marker: string): StoreError {
    const { clusterId } = this.#options;
    if (marker !== '')
      return new StoreError(
        'unsafe',
        `redis at ${this.address} belongs to cluster ${marker}, not to ${clusterId}: check the address of the storage`,
      );
    return new StoreError(
      'unsafe',
      `redis at ${this.address} has lost the data of cluster ${clusterId} and is empty: restore its backup before auth is started`,
    );
  }

  #send(name: keyof typeof functionNames, args: readonly (string | number)[]): Promise<unknown> {
    const command = name === 'get' || name === 'page' ? 'FCALL_RO' : 'FCALL';
    return this.#redis.call(command, functionNames[name], storeKeys.length, ...storeKeys, ...args);
  }
}

function makeClient(url: string, options: Pick<RedisOptions, 'commandTimeout'>): Redis {
  return new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: commandTimeoutMs,
    socketTimeout: silenceMs,
    keepAlive: commandTimeoutMs,
    protocol: 2,
    // Full jitter, so that several auths do not come back in step.
    retryStrategy: (times: number) => Math.ceil(Math.random() * Math.min(2000, 50 * 2 ** Math.min(times, 10))),
    ...options,
  });
}
