import { randomUUID } from 'node:crypto';
import { PosternError } from '@postern/api';
import { type Authority, type AuthorityKind, authorityKeyPem, caPin, createAuthority, loadAuthority } from '@postern/pki';
import type { Entry, Operation, Store } from '@postern/store';
import type { Authorities, AuthorityView } from '#authorities/authorities.ts';
import { readMarkerFile, writeMarkerFile } from '#authorities/marker-file.ts';
import { loadSealKey } from '#seal/seal-key.ts';
import { Sealer, type Sealed } from '#seal/sealer.ts';
import { isLostRace } from '#state/change-entry.ts';
import { keys } from '#state/keys.ts';

export interface OpenAuthoritiesOptions {
  readonly store: Store;
  readonly cluster: string;
  readonly sealKeyFile: string;
  readonly markerFile: string;
  /** Written with the authorities, in one step: the first route key, the preset roles. */
  readonly alsoCreate: (sealer: Sealer) => readonly Operation[];
  readonly nowMs: () => number;
}

interface Marker {
  readonly id: string;
  readonly name: string;
}
interface StoredAuthority {
  readonly kind: AuthorityKind;
  readonly rotation: 'standby';
  readonly keys: readonly { readonly certificatePem: string; readonly sealedKey: Sealed }[];
}

/**
 * Reads the cluster's authorities, creating them on the very first start. Everything that makes a cluster is one batch of
 * creations, so of two auths that start on one empty store one wins and the other reads what it made. A store that is
 * empty although this host has served a cluster is a store that lost its data: a new authority there would only make
 * every agent and client distrust the cluster, so the start is refused.
 */
export async function openAuthorities(
  options: OpenAuthoritiesOptions,
): Promise<{ readonly authorities: Authorities; readonly sealer: Sealer }> {
  const { store } = options;
  const remembered = await readMarkerFile(options.markerFile);
  const found = await readMarker(store);
  if (found === undefined && remembered !== undefined) {
    throw new PosternError(
      'internal',
      `the store is empty, and this host has served cluster ${remembered.name} (${remembered.id}): restore the store; to begin a new cluster remove ${options.markerFile}`,
    );
  }
  const sealer = new Sealer(await loadSealKey({ file: options.sealKeyFile, mayCreate: found === undefined }));
  if (found === undefined) await createCluster(options, sealer);
  const marker = found ?? (await readMarker(store));
  if (marker === undefined) throw new PosternError('internal', 'the cluster vanished from the store as it was made');
  checkMarker({ marker, remembered, cluster: options.cluster, markerFile: options.markerFile });
  const host = await readAuthority(options, sealer, 'host');
  const user = await readAuthority(options, sealer, 'user');
  await writeMarkerFile(options.markerFile, marker);
  return { authorities: toAuthorities(marker, { host, user }), sealer };
}

/** Whether the store still holds the cluster that this process serves; a store emptied under our feet does not. */
export async function isStoreOurs(store: Store, authorities: Authorities): Promise<boolean> {
  return (await readMarker(store))?.id === authorities.clusterId;
}

async function createCluster(options: OpenAuthoritiesOptions, sealer: Sealer): Promise<void> {
  const { store, cluster, nowMs } = options;
  const host = await createAuthority({ kind: 'host', cluster, nowMs: nowMs() });
  const user = await createAuthority({ kind: 'user', cluster, nowMs: nowMs() });
  const marker: Marker = { id: randomUUID(), name: cluster };
  try {
    await store.atomically([
      { kind: 'create', key: keys.cluster, value: JSON.stringify(marker) },
      sealed(host, sealer),
      sealed(user, sealer),
      ...options.alsoCreate(sealer),
    ]);
  } catch (error) {
    if (!isLostRace(error)) throw error;
  }
}

function sealed(authority: Authority, sealer: Sealer): Operation {
  const stored: StoredAuthority = {
    kind: authority.kind,
    rotation: 'standby',
    keys: [
      {
        certificatePem: authority.certificatePem,
        sealedKey: sealer.seal(Buffer.from(authorityKeyPem(authority)), sealContext(authority.kind, authority.certificatePem)),
      },
    ],
  };
  return { kind: 'create', key: keys.authority(authority.kind), value: JSON.stringify(stored) };
}

async function readAuthority(options: OpenAuthoritiesOptions, sealer: Sealer, kind: AuthorityKind): Promise<Authority[]> {
  const entry = await options.store.get(keys.authority(kind));
  if (entry === undefined) throw new PosternError('internal', `the store holds a cluster without its ${kind} authority: restore the store`);
  const { keys: stored } = JSON.parse(entry.value) as StoredAuthority;
  return stored.map(({ certificatePem, sealedKey }) => {
    const privateKeyPem = sealer.open(sealedKey, sealContext(kind, certificatePem));
    try {
      return loadAuthority({ kind, cluster: options.cluster, certificatePem, privateKeyPem });
    } finally {
      privateKeyPem.fill(0);
    }
  });
}

function sealContext(kind: AuthorityKind, certificatePem: string): string {
  return `${kind} authority ${caPin(certificatePem)}`;
}

async function readMarker(store: Store): Promise<Marker | undefined> {
  const entry: Entry | undefined = await store.get(keys.cluster);
  return entry === undefined ? undefined : (JSON.parse(entry.value) as Marker);
}

function checkMarker(found: { marker: Marker; remembered: Marker | undefined; cluster: string; markerFile: string }): void {
  const { marker, remembered, cluster, markerFile } = found;
  if (marker.name !== cluster) {
    throw new PosternError(
      'internal',
      `the store belongs to cluster ${marker.name}, and the configuration says ${cluster}: a cluster cannot be renamed`,
    );
  }
  if (remembered !== undefined && remembered.id !== marker.id) {
    throw new PosternError(
      'internal',
      `the store holds cluster ${marker.id}, and this host has served ${remembered.id} under the same name: point it at its own store, or remove ${markerFile}`,
    );
  }
}

function toAuthorities(marker: Marker, held: Readonly<Record<AuthorityKind, readonly Authority[]>>): Authorities {
  const views: readonly AuthorityView[] = (['host', 'user'] as const).flatMap((kind) =>
    held[kind].map((authority, index) => ({
      kind,
      rotation: 'standby (never rotated)',
      algorithm: 'ECDSA P-256',
      status: index === 0 ? ('active' as const) : ('trusted' as const),
      certificatePem: authority.certificatePem,
      pin: caPin(authority.certificatePem),
    })),
  );
  return {
    cluster: marker.name,
    clusterId: marker.id,
    signer(kind) {
      const [signer] = held[kind];
      if (signer === undefined) throw new PosternError('internal', `there is no ${kind} authority to sign with`);
      return signer;
    },
    trustedPems: (kind) => held[kind].map((authority) => authority.certificatePem),
    describe: () => views,
  };
}
