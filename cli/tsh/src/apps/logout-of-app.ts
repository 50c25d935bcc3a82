import { type GlobalOptions, signedIn } from '@postern/profile/signed-in';
import { PosternError } from '@postern/api/errors';
import { printable } from '@postern/terminal/output';
import { logOut, sessionsOf } from '#apps/app-login.ts';
import { profiledApps, profileOwner, takeOutProfiles } from '#endpoint/aws-config-file.ts';
import { endSessions } from '#sessions/end-sessions.ts';

/**
 * Removes the session, the throw-away keys, the local authority and the profiles that name them; then tells auth, so that a
 * copy of what was removed is worth nothing either.
 */
export async function logoutOfApp(options: { readonly globals: GlobalOptions; readonly name: string | undefined }): Promise<void> {
  const who = signedIn(options.globals, process.env, Date.now());
  const held = who.store.kept(who.profile, 'app').names();
  const { name } = options;
  // Profiles outlive a login: a program that uses one logs in anew on its way.
  const profiled = profiledApps(process.env, profileOwner(who));
  if (name !== undefined && !held.includes(name) && !profiled.includes(name))
    throw new PosternError('not_found', `not logged in to application "${name}": tsh apps ls marks those you are logged in to`);
  const gone = name === undefined ? [...new Set([...held, ...profiled])] : [name];
  const sessionIds = gone.flatMap((one) => sessionsOf(who, one));
  for (const one of gone) logOut(who, one);
  try {
    for (const one of gone) takeOutProfiles(process.env, { ...profileOwner(who), app: one });
  } finally {
    // Also where the profiles cannot be taken out, of a file that is damaged or may not be written: they lead nowhere any more.
    await endSessions(who, sessionIds);
  }
  process.stdout.write(name === undefined ? 'Logged out of all apps.\n' : `Logged out of app "${printable(name)}".\n`);
}
