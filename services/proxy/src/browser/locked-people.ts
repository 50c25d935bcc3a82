import type { LockResource } from '#tunnels/locked-hosts.ts';

/** Fields that a person at a browser may match; a lock that carries another is meant for something else. */
const own = new Set(['user', 'role']);

/** Whether a lock in force names this person, by every field that it has. */
export function isPersonLocked(
  person: { readonly user: string; readonly roles: readonly string[] },
  locks: readonly LockResource[],
  nowMs: number,
): boolean {
  return locks.some(({ spec }) => {
    if (spec.expires && Date.parse(spec.expires) <= nowMs) return false;
    const fields = Object.entries(spec.target).filter(([, value]) => value !== undefined && value !== '');
    const matches = fields.every(([field, value = '']) =>
      field === 'user' ? value === person.user : own.has(field) && person.roles.includes(value),
    );
    return fields.length > 0 && matches;
  });
}
