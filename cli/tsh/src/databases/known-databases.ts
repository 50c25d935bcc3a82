import { PosternError } from '@postern/api/errors';
import type { SignedIn } from '@postern/profile/signed-in';
import { type VisibleDatabase, visibleDatabases } from '#databases/visible-databases.ts';

export interface KnownDatabases {
  readonly databases: readonly VisibleDatabase[];
  /** Where auth could not be asked: why, and when it was asked last. */
  readonly stale?: { readonly because: string; readonly asOf: string };
}

/** The databases as auth lists them now; while it is away, as it listed them last during this login. */
export async function knownDatabases(who: SignedIn): Promise<KnownDatabases> {
  const { store, profile } = who;
  try {
    const databases = await visibleDatabases(who);
    store.kept(profile, 'db').saveListed(JSON.stringify({ asOf: new Date().toISOString(), databases }));
    return { databases };
  } catch (error) {
    const away = error instanceof PosternError && (error.code === 'unavailable' || error.code === 'cannot_connect');
    const kept = away ? store.kept(profile, 'db').loadListed() : undefined;
    if (!away || kept === undefined) throw error;
    const { asOf, databases } = JSON.parse(kept) as { asOf: string; databases: readonly VisibleDatabase[] };
    return { databases, stale: { because: error.message, asOf } };
  }
}
