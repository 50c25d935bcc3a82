import { setTimeout as delay } from 'node:timers/promises';

export interface Heartbeat {
  readonly type: 'heartbeat';
}

/** A proxy between auth and its watchers passes fifty on in one turn of its loop for less than five at five times. */
const STEP_MS = 500;

/** One each so many milliseconds or up to half a second sooner: at the same moments to all who are told. Ends with the signal. */
export async function* heartbeats(everyMs: () => number, signal: AbortSignal): AsyncGenerator<Heartbeat> {
  try {
    for (;;) {
      const latestMs = everyMs();
      const soonerMs = (performance.now() + latestMs) % Math.min(STEP_MS, latestMs / 2);
      await delay(latestMs - soonerMs, undefined, { signal, ref: false });
      yield { type: 'heartbeat' };
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
