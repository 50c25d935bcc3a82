// Everything Postern knows of AWS, and nothing of gRPC or of the cluster. Headers are flat raw arrays ([name, value, name, value, …])
// throughout, as `IncomingMessage.rawHeaders` gives them and `http.request({ headers })` takes them. A refusal is a value: test with
// `'refusal' in result`.
export type { Credentials } from '#credentials/credentials.ts';
export type { Refusal } from '#refusals/refusal.ts';

export { type BodyPlan, type BodyStart, planBody, type PlanBodyInput } from '#sigv4/chunks/body-plan.ts';
export type { BodyTransform, PartialRoom } from '#sigv4/chunks/body-transform.ts';
export type { PayloadMode, SigningAlgorithm } from '#sigv4/payload-mode.ts';
export { presignRequest, type PresignedRequest, type PresignInput } from '#sigv4/presign/presign-request.ts';
export { signRequest, type SignedRequest, type SignInput } from '#sigv4/sign-request.ts';
export type { SignatureChain } from '#sigv4/signature-chain.ts';
export type { SignatureRefusal } from '#sigv4/signature-refusal.ts';
export { SigningError } from '#sigv4/signing-error.ts';
export {
  type EcdsaKey,
  type HmacKey,
  type RegionSetScope,
  type SigningKey,
  SigningKeys,
  type SigningScope,
} from '#sigv4/signing-keys.ts';
export { type AwaitsBody, type VerifiedRequest, type Verifier, type VerifyInput, verifyRequest } from '#sigv4/verify-request.ts';

export { awsTarget, type AwsScope, type AwsTarget, type AwsTargetInput, type OwnHost } from '#endpoints/aws-target.ts';
export { awsDomains, isAwsHost } from '#endpoints/aws-host.ts';
export { speaksHttp2 } from '#endpoints/http2-hosts.ts';
export { awsTunnel, type AwsTunnel } from '#endpoints/aws-tunnel.ts';
export { type DynamoDbEndpoint, resolveDynamoDbUri } from '#endpoints/dynamodb-uri.ts';
export { dynamodbHost, type DynamoDbService, type DynamoDbTarget, type DynamoDbVariant, stsHost } from '#endpoints/hosts.ts';
export { type Partition, type PartitionId, partitionOf } from '#endpoints/partitions.ts';

export { type RoleArn, roleArn } from '#roles/role-arn.ts';
export { sessionName } from '#roles/session-name.ts';

export { agentCredentials, type AgentCredentialsOptions, type CredentialSource } from '#credentials/agent-credentials.ts';
export { AssumeRoleCache, type AssumeRoleCacheOptions } from '#credentials/assume-role-cache.ts';
export type { AssumeRoleRequest } from '#credentials/assume-role-request.ts';
export { agentRegion, type AwsEnv, type AwsLog, dialUrl } from '#credentials/aws-env.ts';
export { CredentialError, type CredentialErrorCode, isOwnLack } from '#credentials/credential-error.ts';
export { type HttpAnswer, type HttpRequest, type HttpSend, nodeHttpSend } from '#credentials/http-send.ts';

export { allDynamoDbOperations, type DynamoDbOperation, dynamodbOperation, type OperationClass } from '#dynamodb/operations.ts';
export type { Statement } from '#dynamodb/partiql-statement.ts';
export type { Place, RequestRefusal } from '#dynamodb/table-name.ts';
export { tablesInSlices, tablesOf, type TablesResult } from '#dynamodb/tables-of.ts';

export { dynamodbRefusal, type DynamoDbRefusalCode, type DynamoDbRefusalInput } from '#refusals/dynamodb-refusal.ts';

export type { AwsProtocol, AwsRequest, RequestBody, RequestHead } from '#requests/aws-request.ts';
export { claimedService } from '#requests/claimed-service.ts';
export { bodyWanted, describeRequest } from '#requests/describe-request.ts';
export { innerPresignedUrl, type InnerInput, isUnsignedOperation } from '#requests/inner-presigned-url.ts';
export { protocolOf } from '#requests/protocol-of.ts';

export { awsRefusal, type AwsRefusal, type AwsRefusalInput } from '#refusals/aws-refusal.ts';
export { EventBoundaries, eventRefusal } from '#refusals/event-refusal.ts';
export type { RefusalKind } from '#refusals/refusal-codes.ts';

export { capDurations, type CapInput, type CappedRequest, capsBody, spanOf } from '#handouts/cap-durations.ts';
export { type CredentialOperation, credentialOperation } from '#handouts/credential-operation.ts';
export { type AnswerInput, handedOutKeys } from '#handouts/handed-out-keys.ts';
export type { KeyLife } from '#handouts/key-life.ts';

export { consoleDestination, type ConsoleDestinationInput, consolePartitionOf } from '#console/console-destination.ts';
export { type ConsoleSession, consoleSession, type ConsoleSessionInput } from '#console/console-session.ts';
export { isSignInUrl, signInUrl, type SignInUrlInput, signInUrlSeconds } from '#console/sign-in-url.ts';
export { getSigninToken, type SigninToken, type SigninTokenInput } from '#console/signin-token.ts';

export { type ApplicationRole, applicationRoles, type ApplicationRolesInput, readRoleArn } from '#roles/application-roles.ts';
export { resolveRole, type RoleChoiceRefusal } from '#roles/resolve-role.ts';
export { samePartition } from '#roles/role-partition.ts';

export { endpointHost, type EndpointHostInput } from '#endpoints/endpoint-host.ts';
export { scopeOfHost } from '#endpoints/scope-of-host.ts';
