import type { Store } from '@postern/store';
import type { HostRecord } from '#hosts/host-record.ts';
import { type ServerSettings, serverResource, settingsDigest } from '#presence/server-resource.ts';
import { keys } from '#state/keys.ts';

export interface Said {
  readonly host: HostRecord;
  readonly settings: readonly ServerSettings[];
  readonly nodeName: string;
  readonly version: string;
}

/**
 * True where the store says already what a host says now, and will go on for long enough. Agents repeat themselves each minute: to write
 * it each time would be two commits, and a change to look at for each watcher, for each agent and minute.
 */
export async function isStillSaid(store: Store, said: Said, untilMs: number): Promise<boolean> {
  const { host, settings, nodeName, version } = said;
  const listed = await store.get(keys.announced(host.id));
  const names = JSON.stringify(settings.map(({ name }) => name));
  if (settings.length === 0 || listed?.value !== names || (listed.expiresMs ?? 0) < untilMs) return false;
  for (const one of settings) {
    const entry = await store.get(keys.server(one.kind, one.name, host.id));
    if (entry?.expiresMs === undefined || entry.expiresMs < untilMs) return false;
    const same = serverResource({ settings: one, host, nodeName, version, expiresMs: entry.expiresMs });
    if (entry.value !== JSON.stringify(same)) return false;
    const claim = await store.get(keys.serverName(one.kind, one.name));
    if (claim === undefined || (claim.expiresMs ?? 0) < untilMs) return false;
    // With these very settings nobody is refused, whoever holds the name.
    if ((JSON.parse(claim.value) as { readonly digest?: unknown }).digest !== settingsDigest(one)) return false;
  }
  return true;
}
