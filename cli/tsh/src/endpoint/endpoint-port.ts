import { join } from 'node:path';
import { ensurePrivateDir, readPrivateFile, writePrivateFile } from '@postern/profile/private-files';
import type { ProfileStore } from '@postern/profile/profile-store';

/** Nobody's by IANA's list. Profiles name the port, so that it is the same each time. */
export const DEFAULT_ENDPOINT_PORT = 23_480;

const fileOf = (store: ProfileStore) => join(store.home, 'endpoint-port');

export function endpointPort(store: ProfileStore): number {
  const port = Number(readPrivateFile(fileOf(store)) ?? '');
  return Number.isInteger(port) && port > 0 && port <= 65_535 ? port : DEFAULT_ENDPOINT_PORT;
}

export function keepEndpointPort(store: ProfileStore, port: number): void {
  ensurePrivateDir(store.home);
  writePrivateFile(fileOf(store), `${port}\n`);
}
