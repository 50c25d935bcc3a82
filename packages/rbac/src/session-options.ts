import type { Role } from '#model.ts';

const hourMs = 3_600_000;
/** No certificate of a user lives longer, whatever is asked or written. */
export const maxSessionTtlMs = 30 * hourMs;

/**
 * How long a sign-in lasts: the shortest of what was asked (or else the default), each role's max_session_ttl and 30 h.
 * An asked time that is no positive number counts as not asked.
 */
export function sessionTtlMs(roles: readonly Role[], askedMs: number | undefined, defaultMs: number): number {
  const wanted = askedMs !== undefined && askedMs > 0 ? askedMs : defaultMs;
  const limits = roles.map((role) => role.options.maxSessionTtlMs ?? maxSessionTtlMs);
  return Math.floor(Math.min(wanted, maxSessionTtlMs, ...limits));
}

/** `strict` where any role says so: refuse while the view of locks is stale. */
export function lockMode(roles: readonly Role[]): 'strict' | 'best_effort' {
  return roles.some((role) => role.options.lock === 'strict') ? 'strict' : 'best_effort';
}

/**
 * What becomes of AWS operations that hand out keys of their own (AssumeRole, GetSessionToken, …): `deny` where any role says so, or else
 * their durations are cut to what is left of the session.
 */
export function awsCredentialOperations(roles: readonly Role[]): 'deny' | 'cap' {
  return roles.some((role) => role.options.awsCredentialOperations === 'deny') ? 'deny' : 'cap';
}
