import { type IdentifiedCaller, Identity_Kind, PosternError } from '@postern/api';
import { type CompiledSubject, compileSubject, mayAdminister, type Role, RoleError } from '@postern/rbac';
import type { Store } from '@postern/store';
import { requireUnlocked } from '#locks/locks.ts';
import type { RoleLoader } from '#roles/load-roles.ts';
import { findUser, type UserRecord } from '#users/user-record.ts';

/** Who asks for an administrative act, as auth knows him now rather than as his certificate says he was. */
export type Person =
  | { readonly kind: 'admin'; readonly name: string; readonly address: string }
  | {
      readonly kind: 'user';
      readonly name: string;
      readonly address: string;
      readonly user: UserRecord;
      readonly roles: readonly Role[];
      readonly subject: CompiledSubject;
    };
export type SignedInUser = Extract<Person, { kind: 'user' }>;

export interface PersonDeps {
  readonly store: Store;
  readonly roles: RoleLoader;
  readonly nowMs: () => number;
}

export async function personOf(deps: PersonDeps, caller: IdentifiedCaller): Promise<Person> {
  if (caller.identity.kind === Identity_Kind.ADMIN) return { kind: 'admin', name: 'admin', address: caller.address };
  return signedInUser(deps, caller);
}

/**
 * The user behind a certificate, refused where he was deleted, made anew, given a new password or locked since. Roles and
 * traits are those of the store now, so that a role taken away, or a deny added, counts at once.
 */
export async function signedInUser(deps: PersonDeps, caller: IdentifiedCaller): Promise<SignedInUser> {
  const { name, generation, kind } = caller.identity;
  if (kind !== Identity_Kind.USER) throw new PosternError('denied', "this certificate is not a signed-in user's");
  const user = await findUser(deps.store, name);
  if (user === undefined || user.generation !== generation) {
    throw new PosternError('unauthenticated', `the sign-in of ${name} is not valid any more: sign in again with tsh login`);
  }
  await requireUnlocked(deps, { user: name, roles: user.roles });
  const roles = await deps.roles.load(user.roles);
  return { kind: 'user', name, address: caller.address, user, roles, subject: compile(user, roles) };
}

export function compile(user: UserRecord, roles: readonly Role[]): CompiledSubject {
  try {
    return compileSubject({ user: user.name, roles, traits: user.traits });
  } catch (error) {
    if (error instanceof RoleError)
      throw new PosternError('denied', `nothing is decided with a broken role: ${error.message}`, { cause: error });
    throw error;
  }
}

export type Verb = 'list' | 'read' | 'readnosecrets' | 'create' | 'update' | 'delete';

export function may(person: Person, kind: string, verb: Verb): boolean {
  return person.kind === 'admin' || mayAdminister(person.subject, kind, verb).allowed;
}

export function requireMay(person: Person, kind: string, verb: Verb): void {
  if (person.kind === 'admin') return;
  const decision = mayAdminister(person.subject, kind, verb);
  if (!decision.allowed) throw new PosternError('denied', decision.reason);
}
