import type { CompiledSubject } from '#compile-subject.ts';
import type { AdminRule, Decision } from '#model.ts';

/** May the subject do `verb` (list, read, create, update, delete, …) to resources of this kind. Deny of any role first. */
export function mayAdminister(subject: CompiledSubject, resourceKind: string, verb: string): Decision {
  const steps: string[] = [];
  let decision: Omit<Decision, 'steps'> | undefined;
  for (const role of subject.roles) {
    if (!role.deny.rules.some((rule) => names(rule.resources, resourceKind) && denies(rule, verb))) continue;
    const reason = `denied by role ${role.name}: deny.rules ${verb} ${resourceKind}`;
    steps.push(`${role.name}: denies by deny.rules ${verb} ${resourceKind}`);
    decision ??= { allowed: false, role: role.name, reason };
  }
  for (const role of subject.roles) {
    const allowed = role.allow.rules.some((rule) => names(rule.resources, resourceKind) && grants(rule, verb));
    steps.push(`${role.name}: ${allowed ? `allows by allow.rules ${verb} ${resourceKind}` : 'allow.rules do not match'}`);
    if (allowed)
      decision ??= { allowed: true, role: role.name, reason: `allowed by role ${role.name}: allow.rules ${verb} ${resourceKind}` };
  }
  const roles = subject.roles.map((role) => role.name).join(', ') || 'none';
  return { ...(decision ?? { allowed: false, reason: `no role allows ${verb} on ${resourceKind} (roles: ${roles})` }), steps };
}

function names(list: readonly string[], name: string): boolean {
  return list.includes(name) || list.includes('*');
}

/** Whoever may read a resource may read it without its secrets. */
function grants(rule: AdminRule, verb: string): boolean {
  return names(rule.verbs, verb) || (verb === 'readnosecrets' && rule.verbs.includes('read'));
}

/** Whoever may not even read it without its secrets may not read it with them. */
function denies(rule: AdminRule, verb: string): boolean {
  return names(rule.verbs, verb) || (verb === 'read' && rule.verbs.includes('readnosecrets'));
}
