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
    onGone(loggedOut(app));
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

export function loggedOut(app: string): PosternError {
  return new PosternError('unauthenticated', `logged out of application "${app}": run tsh apps login --aws-role=<role> ${app}`);
}
