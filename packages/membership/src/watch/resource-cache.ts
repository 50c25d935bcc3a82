import type { Client } from '@grpc/grpc-js';
import { callStream, PosternError, type ResourceEvent, ResourceEvent_Type, ResourcesService } from '@postern/api';
import { fullJitterBackoff, tunnelLimits } from '@postern/tunnel';

export interface WatchedResource {
  readonly kind: string;
  readonly name: string;
  readonly revision: string;
  /** The whole resource as `tctl get --format=json` prints it; undefined where it could not be read as JSON. */
  readonly json: unknown;
}

export type ResourceChange =
  | { readonly type: 'put'; readonly resource: WatchedResource }
  | { readonly type: 'delete'; readonly kind: string; readonly name: string };

export interface ResourceCacheOptions {
  /** The channel to auth of this moment: HostMember.client. */
  readonly client: () => Client;
  readonly kinds: readonly string[];
  /** Each time the watch is lost; it comes back by itself. */
  readonly onProblem?: (error: unknown) => void;
  /** Auth has been silent for too long: what lies below the channel may be gone without a word. HostMember.redial. */
  readonly onSilent?: () => void;
  /** Awaited before each watch after the first. Never rejects. */
  readonly beforeDial?: () => Promise<void>;
  readonly nowMs?: () => number;
  readonly random?: () => number;
  /** Auth sends a heartbeat every 15 s, to thousands every 45 s; after this long without anything the stream counts as lost. */
  readonly silenceMs?: number;
}

const SILENCE_MS = 45_000;
/** A lock has to act within 5 s of the network's coming back. */
const RETRY = { baseMs: 250, capMs: 4_000 };
export const MAX_RESOURCES = 100_000;

/**
 * The cluster's resources of some kinds as auth last told them. While auth is away what was known stays, and its age can be
 * asked: whoever decides says how old is too old. After a loss the whole state is told again, and what is gone is noticed.
 */
export class ResourceCache {
  readonly #options: ResourceCacheOptions;
  readonly #nowMs: () => number;
  readonly #stopping = new AbortController();
  readonly #listeners = new Set<(change: ResourceChange) => void>();
  readonly #known = new Map<string, Map<string, WatchedResource>>();
  readonly #firstSync = Promise.withResolvers<void>();
  readonly #ended: Promise<void>;
  #syncedAtMs: number | undefined;
  #lastHeardMs: number | undefined;
  #spreadMs = 0;
  #quietMs = 0;

  /** Begins to watch at once. */
  constructor(options: ResourceCacheOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    for (const kind of options.kinds) this.#known.set(kind, new Map());
    this.#firstSync.promise.catch(() => undefined);
    this.#ended = this.#keepWatching();
  }

  get(kind: string, name: string): WatchedResource | undefined {
    return this.#of(kind).get(name);
  }

