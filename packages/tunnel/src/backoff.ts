import { tunnelLimits } from '#limits.ts';

/** What a server that was lost wanted its clients to take for coming back together. */
export interface Shared {
  readonly ms: number;
  /** It was not there yet when this client's moment in that time had come. */
  readonly missed: boolean;
}

export interface Backoff {
  nextMs(shared?: Shared): number;
  reset(): void;
}

/**
 * A server that has just begun takes each of its clients more slowly than later, when its code is compiled: in the first fifth of the time
 * 13 % of them come, and in the last 24.
 */
const RAMP = 0.8;

/**
 * Full jitter: a delay drawn evenly from 0 to the doubled cap of this attempt, so that a thousand agents that lost
 * one proxy in the same instant do not come back in the same instant.
 * Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function fullJitterBackoff(options: { readonly baseMs: number; readonly capMs: number; readonly random?: () => number }): Backoff {
  const random = options.random ?? Math.random;
  let attempt = 0;
  return {
    nextMs({ ms, missed } = { ms: 0, missed: false }) {
      const ceiling = Math.min(options.capMs, options.baseMs * 2 ** Math.min(attempt, 30));
      attempt += 1;
      const spread = Math.min(ms, tunnelLimits.maxSpreadMs);
      // The same moment of the next such time. All whose moment was missed would otherwise come as soon as the server is there.
      if (missed && spread > ceiling) return spread;
      return Math.floor(spread > ceiling ? random() ** RAMP * spread : random() * ceiling);
    },
    reset() {
      attempt = 0;
    },
  };
}

/**
 * In which time so many clients come back without keeping each other out, where each costs its server `eachMs`. A few thousand in the
 * same second are a queue in which everybody's patience ends before his turn does.
 */
export function spreadMs(clients: number, eachMs: number, atMostMs: number = tunnelLimits.maxSpreadMs): number {
  return Math.min(Math.round(clients * eachMs), atMostMs);
}
