import type { CompiledSubject } from '#compile-subject.ts';
import { caseless, decide } from '#decide.ts';
import type { AccessRequest } from '#model.ts';

/**
 * What to show beside a resource in a listing: the principals as the roles write them (`*` where a role allows any), and
 * those denied. A listing, not a decision: other spellings of one IAM role are only told apart by `decide`.
 */
export function allowedPrincipals(
  subject: CompiledSubject,
  resource: Omit<AccessRequest, 'principal'>,
): { readonly allowed: readonly string[]; readonly denied: readonly string[] } {
  const { kind, labels } = resource;
  const denied = new Set<string>();
  for (const role of subject.roles) {
    const principals = role.deny.principals[kind];
    for (const name of principals.any ? ['*'] : principals.names) denied.add(name);
  }
  const visible = decide(subject, { kind, name: resource.name, labels }).allowed;
  if (!visible || denied.has('*')) return { allowed: [], denied: [...denied].sort() };
  const refused = new Set([...denied].map(caseless));
  const allowed = new Set<string>();
  for (const role of subject.roles) {
    if (!role.allow.labels[kind].matches(labels)) continue;
    const principals = role.allow.principals[kind];
    if (principals.any) allowed.add('*');
    for (const name of principals.names) if (!refused.has(caseless(name))) allowed.add(name);
  }
  return { allowed: [...allowed].sort(), denied: [...denied].sort() };
}
