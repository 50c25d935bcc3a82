// The whole surface:
//   compileSubject(subject): CompiledSubject            expands templates and compiles matchers once; throws RoleError
//   decide(compiled, request): Decision                 deny before allow; one allow role must match everything
//   allowedPrincipals(compiled, {kind,name,labels}): {allowed: string[]; denied: string[]}   for listings
//   appRequest(app, arn): AccessRequest                 the question for an application of AWS under a role
//   decideApp, appRoles, appRoleProblem, chooseAppRole  the same with partition and account; the ARNs of a listing; name to ARN
//   awsCredentialOperations(roles): 'deny' | 'cap'      the strictest wins
//   mayAdminister(compiled, resourceKind, verb): Decision   verbs: list read create update delete; rules with '*'
//   sessionTtlMs(roles, askedMs | undefined, defaultMs): number    shortest wins
//   lockMode(roles): 'strict' | 'best_effort'
//   validateRole(role): readonly RoleProblem[]          {path: 'spec.allow.db_labels.env[0]', message}: bad regex, template, unknown variable
//   presetRoles: readonly Role[]                        access, editor, auditor
export * from '#model.ts';
export { allowedPrincipals } from '#allowed-principals.ts';
export { appRequest, appRoleProblem, appRoles, type AwsApp, type ChosenRole, chooseAppRole, decideApp } from '#app-roles.ts';
export { type CompiledSubject, compileSubject } from '#compile-subject.ts';
export { decide } from '#decide.ts';
export { mayAdminister } from '#may-administer.ts';
export { presetRoles } from '#preset-roles.ts';
export { RoleError, type RoleProblem } from '#role-error.ts';
export { awsCredentialOperations, lockMode, maxSessionTtlMs, sessionTtlMs } from '#session-options.ts';
export { knownVerbs, roleVersions, validateRole } from '#validate-role.ts';
