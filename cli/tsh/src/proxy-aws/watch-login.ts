import { PosternError } from '@postern/api/errors';
import type { SignedIn } from '@postern/profile/signed-in';
import type { LocalKey } from '#apps/local-key.ts';

const LOOK_EVERY_MS = 1_000;

/** Calls once when the key is taken away, by `tsh apps logout` or by another sign-in: what was printed is void then. */
export function watchLogin(
  { store, profile }: SignedIn,
  { accessKeyId, app }: LocalKey,
  onGone: (error: PosternError) => void,
): () => void {
  const kept = store.kept(profile, 'key');
  const timer = setInterval(() => {
    if (kept.has(accessKeyId)) return;
    clearInterval(timer);
    onGone(loggedOut({ store, profile }, app));
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** By `tsh apps logout`, or with the whole sign-in. */
export function loggedOut({ store, profile }: Pick<SignedIn, 'store' | 'profile'>, app: string): PosternError {
  const { proxy, user } = profile;
  const first = store.load(proxy)?.user === user ? '' : `tsh login --proxy=${proxy} --user=${user}, then `;
  return new PosternError('unauthenticated', `logged out of application "${app}": run ${first}tsh apps login --aws-role=<role> ${app}`);
}
