import { TemplateError } from '#expression.ts';
import type { AdminRule, LabelSelector, Role, RoleConditions, Subject, Traits } from '#model.ts';
import { RoleError, type RoleProblem } from '#role-error.ts';
import { type CompiledSelector, compileSelector } from '#selector.ts';
import { parseTemplate, traitTexts } from '#templates.ts';
import { validateRole } from '#validate-role.ts';

export interface CompiledSubject {
  readonly user: string;
  readonly roles: readonly CompiledRole[];
}
export interface CompiledRole {
  readonly name: string;
  readonly allow: CompiledConditions;
  readonly deny: CompiledConditions;
}
export interface CompiledConditions {
  readonly labels: { readonly db: CompiledSelector; readonly app: CompiledSelector };
  readonly principals: { readonly db: CompiledPrincipals; readonly app: CompiledPrincipals };
  readonly rules: readonly AdminRule[];
}
/** Principals with the traits filled in. `any` only where the role itself says `*`: a trait `*` is the name "*". */
export interface CompiledPrincipals {
  readonly any: boolean;
  readonly names: readonly string[];
}

/** Validation reads every pattern of a role; roles are values, so once each is enough. */
const problemsOf = new WeakMap<Role, readonly RoleProblem[]>();

/**
 * Fills the user's traits into the roles and compiles their matchers. Throws RoleError for a role that cannot be decided
 * with: going on without it could leave out a deny.
 */
export function compileSubject(subject: Subject): CompiledSubject {
  return { user: subject.user, roles: subject.roles.map((role) => compileRole(role, subject.traits)) };
}

function compileRole(role: Role, traits: Traits): CompiledRole {
  const problems = problemsOf.get(role) ?? validateRole(role);
  problemsOf.set(role, problems);
  if (problems.length > 0) throw new RoleError(role.name, problems);
  try {
    return { name: role.name, allow: compileConditions(withDefaults(role), traits), deny: compileConditions(role.deny, traits) };
  } catch (error) {
    if (error instanceof TemplateError)
      throw new RoleError(role.name, [{ path: 'spec', message: `with the traits of this user: ${error.message}` }]);
    throw error;
  }
}

const everything: LabelSelector = { '*': ['*'] };

/** v3 roles were written when labels that were not mentioned meant all of them. */
function withDefaults(role: Role): RoleConditions {
  if (role.version !== 'v3') return role.allow;
  return { ...role.allow, dbLabels: role.allow.dbLabels ?? everything, appLabels: role.allow.appLabels ?? everything };
}

function compileConditions(conditions: RoleConditions, traits: Traits): CompiledConditions {
  return {
    labels: { db: compileSelector(conditions.dbLabels ?? {}, traits), app: compileSelector(conditions.appLabels ?? {}, traits) },
    principals: { db: compilePrincipals(conditions.dbUsers ?? [], traits), app: compilePrincipals(conditions.awsRoleArns ?? [], traits) },
    rules: conditions.rules ?? [],
  };
}

function compilePrincipals(values: readonly string[], traits: Traits): CompiledPrincipals {
  const names = new Set<string>();
  for (const value of values) {
    const template = parseTemplate(value);
    if (template.kind === 'literal') names.add(template.text);
    else for (const text of traitTexts(template, traits)) names.add(template.prefix + text + template.suffix);
  }
  return { any: values.includes('*'), names: [...names] };
}
