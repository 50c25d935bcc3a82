import {
  type Handlers,
  type IdentifiedCaller,
  Identity_Kind,
  PosternError,
  type Resource,
  type ResourceEvent,
  ResourceEvent_Type,
  type ResourcesService,
} from '@postern/api';
import { type Person, personOf, requireMay } from '#administration/person.ts';
import { requireHost } from '#hosts/host-record.ts';
import { requireUnlocked } from '#locks/locks.ts';
import { deleteResource } from '#resources/delete-resource.ts';
import { takePage } from '#resources/page.ts';
import { positionOf, type ReadDeps, readAll, readOne } from '#resources/read-resources.ts';
import type { ShownResource } from '#resources/shelf.ts';
import { withRevision } from '#resources/stored-resource.ts';
import { type WriteDeps, writeResource } from '#resources/write-resource.ts';
import { identified } from '#rpc/identified.ts';
import type { Sealer } from '#seal/sealer.ts';
import { mayHostWatch } from '#watch/visibility.ts';
import { type Watch, type WatchedEvent, watchResources } from '#watch/watch-resources.ts';
import { WatchingHosts } from '#watch/watching-hosts.ts';

export interface ResourcesRpcDeps extends ReadDeps, WriteDeps {
  readonly sealer: Sealer;
  /** Of a watch in a small cluster; in one of thousands up to three times as long. */
  readonly heartbeatMs: number;
}

const MAX_KINDS = 16;

export function resourcesHandlers(deps: ResourcesRpcDeps): Handlers<typeof ResourcesService> {
  const writing = (mode: 'create' | 'put' | 'update') => async (request: { kind: string; json: Buffer }, person: Person) => {
    const { shown, created } = await writeResource(deps, { person, mode, kind: request.kind, json: request.json });
    return { resource: toWire(request.kind, shown), created };
  };
  const watching = new WatchingHosts();
  const heartbeatMs = () => deps.heartbeatMs + watching.quietMs;
  return {
    getResource: async (request, context) => {
      const person = await personOf(deps, identified(context));
      return toWire(request.kind, await readOne(deps, person, request));
    },
    listResources: async (request, context) => {
      const person = await personOf(deps, identified(context));
      const items = await readAll(deps, person, request);
      const { pageSize, pageToken } = request;
      const wired = items.map((shown) => ({ position: positionOf(shown), wire: toWire(request.kind, shown) }));
      const scope = `${request.kind}\0${person.kind}\0${person.name}`;
      const { page, nextPageToken } = takePage(deps.sealer, {
        items: wired,
        positionOf: ({ position }) => position,
        bytesOf: ({ wire }) => wire.json.length,
        scope,
        pageSize,
        pageToken,
      });
      return { resources: page.map(({ wire }) => wire), nextPageToken };
    },
    createResource: async (request, context) => (await writing('create')(request, await personOf(deps, identified(context)))).resource,
    putResource: async (request, context) => writing('put')(request, await personOf(deps, identified(context))),
    updateResource: async (request, context) => (await writing('update')(request, await personOf(deps, identified(context)))).resource,
    deleteResource: async (request, context) => {
      const person = await personOf(deps, identified(context));
      await deleteResource(deps, { person, kind: request.kind, name: request.name });
      return {};
    },
    watchResources: async function* (request, context) {
      const caller = identified(context);
      if (request.kinds.length === 0) throw new PosternError('bad_request', 'a watch names the kinds of resources that it is for');
      if (request.kinds.length > MAX_KINDS) throw new PosternError('bad_request', `at most ${MAX_KINDS} kinds in one watch`);
      const watch = await watchFor(deps, caller, [...new Set(request.kinds)]);
      const { kind, name } = caller.identity;
      const leave = watch.forHost ? watching.enter(name) : undefined;
      const shared = () => watching.toldTo(kind);
      try {
        for await (const event of watchResources(deps, { ...watch, heartbeatMs, signal: context.signal })) yield toEvent(event, shared);
      } finally {
        leave?.();
      }
    },
  };
}

/** Hosts go by the table of what their work needs, people by the rules of their roles; both are asked again as things change. */
async function watchFor(
  deps: ResourcesRpcDeps,
  caller: IdentifiedCaller,
  kinds: readonly string[],
): Promise<Omit<Watch, 'heartbeatMs' | 'signal'>> {
  const { kind, name } = caller.identity;
  const isPerson = kind === Identity_Kind.USER || kind === Identity_Kind.ADMIN;
  for (const watched of kinds) {
    const isKnown = watched === 'cert_authority' || deps.shelves.has(watched);
    if (!isKnown) throw new PosternError('bad_request', `${JSON.stringify(watched.slice(0, 40))} is not a kind of resource`);
    if (!isPerson && !mayHostWatch(kind, watched))
      throw new PosternError('denied', `a host of this kind may not watch resources of kind ${watched}`);
  }
  const recheck = isPerson
    ? async () => {
        const person = await personOf(deps, caller);
        for (const watched of kinds) for (const verb of ['list', 'readnosecrets'] as const) requireMay(person, watched, verb);
      }
    : async () => {
        const host = await requireHost(deps.store, name);
        await requireUnlocked(deps, { hostId: host.id, tokenId: host.tokenId });
      };
  await recheck();
  const guardedPrefixes = kind === Identity_Kind.ADMIN ? [] : isPerson ? ['locks/', 'users/', 'roles/'] : ['locks/'];
  return { kinds, forHost: !isPerson, recheck, guardedPrefixes };
}

function toWire(kind: string, { name, revision, resource }: ShownResource): Resource {
  const json = revision === '' ? resource : withRevision(resource, revision);
  return { kind, name, revision, json: Buffer.from(JSON.stringify(json)) };
}

const NOTHING_SHARED = { spreadMs: 0, quietMs: 0 };

function toEvent(event: WatchedEvent, shared: () => Pick<ResourceEvent, 'spreadMs' | 'quietMs'>): ResourceEvent {
  if (event.type === 'put') return { type: ResourceEvent_Type.PUT, resource: toWire(event.kind, event.shown), ...NOTHING_SHARED };
  if (event.type === 'delete') {
    const resource = { kind: event.kind, name: event.name, revision: '', json: Buffer.alloc(0) };
    return { type: ResourceEvent_Type.DELETE, resource, ...NOTHING_SHARED };
  }
  const type = event.type === 'synced' ? ResourceEvent_Type.SYNCED : ResourceEvent_Type.HEARTBEAT;
  return { type, resource: undefined, ...shared() };
}
