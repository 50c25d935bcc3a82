import type { SignedIn } from '@postern/profile/signed-in';
import type { ResourceKind } from '#sessions/resource-kind.ts';
import { isAway } from '#sessions/is-away.ts';

export interface KnownResources<T> {
  readonly resources: readonly T[];
  /** Where auth could not be asked: why, and when it was asked last. */
  readonly stale?: { readonly because: string; readonly asOf: string };
}

/** The resources as auth lists them now; while it is away, as it listed them last during this login. */
export async function knownResources<T>(
  { store, profile }: SignedIn,
  kind: ResourceKind,
  ask: () => Promise<readonly T[]>,
): Promise<KnownResources<T>> {
  const kept = store.kept(profile, kind);
  try {
    const resources = await ask();
    kept.saveListed(JSON.stringify({ asOf: new Date().toISOString(), resources }));
    return { resources };
  } catch (error) {
    const text = isAway(error) ? kept.loadListed() : undefined;
    if (!isAway(error) || text === undefined) throw error;
    const { asOf, resources } = JSON.parse(text) as { asOf: string; resources: readonly T[] };
    return { resources, stale: { because: error.message, asOf } };
  }
}
