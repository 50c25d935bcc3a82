import { PosternError } from '@postern/api/errors';
import type { SignedIn } from '@postern/profile/signed-in';
import type { LocalKey } from '#apps/local-key.ts';

type Login = Pick<SignedIn, 'store' | 'profile'>;

/** Why the key serves no more: it was taken away, by `tsh apps logout`, with the whole sign-in, or by another one. Undefined while it is there. */
export function loggedOut(
  { store, profile }: Login,
  { accessKeyId, app }: Pick<LocalKey, 'accessKeyId' | 'app'>,
): PosternError | undefined {
  if (store.kept(profile, 'key').has(accessKeyId)) return undefined;
  const { proxy, user } = profile;
  const first = store.load(proxy)?.user === user ? '' : `tsh login --proxy=${proxy} --user=${user}, then `;
  return new PosternError('unauthenticated', `logged out of application "${app}": run ${first}tsh apps login --aws-role=<role> ${app}`);
}
