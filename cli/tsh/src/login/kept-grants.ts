import type { SignedIn } from '@postern/profile/signed-in';
import { loadKey } from '#apps/local-key.ts';
import { grantFromJson, type SessionGrant } from '#sessions/session-grant.ts';

/** The sessions that lie here under one sign-in and have not expired: of `tsh apps login` and of `tsh db login`. */
export function keptGrants({ store, profile }: Pick<SignedIn, 'store' | 'profile'>): readonly SessionGrant[] {
  const databases = store.kept(profile, 'db');
  const ofDatabases = databases.names().map((name) => grantFromJson(databases.load(name) ?? ''));
  const keys = store.kept(profile, 'key').names();
  const ofApps = keys.map((accessKeyId) => loadKey({ store, profile }, accessKeyId)?.grant);
  return [...ofDatabases, ...ofApps].filter((grant) => grant !== undefined).filter(({ validUntilMs }) => validUntilMs > Date.now());
}
