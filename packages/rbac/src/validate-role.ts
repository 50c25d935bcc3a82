import { TemplateError } from '#expression.ts';
import type { LabelSelector, Role, RoleConditions } from '#model.ts';
import { limits } from '@postern/limits';
import { compilePattern, isRegex, maxRoleProgram } from '#patterns.ts';
import type { RoleProblem } from '#role-error.ts';
import { parseTemplate } from '#templates.ts';

export const roleVersions: readonly string[] = ['v3', 'v4', 'v5', 'v6', 'v7', 'v8'];

/** Kinds that Postern decides on; a rule that names a plural of one would match nothing. */
const singularKinds: ReadonlyMap<string, string> = new Map(
  ['user', 'role', 'token', 'lock', 'db', 'app', 'db_server', 'app_server', 'proxy', 'event', 'session'].map((kind) => [`${kind}s`, kind]),
);
export const knownVerbs: ReadonlySet<string> = new Set([
  '*',
  'list',
  'create',
  'read',
  'readnosecrets',
  'update',
  'delete',
  'rotate',
  'use',
]);

type Side = 'allow' | 'deny';

/**
 * Everything about a role that would make a decision differ from what its writer meant. compileSubject refuses a role
 * with a problem, so one that reached the store by another way still grants nothing.
 */
export function validateRole(role: Role): readonly RoleProblem[] {
  const problems: RoleProblem[] = [];
  if (!roleVersions.includes(role.version))
    problems.push({ path: 'version', message: `${role.version} is not a version of role; known ones: ${roleVersions.join(', ')}` });
  const budget = new PatternBudget();
  checkConditions(role.allow, { side: 'allow', budget }, problems);
  checkConditions(role.deny, { side: 'deny', budget }, problems);
  const ttl = role.options.maxSessionTtlMs;
  if (ttl !== undefined && !(Number.isFinite(ttl) && ttl > 0))
    problems.push({ path: 'spec.options.max_session_ttl', message: 'must be longer than 0' });
  return problems;
}

/** What all patterns of a role may take together. */
class PatternBudget {
  #left = maxRoleProgram;

  /** Nothing more is compiled; it has been said. */
  get isSpent(): boolean {
    return this.#left < 0;
  }

  take(instructions: number): string | undefined {
    this.#left -= instructions;
    return this.isSpent ? 'the regular expressions of this role are too large together: write fewer, or several roles' : undefined;
  }
}

function checkConditions(
  conditions: RoleConditions,
  { side, budget }: { readonly side: Side; readonly budget: PatternBudget },
  problems: RoleProblem[],
): void {
  checkSelector(conditions.dbLabels, { path: `spec.${side}.db_labels`, budget }, problems);
  checkSelector(conditions.appLabels, { path: `spec.${side}.app_labels`, budget }, problems);
  checkPrincipals(conditions.dbUsers, { path: `spec.${side}.db_users`, star: true }, problems);
  checkPrincipals(conditions.awsRoleArns, { path: `spec.${side}.aws_role_arns`, star: side === 'deny' }, problems);
  for (const [index, rule] of (conditions.rules ?? []).entries()) {
    const path = `spec.${side}.rules[${index}]`;
    for (const [at, kind] of rule.resources.entries()) {
      const singular = singularKinds.get(kind);
      if (singular !== undefined)
        problems.push({ path: `${path}.resources[${at}]`, message: `${kind} is not a kind (did you mean ${singular}?)` });
    }
    for (const [at, verb] of rule.verbs.entries()) {
      if (!knownVerbs.has(verb))
        problems.push({ path: `${path}.verbs[${at}]`, message: `${verb} is not a verb; known ones: ${[...knownVerbs].join(', ')}` });
    }
  }
}

function checkSelector(
  selector: LabelSelector | undefined,
  { path, budget }: { readonly path: string; readonly budget: PatternBudget },
  problems: RoleProblem[],
): void {
  for (const [key, values] of Object.entries(selector ?? {})) {
    if (key.includes('{{') || key.includes('}}'))
      problems.push({ path: `${path}.${key}`, message: 'a template cannot stand in the name of a label' });
    else if (key !== '*' && key.includes('*'))
      problems.push({ path: `${path}.${key}`, message: "a pattern cannot stand in the name of a label; '*': '*' matches everything" });
    if (key === '*' && !(values.length === 1 && values[0] === '*'))
      problems.push({ path: `${path}.*`, message: "the label '*' can only have the value '*', which matches everything" });
    for (const [index, value] of values.entries()) {
      const problem = problemOfValue(value, budget);
      if (problem !== undefined) problems.push({ path: `${path}.${key}[${index}]`, message: problem });
    }
  }
}

function checkPrincipals(
  values: readonly string[] | undefined,
  field: { readonly path: string; readonly star: boolean },
  problems: RoleProblem[],
): void {
  for (const [index, value] of (values ?? []).entries()) {
    const problem = field.star && value === '*' ? undefined : (problemOfValue(value) ?? problemOfPrincipal(value, field.star));
    if (problem !== undefined) problems.push({ path: `${field.path}[${index}]`, message: problem });
  }
}

/** A pattern here would be taken as a whole name that no role has: an allow that grants nothing, a deny that denies nothing. */
function problemOfPrincipal(value: string, star: boolean): string | undefined {
  const template = parseTemplate(value);
  const written = template.kind === 'literal' ? template.text : template.prefix + template.suffix;
  if (!written.includes('*') && !isRegex(written)) return undefined;
  return `patterns are not supported here; name each role${star ? ", or write '*' alone for all" : ''}`;
}

/** With a budget a value may be a pattern. */
function problemOfValue(value: string, budget?: PatternBudget): string | undefined {
  if (value === '') return 'must not be empty';
  if (value.length > limits.regexCharacters) return `is longer than ${limits.regexCharacters} characters`;
  try {
    const template = parseTemplate(value);
    // A template inside a pattern is tried with a letter in its place: what a trait holds is quoted and cannot break it.
    const pattern = template.kind === 'literal' ? value : `${template.prefix}x${template.suffix}`;
    if (budget === undefined || budget.isSpent || !isRegex(pattern)) return undefined;
    const program = compilePattern(pattern);
    return typeof program === 'string' ? program : budget.take(program.programSize());
  } catch (error) {
    if (error instanceof TemplateError) return error.message;
    throw error;
  }
}
