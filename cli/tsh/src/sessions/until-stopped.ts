import type { PosternError } from '@postern/api/errors';
import { loginExpired, type SignedIn } from '@postern/profile/signed-in';
import { durationText } from '@postern/terminal/output';

const LOOK_EVERY_MS = 1_000;
/** Enough to bring what is running to an end. */
const WARN_BEFORE_MS = 5 * 60_000;
const SECOND_MS = 1_000;

export interface UntilStoppedOptions {
  /** Why nothing may be served any more though the login would last: it was logged out. */
  readonly loggedOut: () => PosternError | undefined;
  readonly notice: (line: string) => void;
}

/**
 * Resolves on Ctrl-C; rejects with exit code 3 when the login ends, of which it says so before, or is taken away. A long sleep of the
 * machine is noticed within a second of its end.
 */
export function untilStopped({ profile }: SignedIn, { loggedOut, notice }: UntilStoppedOptions): Promise<void> {
  // A clock that is turned back does not lengthen a login.
  const endsAtMs = performance.now() + profile.validUntilMs - Date.now();
  let isSaid = false;
  return new Promise((resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    const look = () => {
      const leftMs = Math.min(profile.validUntilMs - Date.now(), endsAtMs - performance.now());
      if (leftMs <= 0) return reject(loginExpired(profile));
      try {
        const over = loggedOut();
        if (over !== undefined) return reject(over);
      } catch (error) {
        return reject(error);
      }
      if (leftMs <= WARN_BEFORE_MS && !isSaid) {
        isSaid = true;
        notice(endsSoon(profile, leftMs));
      }
      setTimeout(look, Math.min(leftMs, LOOK_EVERY_MS));
    };
    look();
  });
}

function endsSoon({ user, proxy }: SignedIn['profile'], leftMs: number): string {
  const left = durationText(Math.ceil(leftMs / SECOND_MS) * SECOND_MS);
  return `the login of ${user} ends in ${left}, and this stops with it: then run tsh login --proxy=${proxy} --user=${user}`;
}
