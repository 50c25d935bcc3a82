import type { Labels } from '@postern/rbac';
import type { Store } from '@postern/store';
import { readResource, type ResourceJson } from '#resources/stored-resource.ts';
import { keys } from '#state/keys.ts';

/** One host that serves a resource now, as auth accepted it. */
export interface ServedResource {
  readonly kind: 'db' | 'app';
  readonly name: string;
  readonly hostId: string;
  readonly labels: Labels;
  readonly protocol: string;
  readonly uri: string;
  readonly awsRegion: string;
  readonly awsAccountId: string;
  readonly resource: ResourceJson;
}

/** Refused announcements are kept beside the accepted ones for administrators to see; nothing is routed to them. */
export function isRefused(resource: ResourceJson): boolean {
  return innerOf(resource).status?.refused !== undefined;
}

export async function findServers(store: Store, kind: 'db' | 'app', name: string): Promise<readonly ServedResource[]> {
  const prefix = keys.server(kind, name, 'x').slice(0, -1);
  const entries = await store.list(prefix);
  return entries
    .map(readResource)
    .filter((resource) => !isRefused(resource))
    .map((resource) => readServer(kind, resource));
}

export function readServer(kind: 'db' | 'app', resource: ResourceJson): ServedResource {
  const { metadata, spec } = resource;
  const inner = innerOf(resource);
  return {
    kind,
    name: metadata.name,
    hostId: typeof spec['host_id'] === 'string' ? spec['host_id'] : '',
    labels: metadata.labels ?? {},
    protocol: inner.spec?.protocol ?? '',
    uri: inner.spec?.uri ?? '',
    awsRegion: inner.spec?.aws?.region ?? '',
    awsAccountId: inner.spec?.aws?.account_id ?? '',
    resource,
  };
}

interface Inner {
  readonly spec?: {
    readonly protocol?: string;
    readonly uri?: string;
    readonly public_addr?: string;
    readonly aws?: { readonly region?: string; readonly account_id?: string };
  };
  readonly status?: { readonly refused?: string };
}

/** The host name that an application was given; empty where it goes by its name under each proxy. */
export function publicAddressOf(resource: ResourceJson): string {
  return innerOf(resource).spec?.public_addr ?? '';
}

function innerOf(resource: ResourceJson): Inner {
  return resource.spec['database'] ?? resource.spec['app'] ?? {};
}
