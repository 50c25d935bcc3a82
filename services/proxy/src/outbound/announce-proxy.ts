import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@grpc/grpc-js';
import { type AnnounceProxyRequest, callUnary, PresenceService } from '@postern/api';
import { fullJitterBackoff } from '@postern/tunnel';

export interface AnnounceProxyOptions {
  readonly openAuth: () => Client;
  readonly announcement: AnnounceProxyRequest;
  readonly everyMs: number;
  readonly onFailed: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** Tells auth of this proxy, again and again: agents and administrators find it by what auth lists. */
export async function announceProxy(options: AnnounceProxyOptions): Promise<void> {
  const backoff = fullJitterBackoff({ baseMs: 500, capMs: options.everyMs });
  let told = false;
  while (!options.signal.aborted) {
    const client = options.openAuth();
    let waitMs = options.everyMs;
    try {
      await callUnary(client, PresenceService.announceProxy, options.announcement, { deadlineMs: 10_000 });
      backoff.reset();
      told = false;
    } catch (error) {
      waitMs = backoff.nextMs();
      if (!told) options.onFailed(error);
      told = true;
    } finally {
      client.close();
    }
    await delay(waitMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
}
