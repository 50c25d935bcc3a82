import { PosternError } from '@postern/api';
import { parseResource, ResourceError } from '@postern/resources';
import type { Traits } from '@postern/rbac';
import { type Store, StoreError } from '@postern/store';
import { type Person, requireMay } from '#administration/person.ts';
import type { PasswordHasher } from '#login/password-hash.ts';
import { checkRoles } from '#resources/user-shelf.ts';
import type { ResourceJson } from '#resources/stored-resource.ts';
import { recordNotDone } from '#resources/write-resource.ts';
import { keys } from '#state/keys.ts';
import type { Act, Trail } from '#trail/act.ts';
import { requirePassword } from '@postern/api/password-rule';
import { requireUserName } from '#users/user-name.ts';
import { newGeneration, userResource, userValue } from '#users/user-record.ts';

export interface UserDeps {
  readonly store: Store;
  readonly trail: Trail;
  readonly hasher: PasswordHasher;
}
export interface NewUser {
  readonly person: Person;
  readonly name: string;
  readonly roles: readonly string[];
  readonly traits: Traits;
  /** Empty: the user cannot sign in until a password is set. */
  readonly password: string;
}

/** The user and the password are written in one step: no crash leaves one without the other. */
export async function createUser(deps: UserDeps, asked: NewUser): Promise<void> {
  const { person, roles, traits } = asked;
  requireMay(person, 'user', 'create');
  const name = requireUserName(asked.name);
  if (roles.length === 0) throw new PosternError('bad_request', `user ${name}: give at least one role with --roles`);
  const resource = requireValid(userResource({ name, roles, traits }));
  const checks = await checkRoles(deps.store, roles);
  const hash = asked.password === '' ? undefined : await deps.hasher.hash(requirePassword(asked.password));
  if ((await deps.store.get(keys.user(name))) !== undefined) throw taken(name);
  const act: Act = {
    kind: 'user.create',
    code: 'T1002I',
    user: person.name,
    resource: `user/${name}`,
    fields: { name, roles, connector: 'local', 'addr.remote': person.address },
  };
  await deps.trail.record(act);
  try {
    await deps.store.atomically([
      { kind: 'create', key: keys.user(name), value: userValue({ generation: newGeneration(), resource }) },
      // A user of this name that expired may have left a password: it must not open the new account.
      hash === undefined ? { kind: 'delete', key: keys.password(name) } : { kind: 'put', key: keys.password(name), value: hash },
      ...checks,
    ]);
  } catch (error) {
    await recordNotDone(deps.trail, act, error);
    if (error instanceof StoreError && error.code === 'exists') throw taken(name);
    throw error;
  }
}

/** The parser judges traits and roles as it does for a file. */
export function requireValid(resource: ResourceJson): ResourceJson {
  try {
    parseResource(structuredClone(resource));
    return resource;
  } catch (error) {
    if (error instanceof ResourceError) throw new PosternError('bad_request', error.message);
    throw error;
  }
}

function taken(name: string): PosternError {
  return new PosternError('already_exists', `user ${name} exists already: tctl users update changes it`);
}
