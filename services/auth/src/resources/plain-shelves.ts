import { PosternError } from '@postern/api';
import type { Entry, Store } from '@postern/store';
import { addressConflict } from '#presence/app-address.ts';
import { isRefused } from '#presence/served-resource.ts';
import { expiryOf } from '#resources/expiry.ts';
import type { ActCodes, Shelf, ShownResource } from '#resources/shelf.ts';
import { readResource, withoutRevision } from '#resources/stored-resource.ts';
import { keys, segment } from '#state/keys.ts';

/** Databases and applications that administrators write and agents pick up. */
export function dynamicShelf(options: { readonly kind: 'db' | 'app'; readonly store: Store; readonly nowMs: () => number }): Shelf {
  const { kind, store, nowMs } = options;
  const prefix = kind === 'db' ? 'databases/' : 'apps/';
  const letters = kind === 'db' ? 'TDB' : 'TAP';
  return {
    kind,
    prefix,
    acts: acts(kind, { create: `${letters}03I`, update: `${letters}04I`, delete: `${letters}05I` }),
    show: shownByName,
    writing: {
      keyOf: (name) => keys.resource(kind, name),
      plan: async ({ resource }) => {
        const { name, labels } = resource.metadata;
        const { public_addr: address } = resource.spec;
        const conflict = await addressConflict(store, { kind, name, publicAddress: typeof address === 'string' ? address : '' });
        if (conflict !== undefined) throw new PosternError('already_exists', conflict);
        return {
          value: JSON.stringify(withoutRevision(resource)),
          ...expiryOf(resource, nowMs()),
          with: [],
          recordedAs: name,
          fields: { [`${kind}_labels`]: labels ?? {} },
        };
      },
    },
    planDelete: async () => [],
  };
}

/** What agents announced. Administrators may remove an entry that is in the way; agents that live announce it again. */
export function serverShelf(options: { readonly kind: 'db' | 'app'; readonly store: Store }): Shelf {
  const { kind, store } = options;
  const prefix = `${kind}_servers/`;
  return {
    kind: `${kind}_server`,
    prefix,
    acts: acts(`${kind}_server`, { create: 'TPS01I', update: 'TPS02I', delete: 'TPS03I' }),
    show: (entry) => ({ name: entry.key.slice(prefix.length), revision: entry.revision, resource: readResource(entry) }),
    planDelete: async ({ entry }) => {
      const { metadata } = readResource(entry);
      return isRefused(readResource(entry)) ? [] : [{ kind: 'delete', key: keys.serverName(kind, metadata.name) }];
    },
    find: async (name) => {
      const [resourceName = '', hostId] = name.split('/');
      if (hostId === undefined) return store.list(`${prefix}${segment(resourceName)}/`);
      const entry = await store.get(keys.server(kind, resourceName, hostId));
      return entry === undefined ? [] : [entry];
    },
  };
}

export function proxyShelf(): Shelf {
  return {
    kind: 'proxy',
    prefix: 'proxies/',
    acts: acts('proxy', { create: 'TPS11I', update: 'TPS12I', delete: 'TPS13I' }),
    show: shownByName,
    planDelete: async () => [],
  };
}

/** Sessions that their own users ended: agents watch them, and nobody writes or removes them. */
export function endedSessionShelf(): Shelf {
  return {
    kind: 'ended_session',
    prefix: 'ended_sessions/',
    acts: acts('session', { create: 'T2016I', update: 'T2016I', delete: 'T2016I' }, 'logout'),
    show: shownByName,
  };
}

/** The one setting of the cluster. What it may say is checked by the parser: second_factor off, nothing unenforced. */
export function authPreferenceShelf(store: Store): Shelf {
  return {
    kind: 'cluster_auth_preference',
    prefix: 'auth_preference/',
    acts: acts('auth_preference', { create: 'TCAUTH001I', update: 'TCAUTH001I', delete: 'TCAUTH001I' }, 'update'),
    show: (entry) => ({ name: 'cluster-auth-preference', revision: entry.revision, resource: readResource(entry) }),
    find: async () => store.list('auth_preference/'),
    writing: {
      keyOf: () => keys.authPreference,
      plan: async ({ resource }) => {
        if (resource.metadata.name !== 'cluster-auth-preference') {
          throw new PosternError('bad_request', 'metadata.name: the one cluster_auth_preference is named cluster-auth-preference');
        }
        return { value: JSON.stringify(withoutRevision(resource)), with: [], recordedAs: resource.metadata.name, fields: {} };
      },
    },
  };
}

function shownByName(entry: Entry): ShownResource {
  const resource = readResource(entry);
  return { name: resource.metadata.name, revision: entry.revision, resource };
}

function acts(
  noun: string,
  codes: { readonly create: string; readonly update: string; readonly delete: string },
  onlyVerb?: string,
): ActCodes {
  return {
    create: [`${noun}.${onlyVerb ?? 'create'}`, codes.create],
    update: [`${noun}.${onlyVerb ?? 'update'}`, codes.update],
    delete: [`${noun}.${onlyVerb ?? 'delete'}`, codes.delete],
  };
}
