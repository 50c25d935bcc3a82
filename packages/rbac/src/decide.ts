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
  if (tooLong !== undefined) {
    return {
      allowed: false,
      reason: `label ${tooLong} of ${request.kind}/${request.name} is longer than ${maxLabelLength} characters`,
      steps: [],
    };
  }
  for (const role of subject.roles) {
    const rule = denyRule(role, request);
    if (rule !== undefined)
      return decided(subject, request, { allowed: false, role: role.name, reason: `denied by role ${role.name}: ${rule}` });
  }
  for (const role of subject.roles) {
    const rule = allowRule(role, request);
    if (rule !== undefined)
      return decided(subject, request, { allowed: true, role: role.name, reason: `allowed by role ${role.name}: ${rule}` });
  }
  return decided(subject, request, { allowed: false, reason: noRole(subject, request) });
}

/** A decision is made for every request, its steps are read by people: they are put into words when they are asked for. */
function decided(subject: CompiledSubject, request: AccessRequest, decision: Omit<Decision, 'steps'>): Decision {
  return {
    ...decision,
    get steps() {
      return stepsOf(subject, request);
    },
  };
}

function stepsOf(subject: CompiledSubject, request: AccessRequest): readonly string[] {
  const denials = subject.roles.flatMap((role) => {
    const rule = denyRule(role, request);
    return rule === undefined ? [] : [`${role.name}: denies by ${rule}`];
  });
  const allowances = subject.roles.map((role) => {
    const rule = allowRule(role, request);
    if (rule !== undefined) return `${role.name}: allows by ${rule}`;
    const labels = role.allow.labels[request.kind];
    if (!labels.matches(request.labels)) return `${role.name}: allow.${request.kind}_labels do not match`;
    const field = `allow.${principalField[request.kind]}`;
    return `${role.name}: allow.${request.kind}_labels ${labels.describe(request.labels)} match, ${field} do not name ${request.principal?.[0] ?? '(none)'}`;
  });
  return [...denials, ...allowances];
}

function noRole(subject: CompiledSubject, request: AccessRequest): string {
  const names = subject.roles.map((role) => role.name).join(', ') || 'none';
  const what = request.principal === undefined ? 'access to' : `principal ${request.principal[0] ?? '(none)'} on`;
  return `no role allows ${what} ${request.kind}/${request.name} (roles: ${names})`;
}

function denyRule(role: CompiledRole, request: AccessRequest): string | undefined {
  const labels = role.deny.labels[request.kind];
  if (labels.matches(request.labels)) return `deny.${request.kind}_labels ${labels.describe(request.labels)}`;
  const asked = request.principal === undefined ? undefined : [...request.principal, ...(request.deniedAs ?? [])];
  const name = deniedPrincipal(role.deny.principals[request.kind], asked);
  return name === undefined ? undefined : `deny.${principalField[request.kind]} ${name}`;
}

/** IAM treats role names as the same in any case, so a deny must too; and any spelling of the role is the role. */
function deniedPrincipal(denied: CompiledPrincipals, spellings: readonly string[] | undefined): string | undefined {
  if (spellings === undefined) return undefined;
  if (denied.any) return '*';
  if (denied.names.length === 0) return undefined;
  const asked = spellings.map(caseless);
  return denied.names.find((name) => asked.includes(caseless(name)));
}

export function caseless(name: string): string {
  return name.toLowerCase();
}

function allowRule(role: CompiledRole, request: AccessRequest): string | undefined {
  const labels = role.allow.labels[request.kind];
  if (!labels.matches(request.labels)) return undefined;
  if (request.principal === undefined) return `allow.${request.kind}_labels ${labels.describe(request.labels)}`;
  const name = allowedPrincipal(role.allow.principals[request.kind], request.principal);
  if (name === undefined) return undefined;
  return `allow.${request.kind}_labels ${labels.describe(request.labels)} and allow.${principalField[request.kind]} ${name}`;
}

function allowedPrincipal(allowed: CompiledPrincipals, spellings: readonly string[]): string | undefined {
  if (spellings.length === 0) return undefined;
  if (allowed.any) return '*';
  return allowed.names.find((name) => spellings.includes(name));
}

function overlongLabel(labels: Labels): string | undefined {
  for (const key of Object.keys(labels)) {
    if (key.length > maxLabelLength || (labels[key] ?? '').length > maxLabelLength) return key.slice(0, 64);
  }
  return undefined;
}
