import { PosternError } from '@postern/api/errors';
import { type GlobalOptions, signedIn } from '@postern/profile/signed-in';

export function logoutOfDatabase(options: { readonly globals: GlobalOptions; readonly name: string | undefined }): void {
  const { profile, store } = signedIn(options.globals, process.env, Date.now());
  const kept = store.kept(profile, 'db');
  const held = kept.names();
  if (options.name !== undefined && !held.includes(options.name)) {
    throw new PosternError('not_found', `not logged in to database "${options.name}": tsh status lists those you are logged in to`);
  }
  const gone = options.name === undefined ? held : [options.name];
  for (const name of gone) kept.remove(name);
  process.stdout.write(gone.length === 1 ? `Logged out of database "${gone[0]}".\n` : `Logged out of ${gone.length} databases.\n`);
}
