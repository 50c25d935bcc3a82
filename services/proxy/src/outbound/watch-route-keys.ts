import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@grpc/grpc-js';
import { callStream, type RouteKeySet, RouteKeysService } from '@postern/api';
import { fullJitterBackoff } from '@postern/tunnel';

export interface WatchRouteKeysOptions {
  readonly openAuth: () => Client;
  readonly onKeys: (set: RouteKeySet) => void;
  /** Once for each loss, not for each attempt. */
  readonly onLost: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** Keeps asking auth for the route keys until aborted; while auth is away the last set stays in force. */
export async function watchRouteKeys(options: WatchRouteKeysOptions): Promise<void> {
  const backoff = fullJitterBackoff({ baseMs: 250, capMs: 5_000 });
  let told = false;
  while (!options.signal.aborted) {
    const client = options.openAuth();
    try {
      for await (const set of callStream(client, RouteKeysService.watchRouteKeys, {}, { signal: options.signal })) {
        options.onKeys(set);
        backoff.reset();
        told = false;
      }
    } catch (error) {
      if (!told && !options.signal.aborted) options.onLost(error);
      told = true;
    } finally {
      client.close();
    }
    await delay(backoff.nextMs(), undefined, { signal: options.signal }).catch(() => undefined);
  }
}
