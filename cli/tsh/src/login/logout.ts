import type { Profile } from '@postern/profile/profile';
import { ProfileStore } from '@postern/profile/profile-store';
import { withPort } from '@postern/profile/proxy-address';
import type { GlobalOptions } from '@postern/profile/signed-in';

/** Without --proxy and --user every sign-in is forgotten. The environment does not narrow what is removed. */
export function logout(options: GlobalOptions): void {
  const store = ProfileStore.fromEnvironment(process.env);
  const matches = (profile: Profile) =>
    (options.proxy === undefined || profile.proxy === withPort(options.proxy) || profile.proxy.replace(/:\d+$/, '') === options.proxy) &&
    (options.user === undefined || profile.user === options.user);
  const removed = store.list().filter(matches);
  for (const profile of removed) store.remove(profile);
  if (options.proxy === undefined && options.user === undefined) process.stdout.write('Logged out all users from all proxies.\n');
  else if (removed.length === 0) process.stdout.write('Nobody was logged in there.\n');
  else for (const { user, proxy } of removed) process.stdout.write(`Logged out ${user} from ${proxy}.\n`);
}
