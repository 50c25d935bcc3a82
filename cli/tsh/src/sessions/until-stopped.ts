import { loginExpired, type SignedIn } from '@postern/profile/signed-in';

const MAX_TIMER_MS = 2 ** 31 - 1;

/** Resolves on Ctrl-C; rejects with exit code 3 when the login ends. A long sleep of the machine is noticed within a minute. */
export function untilStopped({ profile }: SignedIn): Promise<void> {
  const LOOK_EVERY_MS = 60_000;
  // A clock that is turned back does not lengthen a login.
  const endsAtMs = performance.now() + profile.validUntilMs - Date.now();
  return new Promise((resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    const look = () => {
      const left = Math.min(profile.validUntilMs - Date.now(), endsAtMs - performance.now());
      if (left <= 0) reject(loginExpired(profile));
      else setTimeout(look, Math.min(left, LOOK_EVERY_MS, MAX_TIMER_MS));
    };
    look();
  });
}
