import type { Handlers, RouteKeySet, RouteKeysService } from '@postern/api';
import type { Store } from '@postern/store';
import { requireHost } from '#hosts/host-record.ts';
import { requireUnlocked } from '#locks/locks.ts';
import { identified } from '#rpc/identified.ts';
import type { RouteKeys } from '#tickets/route-keys.ts';
import { mergeStreams } from '#watch/merge-streams.ts';
import { guardsOf } from '#watch/watch-resources.ts';

export function routeKeysHandlers(deps: {
  readonly store: Store;
  readonly routeKeys: RouteKeys;
  readonly nowMs: () => number;
}): Handlers<typeof RouteKeysService> {
  return {
    watchRouteKeys: async function* (_request, context) {
      const { identity } = identified(context);
      const recheck = async () => {
        const host = await requireHost(deps.store, identity.name);
        await requireUnlocked(deps, { hostId: host.id, tokenId: host.tokenId });
      };
      await recheck();
      const sets = (signal: AbortSignal) => toSets(deps.routeKeys, signal);
      yield* mergeStreams<RouteKeySet>([sets, ...guardsOf(deps, { recheck, guardedPrefixes: ['locks/'] })], context.signal);
    },
  };
}

async function* toSets(routeKeys: RouteKeys, signal: AbortSignal): AsyncGenerator<RouteKeySet> {
  for await (const set of routeKeys.watch(signal)) yield { keys: set.map(({ key, notAfterMs }) => ({ key, notAfterMs })) };
}
