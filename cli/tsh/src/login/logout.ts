import type { Profile } from '@postern/profile/profile';
import { ProfileStore } from '@postern/profile/profile-store';
import { withPort } from '@postern/profile/proxy-address';
import type { GlobalOptions, SignedIn } from '@postern/profile/signed-in';
import { endSessions } from '#sessions/end-sessions.ts';
import { keptGrants } from '#login/kept-grants.ts';
import { sessionIdOf } from '#sessions/session-grant.ts';

/**
 * Without --proxy and --user every sign-in is forgotten. The environment does not narrow what is removed. What lies here goes first: local
 * doors stop when they miss it, and a cluster that cannot be reached keeps nobody from logging out.
 */
export async function logout(options: GlobalOptions): Promise<void> {
  const store = ProfileStore.fromEnvironment(process.env);
  const matches = (profile: Profile) =>
    (options.proxy === undefined || profile.proxy === withPort(options.proxy) || profile.proxy.replace(/:\d+$/, '') === options.proxy) &&
    (options.user === undefined || profile.user === options.user);
  const removed = store.list().filter(matches);
  const logins = removed.flatMap((profile) => openLogin(store, profile));
  for (const profile of removed) store.remove(profile);
  await Promise.all(logins.map(({ who, sessionIds }) => endSessions(who, sessionIds)));
  if (options.proxy === undefined && options.user === undefined) process.stdout.write('Logged out all users from all proxies.\n');
  else if (removed.length === 0) process.stdout.write('Nobody was logged in there.\n');
  else for (const { user, proxy } of removed) process.stdout.write(`Logged out ${user} from ${proxy}.\n`);
}

interface OpenLogin {
  readonly who: SignedIn;
  readonly sessionIds: readonly string[];
}

/** None where it has expired, and its sessions with it, or where its files are damaged: nothing can be said in its name then. */
function openLogin(store: ProfileStore, profile: Profile): readonly OpenLogin[] {
  if (profile.validUntilMs <= Date.now()) return [];
  try {
    const who = { store, profile, credentials: store.credentials(profile) };
    return [{ who, sessionIds: keptGrants(who).map(sessionIdOf) }];
  } catch {
    return [];
  }
}
