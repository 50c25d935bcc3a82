import { spreadMs, tunnelLimits } from '@postern/tunnel';

/** Of a crowd of five thousand twice what one that comes back takes of auth's processor, with a handshake and the state anew: people sign in meanwhile. */
const WATCH_MS = 9;
/** Proxies are few, and the locks on the sessions of browsers wait for them. */
const PROXIES_AT_MOST_MS = 5_000;

/** In what time so many watchers are wanted back when they have lost auth. */
export function comeBackMs(watchers: number): number {
  return spreadMs(watchers, WATCH_MS, tunnelLimits.maxWatchSpreadMs);
}

export function proxiesComeBackMs(watchers: number): number {
  return spreadMs(watchers, WATCH_MS, PROXIES_AT_MOST_MS);
}

/** What many add to the time between two of what a few say, and are told, again and again. */
export function quietMs(watchers: number): number {
  return spreadMs(watchers, WATCH_MS);
}
