import { PosternError } from '@postern/api';
import type { Entry, Operation, Store } from '@postern/store';
import { may, type Person } from '#administration/person.ts';
import { compileSubject, mayAdminister } from '@postern/rbac';
import { suggestion } from '@postern/resources';
import { lockedOutUntilMs } from '#login/attempts.ts';
import type { RoleLoader } from '#roles/load-roles.ts';
import { expiryOf } from '#resources/expiry.ts';
import type { Shelf, ShownResource } from '#resources/shelf.ts';
import { type ResourceJson, withoutRevision } from '#resources/stored-resource.ts';
import { keys } from '#state/keys.ts';
import { canonicalUserName, requireUserName } from '#users/user-name.ts';
import { newGeneration, readUser, userValue } from '#users/user-record.ts';

const ROLES = 'roles/';

export interface UserShelfDeps {
  readonly store: Store;
  readonly roles: RoleLoader;
  readonly nowMs: () => number;
}

export function userShelf(deps: UserShelfDeps): Shelf {
  return {
    kind: 'user',
    prefix: 'users/',
    acts: { create: ['user.create', 'T1002I'], update: ['user.update', 'T1003I'], delete: ['user.delete', 'T1004I'] },
    show: (entry) => shownUser(entry),
    writing: {
      keyOf: keys.user,
      plan: async ({ resource, current, person }) => {
        const name = current === undefined ? requireUserName(resource.metadata.name) : resource.metadata.name;
        const roles = (resource.spec['roles'] ?? []) as readonly string[];
        const checks = await checkRoles(deps.store, roles);
        await requireSelfKept(deps, { person, name, roles });
        const { status: _status, ...spec } = resource.spec;
        const generation = current === undefined ? newGeneration() : readUser(current).generation;
        return {
          value: userValue({ generation, resource: withoutRevision({ ...resource, spec }) }),
          ...expiryOf(resource, deps.nowMs()),
          // A user of this name that expired may have left a password: it must not open the new account.
          with: current === undefined ? [...checks, { kind: 'delete', key: keys.password(name) }] : checks,
          recordedAs: name,
          fields: { roles },
        };
      },
    },
    planDelete: async ({ entry, person }) => {
      const { name } = readUser(entry);
      if (person.kind === 'user' && person.name === name)
        throw new PosternError('bad_request', `you are signed in as ${name}: let another administrator delete this user`);
      return [
        { kind: 'delete', key: keys.password(name) },
        { kind: 'delete', key: keys.attempts(canonicalUserName(name)) },
      ];
    },
  };
}

export function shownUser(entry: Entry): ShownResource {
  const { name, resource, revision } = readUser(entry);
  return { name, revision, resource };
}

/** As administrators see it: whether failed sign-ins have locked the user out, and until when. */
export async function withStatus(deps: UserShelfDeps, resource: ResourceJson): Promise<ResourceJson> {
  const until = await lockedOutUntilMs(deps, canonicalUserName(resource.metadata.name));
  if (until === undefined) return resource;
  return { ...resource, spec: { ...resource.spec, status: { locked_out_until: new Date(until).toISOString() } } };
}

/** Every role must be there, now and still when the user is written. */
export async function checkRoles(store: Store, roles: readonly string[]): Promise<readonly Operation[]> {
  const checks: Operation[] = [];
  for (const name of new Set(roles)) {
    const key = keys.role(name);
    const entry = await store.get(key);
    if (entry === undefined) throw await unknownRole(store, name);
    checks.push({ kind: 'check', key, expectedRevision: entry.revision });
  }
  return checks;
}

async function unknownRole(store: Store, name: string): Promise<PosternError> {
  const known = (await store.list(ROLES)).map(({ key }) => key.slice(ROLES.length));
  return new PosternError('bad_request', `role ${name} is not found${suggestion(name, known)}: tctl get roles lists them`);
}

/** Nobody takes from himself the right to edit users: there may be no one else to give it back. */
export async function requireSelfKept(
  deps: UserShelfDeps,
  edit: { readonly person: Person; readonly name: string; readonly roles: readonly string[] },
): Promise<void> {
  const { person, name, roles } = edit;
  if (person.kind === 'admin' || person.name !== name || !may(person, 'user', 'update')) return;
  const after = compileSubject({ user: name, roles: await deps.roles.load(roles), traits: person.user.traits });
  if (!mayAdminister(after, 'user', 'update').allowed) {
    throw new PosternError('bad_request', `this would take from you, ${name}, the right to edit users: let another administrator do it`);
  }
}
