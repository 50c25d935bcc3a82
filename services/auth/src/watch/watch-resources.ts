import { guard } from '#watch/guard.ts';
import { type Heartbeat, heartbeats } from '#watch/heartbeats.ts';
import { mergeStreams } from '#watch/merge-streams.ts';
import { type WatchEvent, type WatchKindDeps, watchKind } from '#watch/watch-kind.ts';

export type WatchedEvent = WatchEvent | Heartbeat;

export interface Watch {
  readonly kinds: readonly string[];
  readonly forHost: boolean;
  readonly heartbeatMs: () => number;
  /** Throws where the watcher may not watch any more. */
  readonly recheck: () => Promise<unknown>;
  /** What `recheck` depends on. */
  readonly guardedPrefixes: readonly string[];
  readonly signal: AbortSignal;
}

/** The state of all kinds, one `synced` once all are told, then each change; a heartbeat tells a quiet cluster from a lost one. */
export async function* watchResources(deps: WatchKindDeps, watch: Watch): AsyncGenerator<WatchedEvent> {
  const kinds = watch.kinds.map((kind) => (signal: AbortSignal) => watchKind(deps, { kind, forHost: watch.forHost, signal }));
  const guards = guardsOf(deps, watch);
  const heart = (signal: AbortSignal) => heartbeats(watch.heartbeatMs, signal);
  let unsynced = watch.kinds.length;
  for await (const event of mergeStreams<WatchedEvent>([...kinds, ...guards, heart], watch.signal)) {
    if (event.type !== 'synced' || --unsynced === 0) yield event;
  }
}

export function guardsOf(
  deps: Pick<WatchKindDeps, 'store'>,
  watch: Pick<Watch, 'recheck' | 'guardedPrefixes'>,
): readonly ((signal: AbortSignal) => AsyncGenerator<never>)[] {
  return watch.guardedPrefixes.map(
    (prefix) => (signal: AbortSignal) => guard({ store: deps.store, prefix, recheck: watch.recheck, signal }),
  );
}
