import { PosternError } from '@postern/api';
import { type Person, requireMay } from '#administration/person.ts';
import { recordNotDone } from '#resources/write-resource.ts';
import { isLostRace } from '#state/change-entry.ts';
import { keys } from '#state/keys.ts';
import type { Act } from '#trail/act.ts';
import type { UserDeps } from '#users/create-user.ts';
import { requirePassword } from '@postern/api/password-rule';
import { canonicalUserName } from '#users/user-name.ts';
import { findUser, newGeneration, userValue } from '#users/user-record.ts';

const MAX_TRIES = 20;

/** Sets a password, lifts a lock-out, and gives the user another generation: every certificate that the old password signed in is dead. */
export async function resetPassword(
  deps: UserDeps,
  asked: { readonly person: Person; readonly name: string; readonly password: string },
): Promise<void> {
  const { person, name } = asked;
  requireMay(person, 'user', 'update');
  const password = requirePassword(asked.password);
  if ((await findUser(deps.store, name)) === undefined) throw unknown(name);
  const hash = await deps.hasher.hash(password);
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const user = await findUser(deps.store, name);
    if (user === undefined) throw unknown(name);
    const act: Act = {
      kind: 'user.password_change',
      code: 'T1005I',
      user: person.name,
      resource: `user/${name}`,
      fields: { name, 'addr.remote': person.address },
    };
    await deps.trail.record(act);
    const expires = user.resource.metadata.expires;
    try {
      await deps.store.atomically([
        {
          kind: 'update',
          key: keys.user(name),
          value: userValue({ generation: newGeneration(), resource: user.resource }),
          expectedRevision: user.revision,
          ...(expires === undefined ? {} : { expiresMs: Date.parse(expires) }),
        },
        { kind: 'put', key: keys.password(name), value: hash },
        { kind: 'delete', key: keys.attempts(canonicalUserName(name)) },
      ]);
      return;
    } catch (error) {
      await recordNotDone(deps.trail, act, error);
      if (!isLostRace(error)) throw error;
    }
  }
  throw new PosternError('conflict', `user ${name} is being changed by others at once: try again`);
}

function unknown(name: string): PosternError {
  return new PosternError('not_found', `no user ${JSON.stringify(name.slice(0, 80))}: tctl users ls lists them`);
}
