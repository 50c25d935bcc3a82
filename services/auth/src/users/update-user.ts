import { PosternError } from '@postern/api';
import type { Traits } from '@postern/rbac';
import { type Person, requireMay } from '#administration/person.ts';
import { checkRoles, requireSelfKept, type UserShelfDeps } from '#resources/user-shelf.ts';
import { recordNotDone } from '#resources/write-resource.ts';
import { isLostRace } from '#state/change-entry.ts';
import { keys } from '#state/keys.ts';
import type { Act, Trail } from '#trail/act.ts';
import { requireValid } from '#users/create-user.ts';
import { findUser, userValue } from '#users/user-record.ts';

export interface UserEdit {
  readonly person: Person;
  readonly name: string;
  /** Empty: unchanged; otherwise the whole list. */
  readonly setRoles: readonly string[];
  /** Each replaces the trait of that name; one without values removes it. */
  readonly setTraits: Traits;
}

const MAX_TRIES = 20;

export async function updateUser(deps: UserShelfDeps & { readonly trail: Trail }, edit: UserEdit): Promise<void> {
  const { person, name, setRoles, setTraits } = edit;
  requireMay(person, 'user', 'update');
  if (setRoles.length === 0 && Object.keys(setTraits).length === 0)
    throw new PosternError('bad_request', 'nothing to change: give --set-roles or a trait');
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const user = await findUser(deps.store, name);
    if (user === undefined) throw new PosternError('not_found', `no user ${JSON.stringify(name.slice(0, 80))}: tctl users ls lists them`);
    const roles = setRoles.length > 0 ? setRoles : user.roles;
    const checks = await checkRoles(deps.store, roles);
    await requireSelfKept(deps, { person, name, roles });
    const traits = Object.fromEntries(Object.entries({ ...user.traits, ...setTraits }).filter(([, values]) => values.length > 0));
    const resource = requireValid({ ...user.resource, spec: { ...user.resource.spec, roles, traits } });
    const act: Act = {
      kind: 'user.update',
      code: 'T1003I',
      user: person.name,
      resource: `user/${name}`,
      fields: { name, roles, traits: Object.keys(setTraits), 'addr.remote': person.address },
    };
    await deps.trail.record(act);
    try {
      const value = userValue({ generation: user.generation, resource });
      const expires = resource.metadata.expires;
      const expiry = expires === undefined ? {} : { expiresMs: Date.parse(expires) };
      await deps.store.atomically([{ kind: 'update', key: keys.user(name), value, expectedRevision: user.revision, ...expiry }, ...checks]);
      return;
    } catch (error) {
      await recordNotDone(deps.trail, act, error);
      if (!isLostRace(error)) throw error;
    }
  }
  throw new PosternError('conflict', `user ${name} is being changed by others at once: try again`);
}
