import { PosternError } from '@postern/api';
import { type LockTarget, matches } from '#locks/locks.ts';
import { expiryOf } from '#resources/expiry.ts';
import type { Shelf } from '#resources/shelf.ts';
import { readResource, withoutRevision } from '#resources/stored-resource.ts';
import { keys } from '#state/keys.ts';

/** Locks; who made one and when is written by auth, whatever the file says. */
export function lockShelf(deps: { readonly nowMs: () => number }): Shelf {
  return {
    kind: 'lock',
    prefix: 'locks/',
    acts: { create: ['lock.created', 'TLK00I'], update: ['lock.created', 'TLK00I'], delete: ['lock.deleted', 'TLK01I'] },
    show: (entry) => {
      const resource = readResource(entry);
      return { name: resource.metadata.name, revision: entry.revision, resource };
    },
    writing: {
      keyOf: keys.lock,
      plan: async ({ resource, person }) => {
        const target = resource.spec['target'] as LockTarget;
        if (person.kind === 'user' && matches(target, { user: person.name, roles: person.user.roles })) {
          throw new PosternError('bad_request', `this would lock you, ${person.name}, out: let another administrator do it`);
        }
        const spec: Record<string, unknown> = {
          ...resource.spec,
          created_at: new Date(deps.nowMs()).toISOString(),
          created_by: person.name,
        };
        return {
          value: JSON.stringify(withoutRevision({ ...resource, spec })),
          ...expiryOf(resource, deps.nowMs()),
          with: [],
          recordedAs: resource.metadata.name,
          fields: { target, ...(typeof spec['expires'] === 'string' ? { expires: spec['expires'] } : {}) },
        };
      },
    },
    planDelete: async () => [],
  };
}
