import { PosternError } from '@postern/api';
import { limits } from '@postern/limits';
import { networkOf } from '@postern/pki';
import type { Store } from '@postern/store';
import type { Authorities } from '#authorities/authorities.ts';
import { type IssuedUserCert, issueUserCert } from '#certs/issue-user-cert.ts';
import { RateLimiter } from '#limits/rate-limiter.ts';
import { findLock } from '#locks/locks.ts';
import { beginAttempt, forgetAttempts } from '#login/attempts.ts';
import type { PasswordHasher } from '#login/password-hash.ts';
import type { RoleLoader } from '#roles/load-roles.ts';
import { keys } from '#state/keys.ts';
import type { Trail } from '#trail/act.ts';
import { normalPassword } from '@postern/api/password-rule';
import { canonicalUserName } from '#users/user-name.ts';
import { findUser, type UserRecord } from '#users/user-record.ts';

export interface SignInDeps {
  readonly store: Store;
  readonly trail: Trail;
  readonly roles: RoleLoader;
  readonly authorities: Authorities;
  readonly hasher: PasswordHasher;
  readonly limits: SignInLimits;
  readonly defaultTtlMs: number;
  readonly nowMs: () => number;
}

export interface SignInAttempt {
  readonly user: string;
  readonly password: string;
  readonly publicKey: Buffer;
  readonly ttlMs: number | undefined;
  readonly address: string;
}

const MAX_TYPED_LENGTH = 512;

/**
 * Five in half a minute for a name, twenty a minute for a network. What a network sends past its share does not count
 * against the name: one stranger shall not use up everybody's.
 */
export class SignInLimits {
  readonly #byName = new RateLimiter({ limit: limits.signInsPerName.count, windowMs: limits.signInsPerName.withinMs });
  readonly #byNetwork = new RateLimiter({ limit: limits.signInsPerNetwork.count, windowMs: limits.signInsPerNetwork.withinMs });

  take(name: string, address: string, nowMs: number): boolean {
    return this.#byNetwork.take(networkOf(address), nowMs) && this.#byName.take(name, nowMs);
  }
}

/**
 * One answer and one amount of work for an unknown user, a locked one and a wrong password. The order matters: limits,
 * then the count, then the hash, and only then anything that depends on who it is.
 */
export async function signIn(deps: SignInDeps, attempt: SignInAttempt): Promise<IssuedUserCert> {
  if (attempt.user.length > MAX_TYPED_LENGTH || attempt.password.length > MAX_TYPED_LENGTH) {
    throw new PosternError('bad_request', `a user name and a password have at most ${MAX_TYPED_LENGTH} characters`);
  }
  const name = canonicalUserName(attempt.user);
  if (!deps.limits.take(name, attempt.address, deps.nowMs())) {
    throw new PosternError('limit_exceeded', 'too many sign-ins: try again in a minute');
  }
  const { admitted, lockedOutNow } = await beginAttempt(deps, name);
  const user = await findByTypedName(deps.store, name);
  const hash = await storedHash(deps.store, name);
  const isRight = await deps.hasher.verify(normalPassword(attempt.password), hash);
  const lock = await findLock(deps, { user: name, roles: user?.roles ?? [] });
  const cause = whyNot({ admitted, user, hash, isRight, isLocked: lock !== undefined });
  if (cause !== undefined || user === undefined) {
    await refused(deps, { name, attempt, cause: cause ?? 'no such user', lockedOutNow });
    throw new PosternError('unauthenticated', 'sign-in refused: wrong user name or password, or the user is locked', { isRecorded: true });
  }
  const issued = await issueUserCert(deps, { user, publicKey: attempt.publicKey, askedTtlMs: attempt.ttlMs });
  await deps.trail.record({
    kind: 'user.login',
    code: 'T1000I',
    user: name,
    fields: { method: 'local', 'addr.remote': attempt.address, serial: issued.serial, expires: new Date(issued.notAfterMs).toISOString() },
  });
  await forgetAttempts(deps, name);
  return issued;
}

function whyNot(found: {
  admitted: boolean;
  user: UserRecord | undefined;
  hash: string | undefined;
  isRight: boolean;
  isLocked: boolean;
}): string | undefined {
  if (found.user === undefined) return 'no such user';
  if (!found.admitted) return 'locked out after failed sign-ins';
  if (found.hash === undefined) return 'the user has no password';
  if (!found.isRight) return 'wrong password';
  if (found.isLocked) return 'a lock is in force';
  return undefined;
}

async function refused(
  deps: SignInDeps,
  refusal: { readonly name: string; readonly attempt: SignInAttempt; readonly cause: string; readonly lockedOutNow: boolean },
): Promise<void> {
  await deps.trail.record({
    kind: 'user.login',
    code: 'T1000W',
    success: false,
    user: refusal.name,
    fields: {
      method: 'local',
      'addr.remote': refusal.attempt.address,
      error: refusal.cause,
      ...(refusal.lockedOutNow ? { locked_out: true } : {}),
    },
  });
}

/** A name that cannot be a key is nobody's; it takes the same path. */
async function findByTypedName(store: Store, name: string): Promise<UserRecord | undefined> {
  return findUser(store, safeName(name));
}

async function storedHash(store: Store, name: string): Promise<string | undefined> {
  return (await store.get(keys.password(safeName(name))))?.value;
}

function safeName(name: string): string {
  try {
    keys.user(name);
    return name;
  } catch {
    return ' nobody';
  }
}
