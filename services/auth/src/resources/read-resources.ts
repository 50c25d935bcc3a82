import { setImmediate as nextTurn } from 'node:timers/promises';
import { PosternError } from '@postern/api';
import { allowedPrincipals, decide } from '@postern/rbac';
import type { Store } from '@postern/store';
import { may, type Person, type SignedInUser } from '#administration/person.ts';
import type { Authorities } from '#authorities/authorities.ts';
import { appFromResource, appUri } from '@postern/resources';
import { principalsAllowed } from '#certs/decide-principal.ts';
import { withPublicAddress } from '#presence/app-address.ts';
import { isRefused, readServer } from '#presence/served-resource.ts';
import type { ResourceJson } from '#resources/stored-resource.ts';
import { authorityResources } from '#resources/authority-shelf.ts';
import { findEntries } from '#resources/delete-resource.ts';
import type { Shelf, ShownResource } from '#resources/shelf.ts';
import { type UserShelfDeps, withStatus } from '#resources/user-shelf.ts';

export interface ReadDeps extends UserShelfDeps {
  readonly store: Store;
  readonly shelves: ReadonlyMap<string, Shelf>;
  readonly authorities: Authorities;
}

/** In one turn of the event loop. A hundred roles, each with a pattern that is hard to match, take some two milliseconds for one resource. */
const JUDGED_AT_ONCE = 8;

/** Every resource of a kind that this person may see, in a fixed order. Nobody is told how many he may not see. */
export async function readAll(
  deps: ReadDeps,
  person: Person,
  asked: { readonly kind: string; readonly withSecrets: boolean },
): Promise<readonly ShownResource[]> {
  const all = await everything(deps, asked.kind);
  const isFree = mayReadAll(person, asked);
  if (!isFree && !canOwn(asked.kind)) refuse(person, asked);
  const shown: ShownResource[] = [];
  const atOnce = person.kind === 'admin' ? Math.max(1, all.length) : JUDGED_AT_ONCE;
  for (let at = 0; at < all.length; at += atOnce) {
    if (at > 0) await nextTurn();
    const visible = all.slice(at, at + atOnce).filter((resource) => isFree || mayUse(person, asked.kind, resource));
    for (const one of await Promise.all(visible.map((resource) => decorate(deps, person, resource)))) shown.push(one);
  }
  return shown.sort((a, b) => (positionOf(a) < positionOf(b) ? -1 : 1));
}

/** One by name. What is not there and what this person may not see get one answer. */
export async function readOne(
  deps: ReadDeps,
  person: Person,
  asked: { readonly kind: string; readonly name: string; readonly withSecrets: boolean },
): Promise<ShownResource> {
  const shelf = deps.shelves.get(asked.kind);
  const isFree = mayReadAll(person, { ...asked, isOne: true });
  if (!isFree && !canOwn(asked.kind)) refuse(person, asked);
  const found =
    shelf === undefined
      ? (await everything(deps, asked.kind)).filter(({ name }) => name === asked.name)
      : (await findEntries(deps, asked.kind, asked.name)).map((entry) => shelf.show(entry)).filter((shown) => shown !== undefined);
  const visible = found.find((shown) => isFree || mayUse(person, asked.kind, shown));
  if (visible === undefined)
    throw new PosternError(
      'not_found',
      `${asked.kind} ${JSON.stringify(asked.name.slice(0, 80))} does not exist: tctl get ${asked.kind} lists those that do`,
    );
  return decorate(deps, person, visible);
}

/** Refused servers first, so that a reader who goes by name ends with the one that is served. */
export function positionOf({ name, resource }: ShownResource): string {
  const isSecondary = resource.kind.endsWith('_server') && isRefused(resource);
  return `${isSecondary ? '0' : '1'}${name}`;
}

async function everything(deps: ReadDeps, kind: string): Promise<readonly ShownResource[]> {
  if (kind === 'cert_authority') return authorityResources(deps.authorities);
  const shelf = deps.shelves.get(kind);
  if (shelf === undefined) throw new PosternError('bad_request', `${JSON.stringify(kind.slice(0, 40))} is not a kind of resource`);
  return (await deps.store.list(shelf.prefix)).map((entry) => shelf.show(entry)).filter((shown) => shown !== undefined);
}

/** By a rule of a role. Nothing that auth shows holds a secret, yet asking for secrets takes the right to read them. */
function mayReadAll(person: Person, asked: { readonly kind: string; readonly withSecrets: boolean; readonly isOne?: boolean }): boolean {
  const mayRead = may(person, asked.kind, asked.withSecrets ? 'read' : 'readnosecrets');
  return mayRead && (asked.isOne === true || may(person, asked.kind, 'list'));
}

/** Kinds of which a person may see his own share without a rule. */
function canOwn(kind: string): boolean {
  return ['db', 'app', 'db_server', 'app_server', 'user', 'role'].includes(kind);
}

/** What a person may use he may see: resources whose labels his roles match, his own user, the roles that he has. */
function mayUse(person: Person, kind: string, { name, resource }: ShownResource): boolean {
  if (person.kind === 'admin') return true;
  if (kind === 'user') return name === person.name;
  if (kind === 'role') return person.user.roles.includes(name);
  const isServer = kind.endsWith('_server');
  if (isServer && isRefused(resource)) return false;
  return decide(person.subject, requestFor(kind, resource)).allowed;
}

async function decorate(deps: ReadDeps, person: Person, shown: ShownResource): Promise<ShownResource> {
  const { resource } = shown;
  if (resource.kind === 'user') return { ...shown, resource: await withStatus(deps, resource) };
  if (!['db', 'app', 'db_server', 'app_server'].includes(resource.kind)) return shown;
  const full = resource.kind === 'app_server' ? await withPublicAddress(deps.store, resource) : resource;
  return { ...shown, resource: person.kind === 'user' ? { ...full, users: principalsOf(person, full) } : full };
}

/** For `tsh db ls`, `tsh apps ls` and the choice of a role: which principals this user may ask for. */
function principalsOf(person: SignedInUser, resource: ResourceJson): { allowed: readonly string[]; denied: readonly string[] } {
  const { kind, name, labels } = requestFor(resource.kind, resource);
  const { denied } = allowedPrincipals(person.subject, { kind, name, labels });
  return { allowed: principalsAllowed(person.subject, { kind, name, labels, uri: uriOf(resource) }), denied };
}

function uriOf(resource: ResourceJson): string {
  if (resource.kind === 'app') return appUri(appFromResource(resource));
  return readServer(resource.kind === 'app_server' ? 'app' : 'db', resource).uri;
}

function requestFor(kind: string, resource: ResourceJson) {
  return {
    kind: kind.startsWith('app') ? ('app' as const) : ('db' as const),
    name: resource.metadata.name,
    labels: resource.metadata.labels ?? {},
  };
}

function refuse(person: Person, asked: { readonly kind: string }): never {
  const who = person.kind === 'user' ? ` (roles: ${person.user.roles.join(', ') || 'none'})` : '';
  throw new PosternError('denied', `no role allows you to read resources of kind ${asked.kind.slice(0, 40)}${who}`);
}
