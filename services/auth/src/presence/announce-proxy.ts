import { isIP } from 'node:net';
import { PosternError } from '@postern/api';
import { requireHost } from '#hosts/host-record.ts';
import { requireUnlocked } from '#locks/locks.ts';
import { ANNOUNCED_FOR_MS, type PresenceDeps } from '#presence/announce-servers.ts';
import type { ResourceJson } from '#resources/stored-resource.ts';
import { keys } from '#state/keys.ts';

export async function announceProxy(
  deps: PresenceDeps,
  said: { readonly hostId: string; readonly publicAddress: string; readonly ownAddress: string; readonly version: string },
): Promise<void> {
  const host = await requireHost(deps.store, said.hostId);
  await requireUnlocked(deps, { hostId: host.id, tokenId: host.tokenId });
  const publicAddress = requireAddress(said.publicAddress);
  const ownAddress = said.ownAddress === '' ? publicAddress : requireAddress(said.ownAddress);
  const expiresMs = deps.nowMs() + ANNOUNCED_FOR_MS;
  const resource: ResourceJson = {
    kind: 'proxy',
    version: 'v2',
    metadata: { name: host.id, expires: new Date(expiresMs).toISOString() },
    spec: { public_addr: publicAddress, own_addr: ownAddress, hostname: host.nodeName, version: said.version.slice(0, 64) },
  };
  await deps.store.put(keys.proxy(host.id), JSON.stringify(resource), { expiresMs });
}

/** The address that agents and tctl are told to dial. */
function requireAddress(address: string): string {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+):(\d{1,5})$/i.exec(address);
  const [, host, port] = match ?? [];
  const isHost = host !== undefined && host.length <= 255 && (!host.startsWith('[') || isIP(host.slice(1, -1)) === 6);
  if (!isHost || Number(port) < 1 || Number(port) > 65_535)
    throw new PosternError('bad_request', `${JSON.stringify(address.slice(0, 80))} is not a host:port address`);
  return address;
}