  list(kind: string): readonly WatchedResource[] {
    return [...this.#of(kind).values()];
  }

  /** Told after the cache has changed; returns what ends it. */
  onChange(listener: (change: ResourceChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** When a whole state was complete for the last time; undefined before the first. */
  get syncedAtMs(): number | undefined {
    return this.#syncedAtMs;
  }

  /** When auth was last heard on a watch whose state is complete: what the view's age counts from. */
  get lastHeardMs(): number | undefined {
    return this.#lastHeardMs;
  }

  /** What auth wants all watchers to take for coming back: the more of them there are, the longer. */
  get spreadMs(): number {
    return this.#spreadMs;
  }

  /** How much less often auth wants to be told the same again than by a few watchers. */
  get quietMs(): number {
    return this.#quietMs;
  }

  /**
   * After so long without a word of auth the watch counts as lost: one heartbeat of an auth of thousands may be missed, and most of those
   * that lost a proxy are back in that time.
   */
  get patienceMs(): number {
    return (this.#options.silenceMs ?? SILENCE_MS) + this.#quietMs + this.#spreadMs;
  }

  /** Infinity before the first state is complete. */
  ageMs(): number {
    return this.#lastHeardMs === undefined ? Number.POSITIVE_INFINITY : this.#nowMs() - this.#lastHeardMs;
  }

  /** Resolves when the first state is complete; rejects where the cache is stopped or the signal aborted before. */
  synced(signal?: AbortSignal): Promise<void> {
    if (!signal) return this.#firstSync.promise;
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(new PosternError('unavailable', 'auth has not told the state of the cluster yet'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    return Promise.race([this.#firstSync.promise, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#firstSync.reject(new PosternError('unavailable', 'the watch was stopped'));
    await this.#ended;
  }

  async #keepWatching(): Promise<void> {
    const { random = Math.random, beforeDial } = this.#options;
    const backoff = fullJitterBackoff({ ...RETRY, random });
    while (!this.#stopping.signal.aborted) {
      let wasThere = false;
      const heard = (event: ResourceEvent) => {
        if (event.type === ResourceEvent_Type.SYNCED) backoff.reset();
        if (event.type !== ResourceEvent_Type.SYNCED && event.type !== ResourceEvent_Type.HEARTBEAT) return;
        wasThere = true;
        this.#spreadMs = Math.min(Math.max(event.spreadMs, 0), tunnelLimits.maxWatchSpreadMs);
        this.#quietMs = Math.min(Math.max(event.quietMs, 0), tunnelLimits.maxSpreadMs);
      };
      try {
        await this.#watchOnce(heard);
      } catch (error) {
        if (!this.#stopping.signal.aborted) this.#options.onProblem?.(error);
      }
      await delay(backoff.nextMs(), this.#stopping.signal);
      // All that were there come back together, each at its own moment; whoever had to wait has had it.
      const atMs = performance.now() + (wasThere ? random() * this.#spreadMs : 0);
      await orStopped(beforeDial?.(), this.#stopping.signal);
      await delay(atMs - performance.now(), this.#stopping.signal);
    }
  }

  async #watchOnce(heard: (event: ResourceEvent) => void): Promise<void> {
    const silence = silenceTimer(this.#options.silenceMs ?? SILENCE_MS);
    const signal = AbortSignal.any([this.#stopping.signal, silence.signal]);
    /** Names told in this state so far; undefined once it is complete. */
    let told: Map<string, Set<string>> | undefined = new Map(this.#options.kinds.map((kind) => [kind, new Set()]));
    try {
      for await (const event of callStream(
        this.#options.client(),
        ResourcesService.watchResources,
        { kinds: [...this.#options.kinds] },
        { signal },
      )) {
        if (event.type === ResourceEvent_Type.SYNCED && told) {
          this.#forgetAllBut(told);
          told = undefined;
          this.#syncedAtMs = this.#nowMs();
          this.#firstSync.resolve();
        } else this.#take(event, told);
        if (!told) this.#lastHeardMs = this.#nowMs();
        heard(event);
        silence.restart(this.patienceMs);
      }
    } finally {
      silence.stop();
    }
    if (this.#stopping.signal.aborted) return;
    if (silence.signal.aborted) this.#options.onSilent?.();
    throw new PosternError(
      'unavailable',
      silence.signal.aborted ? 'auth has been silent on the watch for too long' : 'auth has ended the watch',
    );
  }

  #take({ type, resource }: ResourceEvent, told: Map<string, Set<string>> | undefined): void {
    if (!resource) return;
    const { kind, name, revision } = resource;
    const known = this.#known.get(kind);
    if (!known) return;
    if (type === ResourceEvent_Type.DELETE) {
      told?.get(kind)?.delete(name);
      if (known.delete(name)) this.#tell({ type: 'delete', kind, name });
    } else if (type === ResourceEvent_Type.PUT) {
      told?.get(kind)?.add(name);
      if (known.get(name)?.revision === revision && revision !== '') return;
      if (!known.has(name) && this.#size() >= MAX_RESOURCES)
        throw new PosternError('limit_exceeded', `the cluster has more than ${MAX_RESOURCES} resources to watch`);
      const watched = { kind, name, revision, json: this.#parse(resource) };
      known.set(name, watched);
      this.#tell({ type: 'put', resource: watched });
    }
  }

  #forgetAllBut(told: Map<string, Set<string>>): void {
    for (const [kind, known] of this.#known) {
      for (const name of known.keys()) {
        if (told.get(kind)?.has(name)) continue;
        known.delete(name);
        this.#tell({ type: 'delete', kind, name });
      }
    }
  }

  #parse({ kind, name, json }: { readonly kind: string; readonly name: string; readonly json: Buffer }): unknown {
    try {
      return JSON.parse(json.toString('utf8'));
    } catch (cause) {
      this.#options.onProblem?.(new PosternError('internal', `${kind}/${name} came as something other than JSON`, { cause }));
      return undefined;
    }
  }

  #tell(change: ResourceChange): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#options.onProblem?.(error);
      }
    }
  }

  #of(kind: string): Map<string, WatchedResource> {
    const known = this.#known.get(kind);
    if (!known) throw new TypeError(`kind ${kind} is not watched here`);
    return known;
  }

  #size(): number {
    let size = 0;
    for (const known of this.#known.values()) size += known.size;
    return size;
  }
}

interface SilenceTimer {
  readonly signal: AbortSignal;
  restart(ms: number): void;
  stop(): void;
}

function silenceTimer(firstMs: number): SilenceTimer {
  const silent = new AbortController();
  const start = (ms: number) => setTimeout(() => silent.abort(), ms).unref();
  let timer = start(firstMs);
  return {
    signal: silent.signal,
    restart(ms) {
      clearTimeout(timer);
      timer = start(ms);
    },
    stop: () => clearTimeout(timer),
  };
}

async function orStopped(event: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  if (event === undefined || signal.aborted) return;
  const stopped = Promise.withResolvers<void>();
  const abort = () => stopped.resolve();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([event, stopped.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || ms <= 0) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    signal.addEventListener('abort', done, { once: true });
  });
}
