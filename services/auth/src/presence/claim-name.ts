import type { Store } from '@postern/store';
import type { HostRecord } from '#hosts/host-record.ts';
import { type ServerSettings, settingsDigest } from '#presence/server-resource.ts';
import { changeEntry } from '#state/change-entry.ts';
import { keys } from '#state/keys.ts';

/** Who serves a name: kept while its agents announce it, so that a second agent cannot quietly take it over. */
interface NameClaim {
  readonly owner: string;
  readonly digest: string;
  /** For the sentence that the refused agent's administrator reads. */
  readonly hostId: string;
}

/**
 * Takes or refreshes a name, by compare-and-set. Agents that joined with the owner's token may change its settings; others
 * may serve it with the very same settings. Resolves with the reason where it is refused.
 */
export async function claimName(
  store: Store,
  claim: { readonly host: HostRecord; readonly settings: ServerSettings; readonly expiresMs: number },
): Promise<string | undefined> {
  const { host, settings, expiresMs } = claim;
  // A dynamic resource belongs to the cluster: whichever agents serve it, its settings are the cluster's.
  const owner = settings.dynamic ? 'cluster' : `token ${host.tokenId}`;
  const digest = settingsDigest(settings);
  let refusal: string | undefined;
  await changeEntry(store, keys.serverName(settings.kind, settings.name), (entry) => {
    const held = entry === undefined ? undefined : (JSON.parse(entry.value) as NameClaim);
    const isForeign = held !== undefined && held.owner !== owner && held.digest !== digest;
    refusal = isForeign ? `${settings.name} is served already by agent ${held.hostId} (${held.owner}) with other settings` : undefined;
    if (isForeign) return undefined;
    const keptOwner = held !== undefined && held.owner !== owner ? held.owner : owner;
    return {
      value: JSON.stringify({
        owner: keptOwner,
        digest,
        hostId: held?.owner === keptOwner && held.owner !== owner ? held.hostId : host.id,
      } satisfies NameClaim),
      expiresMs,
    };
  });
  return refusal;
}

/** When the last agent of a name says goodbye; a name that is only lost to silence is kept until its time is over. */
export async function releaseName(store: Store, kind: 'db' | 'app', name: string): Promise<void> {
  await store.delete(keys.serverName(kind, name));
}
