import { PosternError } from '@postern/api/errors';
import { type VisibleDatabase, visibleDatabases } from '#databases/visible-databases.ts';
import { unknownResource } from '#sessions/resource-kind.ts';
import type { SignedIn } from '@postern/profile/signed-in';
import { UsageError } from '@postern/terminal/usage-error';

/** Which IAM role is meant is never guessed: the error lists those that are allowed. */
export async function askForDbUser(who: SignedIn, name: string): Promise<never> {
  const database = findDatabase(await visibleDatabases(who), name);
  const allowed = database.allowed.filter((user) => !database.denied.includes(user));
  if (allowed.length === 0)
    throw new PosternError('denied', `no role lets ${who.profile.user} use an IAM role on database "${name}": ask for one with db_users`);
  throw new UsageError(`--db-user is missing: allowed for "${name}" are ${allowed.join(', ')}`);
}

export function findDatabase(databases: readonly VisibleDatabase[], name: string): VisibleDatabase {
  const found = databases.find((database) => database.name === name);
  if (found === undefined) throw unknownResource('db', name);
  return found;
}
