import { hash } from 'node:crypto';
import type { Entry, Store } from '@postern/store';
import type { Authorities } from '#authorities/authorities.ts';
import { isRefused } from '#presence/served-resource.ts';
import { authorityResources } from '#resources/authority-shelf.ts';
import type { Shelf, ShownResource } from '#resources/shelf.ts';
import { readUser } from '#users/user-record.ts';

export type WatchEvent =
  | { readonly type: 'put'; readonly kind: string; readonly shown: ShownResource }
  | { readonly type: 'delete'; readonly kind: string; readonly name: string }
  | { readonly type: 'synced' };

export interface WatchKindDeps {
  readonly store: Store;
  readonly shelves: ReadonlyMap<string, Shelf>;
  readonly authorities: Authorities;
}

/** Hosts of these kinds say again and again that they are there. */
const PRESENCES: ReadonlySet<string> = new Set(['db_server', 'app_server', 'proxy']);

/**
 * One kind as it stands, then `synced`, then each change. For hosts, users are reduced to name, generation and roles; and of hosts that
 * serve they are not told until when each has said so: for thousands that would be a change of nothing, many times a second.
 */
export async function* watchKind(
  deps: WatchKindDeps,
  watch: { readonly kind: string; readonly forHost: boolean; readonly signal: AbortSignal },
): AsyncGenerator<WatchEvent> {
  const { kind, forHost, signal } = watch;
  const isPresence = forHost && PRESENCES.has(kind);
  if (kind === 'cert_authority') {
    for (const shown of authorityResources(deps.authorities)) yield { type: 'put', kind, shown };
    yield { type: 'synced' };
    return;
  }
  const shelf = deps.shelves.get(kind);
  if (shelf === undefined) return;
  /** A delete event has a key and no value, and a token's key is not its name. */
  const told = new Map<string, { readonly name: string; readonly digest: string }>();
  for await (const event of deps.store.watch(shelf.prefix, { signal })) {
    if (event.type === 'synced') {
      yield { type: 'synced' };
      continue;
    }
    const key = event.type === 'put' ? event.entry.key : event.key;
    const shown = event.type === 'put' ? show(shelf, event.entry, forHost) : undefined;
    const before = told.get(key);
    if (shown !== undefined) {
      const digest = isPresence ? hash('sha256', JSON.stringify(shown.resource), 'base64') : '';
      if (isPresence && digest === before?.digest) continue;
      told.set(key, { name: shown.name, digest });
      yield { type: 'put', kind, shown };
    } else if (before !== undefined) {
      told.delete(key);
      yield { type: 'delete', kind, name: before.name };
    }
  }
}

function show(shelf: Shelf, entry: Entry, forHost: boolean): ShownResource | undefined {
  if (!forHost) return shelf.show(entry);
  if (shelf.kind === 'user') return reducedUser(entry);
  const shown = shelf.show(entry);
  // A refused announcement is for administrators to see, and nothing to route or decide by.
  if (shown !== undefined && shelf.kind.endsWith('_server') && isRefused(shown.resource)) return undefined;
  return shown !== undefined && PRESENCES.has(shelf.kind) ? lasting(shown) : shown;
}

/** Auth takes an announcement away when its time is over, and tells that. */
function lasting({ name, revision, resource }: ShownResource): ShownResource {
  const { expires: _, ...metadata } = resource.metadata;
  return { name, revision, resource: { ...resource, metadata } };
}

function reducedUser(entry: Entry): ShownResource {
  const { name, generation, roles, revision } = readUser(entry);
  return { name, revision, resource: { kind: 'user', version: 'v2', metadata: { name }, spec: { generation, roles } } };
}
