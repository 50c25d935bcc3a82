// The whole surface:
//   compileSubject(subject): CompiledSubject            expands templates and compiles matchers once; throws RoleError
//   decide(compiled, request): Decision                 deny before allow; one allow role must match everything
//   allowedPrincipals(compiled, {kind,name,labels}): {allowed: string[]; denied: string[]}   for listings
//   mayAdminister(compiled, resourceKind, verb): Decision   verbs: list read create update delete; rules with '*'
//   sessionTtlMs(roles, askedMs | undefined, defaultMs): number    shortest wins
//   lockMode(roles): 'strict' | 'best_effort'
//   validateRole(role): readonly RoleProblem[]          {path: 'spec.allow.db_labels.env[0]', message}: bad regex, template, unknown variable
//   presetRoles: readonly Role[]                        access, editor, auditor
export * from '#model.ts';
export { allowedPrincipals } from '#allowed-principals.ts';
export { type CompiledSubject, compileSubject } from '#compile-subject.ts';
export { decide } from '#decide.ts';
export { mayAdminister } from '#may-administer.ts';
export { presetRoles } from '#preset-roles.ts';
export { RoleError, type RoleProblem } from '#role-error.ts';
export { lockMode, maxSessionTtlMs, sessionTtlMs } from '#session-options.ts';
export { knownVerbs, roleVersions, validateRole } from '#validate-role.ts';
