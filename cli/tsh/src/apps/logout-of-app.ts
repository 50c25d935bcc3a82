import { type GlobalOptions, signedIn } from '@postern/profile/signed-in';
import { PosternError } from '@postern/api/errors';
import { printable } from '@postern/terminal/output';
import { logOut } from '#apps/app-login.ts';
import { takeOutProfiles } from '#endpoint/aws-config-file.ts';

/** Removes the session, the throw-away keys, the local authority and the profiles that name them. */
export function logoutOfApp(options: { readonly globals: GlobalOptions; readonly name: string | undefined }): void {
  const who = signedIn(options.globals, process.env, Date.now());
  const held = who.store.kept(who.profile, 'app').names();
  const { name } = options;
  if (name !== undefined && !held.includes(name))
    throw new PosternError('not_found', `not logged in to application "${name}": tsh apps ls marks those you are logged in to`);
  const gone = name === undefined ? held : [name];
  for (const one of gone) {
    logOut(who, one);
    takeOutProfiles(process.env, { proxy: who.profile.proxy, app: one });
  }
  process.stdout.write(name === undefined ? 'Logged out of all apps.\n' : `Logged out of app "${printable(name)}".\n`);
}
