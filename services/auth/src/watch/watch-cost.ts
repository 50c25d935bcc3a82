import { spreadMs, tunnelLimits } from '@postern/tunnel';

/** Twice what a watcher that comes back takes of auth's processor, with a handshake and the state anew: people sign in meanwhile. */
const WATCH_MS = 9;

/** In what time so many watchers are wanted back when they have lost auth. */
export function comeBackMs(watchers: number): number {
  return spreadMs(watchers, WATCH_MS, tunnelLimits.maxWatchSpreadMs);
}

/** What many add to the time between two of what a few say, and are told, again and again. */
export function quietMs(watchers: number): number {
  return spreadMs(watchers, WATCH_MS);
}
