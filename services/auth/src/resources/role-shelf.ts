import { PosternError } from '@postern/api';
import { parseResource, roleFromResource } from '@postern/resources';
import { compileSubject, mayAdminister } from '@postern/rbac';
import type { Store } from '@postern/store';
import type { Person } from '#administration/person.ts';
import { expiryOf } from '#resources/expiry.ts';
import type { Shelf } from '#resources/shelf.ts';
import { readResource, type ResourceJson, withoutRevision } from '#resources/stored-resource.ts';
import { keys } from '#state/keys.ts';
import { readUser } from '#users/user-record.ts';

export function roleShelf(deps: { readonly store: Store; readonly nowMs: () => number }): Shelf {
  return {
    kind: 'role',
    prefix: 'roles/',
    acts: { create: ['role.created', 'T9000I'], update: ['role.updated', 'T9002I'], delete: ['role.deleted', 'T9001I'] },
    show: (entry) => {
      const resource = readResource(entry);
      return { name: resource.metadata.name, revision: entry.revision, resource };
    },
    writing: {
      keyOf: keys.role,
      plan: async ({ resource, person }) => {
        requireSelfKept(person, resource);
        return {
          value: JSON.stringify(withoutRevision(resource)),
          ...expiryOf(resource, deps.nowMs()),
          with: [],
          recordedAs: resource.metadata.name,
          fields: {},
        };
      },
    },
    planDelete: async ({ entry }) => {
      const { metadata } = readResource(entry);
      const holders = (await deps.store.list('users/')).map(readUser).filter((user) => user.roles.includes(metadata.name));
      if (holders.length > 0) {
        const names = holders.slice(0, 5).map(({ name }) => name);
        throw new PosternError(
          'conflict',
          `role ${metadata.name} is in use by ${names.join(', ')}${holders.length > 5 ? ' and others' : ''}: take it from them with tctl users update --set-roles first`,
        );
      }
      return [];
    },
  };
}

/** An administrator whose own edit would take from him the right to edit roles is stopped: nobody else may be there to undo it. */
function requireSelfKept(person: Person, written: ResourceJson): void {
  if (person.kind === 'admin' || !person.user.roles.includes(written.metadata.name)) return;
  const edited = roleFromResource(parseResource(written) as Parameters<typeof roleFromResource>[0]);
  const roles = person.roles.map((role) => (role.name === edited.name ? edited : role));
  const after = compileSubject({ user: person.name, roles, traits: person.user.traits });
  if (mayAdminister(person.subject, 'role', 'update').allowed && !mayAdminister(after, 'role', 'update').allowed) {
    throw new PosternError(
      'bad_request',
      `this would take from you, ${person.name}, the right to edit roles: let another administrator do it`,
    );
  }
}
