import type { CompiledPrincipals, CompiledRole, CompiledSubject } from '#compile-subject.ts';
import type { AccessRequest, Decision, Labels } from '#model.ts';

/** Longer label values are refused when a resource is written; one that is here nevertheless is refused before matching. */
export const maxLabelLength = 1024;

const principalField = { db: 'db_users', app: 'aws_role_arns' } as const;

/**
 * Deny rules of every role first, and greedily: labels alone are enough, a principal alone is enough. Then one allow
 * role must match labels and principal together. The order of roles changes the words, never the outcome.
 */
export function decide(subject: CompiledSubject, request: AccessRequest): Decision {
  const tooLong = overlongLabel(request.labels);
  if (tooLong !== undefined)
    return refused(`label ${tooLong} of ${request.kind}/${request.name} is longer than ${maxLabelLength} characters`, []);
  const steps: string[] = [];
  let decision: Omit<Decision, 'steps'> | undefined;
  for (const role of subject.roles) {
    const rule = denyRule(role, request);
    if (rule !== undefined) steps.push(`${role.name}: denies by ${rule}`);
    if (rule !== undefined && decision === undefined)
      decision = { allowed: false, role: role.name, reason: `denied by role ${role.name}: ${rule}` };
  }
  for (const role of subject.roles) {
    const { matched, step } = allowRule(role, request);
    steps.push(`${role.name}: ${step}`);
    if (matched && decision === undefined)
      decision = { allowed: true, role: role.name, reason: `allowed by role ${role.name}: ${step.replace('allows by ', '')}` };
  }
  return { ...(decision ?? { allowed: false, reason: noRole(subject, request) }), steps };
}

function noRole(subject: CompiledSubject, request: AccessRequest): string {
  const names = subject.roles.map((role) => role.name).join(', ') || 'none';
  const what = request.principal === undefined ? 'access to' : `principal ${request.principal[0] ?? '(none)'} on`;
  return `no role allows ${what} ${request.kind}/${request.name} (roles: ${names})`;
}

function denyRule(role: CompiledRole, request: AccessRequest): string | undefined {
  const labels = role.deny.labels[request.kind].match(request.labels);
  if (labels !== undefined) return `deny.${request.kind}_labels ${labels}`;
  const name = deniedPrincipal(role.deny.principals[request.kind], request.principal);
  return name === undefined ? undefined : `deny.${principalField[request.kind]} ${name}`;
}

/** IAM treats role names as the same in any case, so a deny must too; and any spelling of the role is the role. */
function deniedPrincipal(denied: CompiledPrincipals, spellings: readonly string[] | undefined): string | undefined {
  if (spellings === undefined) return undefined;
  if (denied.any) return '*';
  if (denied.names.length === 0) return undefined;
  const asked = new Set(spellings.map(caseless));
  return denied.names.find((name) => asked.has(caseless(name)));
}

export function caseless(name: string): string {
  return name.toLowerCase();
}

function allowRule(role: CompiledRole, request: AccessRequest): { readonly matched: boolean; readonly step: string } {
  const labels = role.allow.labels[request.kind].match(request.labels);
  if (labels === undefined) return { matched: false, step: `allow.${request.kind}_labels do not match` };
  const byLabels = `allow.${request.kind}_labels ${labels}`;
  if (request.principal === undefined) return { matched: true, step: `allows by ${byLabels}` };
  const field = `allow.${principalField[request.kind]}`;
  const name = allowedPrincipal(role.allow.principals[request.kind], request.principal);
  if (name === undefined) return { matched: false, step: `${byLabels} match, ${field} do not name ${request.principal[0] ?? '(none)'}` };
  return { matched: true, step: `allows by ${byLabels} and ${field} ${name}` };
}

function allowedPrincipal(allowed: CompiledPrincipals, spellings: readonly string[]): string | undefined {
  if (spellings.length === 0) return undefined;
  if (allowed.any) return '*';
  return allowed.names.find((name) => spellings.includes(name));
}

function overlongLabel(labels: Labels): string | undefined {
  return Object.keys(labels)
    .find((key) => key.length > maxLabelLength || (labels[key] ?? '').length > maxLabelLength)
    ?.slice(0, 64);
}

function refused(reason: string, steps: readonly string[]): Decision {
  return { allowed: false, reason, steps };
}
