import type { ProfileStore } from '@postern/profile/profile-store';
import { loadLogin } from '#apps/app-login.ts';

/** The commands that would open again what the same user has open at the same proxy: a new login may have other roles. */
export function sessionsBefore(store: ProfileStore, proxy: string, user: string): readonly string[] {
  const profile = store.load(proxy);
  if (profile?.user !== user) return [];
  const apps = store.kept(profile, 'app').names();
  const databases = store.kept(profile, 'db').names();
  return [
    ...apps.map((name) => {
      const role = loadLogin({ store, profile }, name)?.roleArn;
      return `$ tsh apps login${role === undefined ? '' : ` --aws-role=${role}`} ${name}`;
    }),
    ...databases.map((name) => `$ tsh db login ${name}`),
  ];
}
