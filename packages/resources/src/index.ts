// The whole surface (JSON shapes are Teleport's: kind, version, metadata{name, labels, expires, revision, description}, spec):
//   parseDocuments(text, {file}): ParsedDocument[]      YAML (several documents) or JSON; strict; throws ResourceError with
//                                                        "role.yaml:7:5: spec.allow.db_labelz: unknown field (did you mean db_labels?)"
//   parseResource(json: unknown): Resource               the same strictness for one value from the wire
//   parseYamlStrict(text, schema, {file})                the engine, also used by packages/config: positions, suggestions, no aliases bombs
//   toYaml(resource[]): string, toJson(resource[]): string (always an array), kindOf('roles' | 'role' | …): Kind | undefined
//   roleFromResource(resource): Role (packages/rbac), and typed specs for each kind below
//   kinds: role v3–v8, user v2, token v2, lock v2, db v3, app v3, db_server v3, app_server v3, proxy v2, cert_authority v2,
//          cluster_auth_preference v2
// A database's spec: { protocol, uri?, description?, aws: { region, account_id, assume_role_arn?, external_id?, session_tags? } };
// validateDatabase checks name, protocol dynamodb, account id, region, uri (only an AWS DynamoDB host, and its region must agree).
// An app's spec: { uri | cloud: AWS, public_addr?, aws: { external_id?, own_hosts? } }; validateApp checks name, uri (only a console of AWS),
// public_addr (a host name) and the label aws_account_id; consoleAddress(uri) says its partition.
// @postern/aws may not be imported here, nor this there: the small host rule is passed in or written as data.
export { type App, appFromResource, appUri, defaultAppUri, type OwnHost } from '#app-from-resource.ts';
export { isRegion } from '#aws-partitions.ts';
export { isReservedLabel, type MeaningProblem, originLabel } from '#check-meaning.ts';
export { type ConsoleAddress, consoleAddress, type ConsolePartition } from '#console-address.ts';
export { type Database, databaseFromResource } from '#database-from-resource.ts';
export { parseDurationMs } from '#duration.ts';
export { dynamoDbUri } from '#dynamodb-uri.ts';
export { type AppSpec, ownHosts as ownHostsSchema } from '#kinds/app.ts';
export type { AppServerSpec, CertAuthoritySpec, ClusterAuthPreferenceSpec, DbServerSpec, ProxySpec } from '#kinds/cluster.ts';
export type { DatabaseSpec } from '#kinds/database.ts';
export { type Kind, kindNames, kindOf, kinds } from '#kinds/kind.ts';
export { labels as labelsSchema } from '#kinds/fields.ts';
export type { LockSpec } from '#kinds/lock.ts';
export type { Metadata } from '#kinds/metadata.ts';
export type { RoleSpec } from '#kinds/role.ts';
export type { TokenRole, TokenSpec } from '#kinds/token.ts';
export type { UserSpec } from '#kinds/user.ts';
export { type ParsedDocument, parseDocuments, parseResource } from '#parse-resource.ts';
export { toJson, toYaml } from '#print-resources.ts';
export type { Resource, ResourceOf, Specs } from '#resource.ts';
export { type Problem, ResourceError } from '#resource-error.ts';
export { roleFromResource } from '#role-from-resource.ts';
export { accountLabel, isAppName, validateApp } from '#validate-app.ts';
export { validateDatabase } from '#validate-database.ts';
export { parseYamlStrict } from '#yaml/parse-yaml-strict.ts';
export { suggestion } from '#yaml/suggest.ts';
