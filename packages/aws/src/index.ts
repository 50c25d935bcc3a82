// Everything Postern knows of AWS, and nothing of gRPC or of the cluster. Headers are flat raw arrays ([name, value, name, value, …]) throughout,
// as `IncomingMessage.rawHeaders` gives them and `http.request({headers})` takes them. A refusal is a value: test with `'refusal' in result`.

export type Refusal = { readonly refusal: string };

/** Immutable. Derived signing keys hang on the identity of this object, so pass it on as it is; never spread it. */
export type Credentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiresAtMs?: number;
  readonly accountId?: string;
};

// --- sigv4
export type SigningScope = { readonly nowMs: number; readonly region: string; readonly service: string };
/** Opaque: the derived key of one (credentials, UTC day, region, service). */
export type SigningKey = { readonly credentials: Credentials; readonly day: string; readonly scope: string; readonly service: string };
export type SignInput = {
  readonly method: string;
  /** raw path of the wire, no query; never passed through URL */
  readonly path: string;
  /** raw query without '?', '' where none */
  readonly query: string;
  /** the true AWS host, from the endpoint tables */
  readonly host: string;
  /** flat raw headers of the client; what must not travel is dropped here */
  readonly headers: readonly string[];
  /** a body is hashed; a string is the payload line itself (hex hash, UNSIGNED-PAYLOAD, STREAMING-…) */
  readonly payload: Buffer | string;
  readonly nowMs: number;
};
export type SignedRequest = {
  /** flat raw headers to send as they are: host, the kept ones in order, content-length for a Buffer, x-amz-date, x-amz-security-token, authorization */
  readonly headers: string[];
  readonly signature: string;
  readonly signedHeaders: string;
};
export declare class SigningKeys {
  for(credentials: Credentials, scope: SigningScope): SigningKey;
}
/** Throws SigningError (duplicate control header, content hash that does not match the body, a day that is not the key's). */
export declare function signRequest(input: SignInput, key: SigningKey): SignedRequest;
export declare class SigningError extends Error {
  readonly code: 'duplicate_header' | 'payload_mismatch' | 'bad_header' | 'wrong_day';
}

// --- endpoints
export type Partition = { readonly id: string; readonly dnsSuffix: string; readonly dualStackSuffix: string };
export type DynamoDbService = 'dynamodb' | 'streams';
export type DynamoDbEndpoint = {
  readonly service: DynamoDbService;
  readonly region: string;
  readonly host: string;
  readonly variant: 'standard' | 'fips' | 'dualstack' | 'account' | 'vpc';
  readonly accountId?: string;
};
export declare function partitionOf(region: string): Partition | undefined;
/** Throws RangeError for a region no partition knows. `accountId` gives `<account>.ddb.<region>` where that form exists (service dynamodb, partition aws). */
export declare function dynamodbHost(target: {
  readonly service: DynamoDbService;
  readonly region: string;
  readonly accountId?: string;
  readonly variant?: 'standard' | 'fips' | 'dualstack';
}): string;
export declare function stsHost(region: string): string;
export declare function resolveDynamoDbUri(uri: string): DynamoDbEndpoint | Refusal;

// --- roles
export type RoleArn = { readonly arn: string; readonly name: string; readonly accountId: string; readonly spellings: readonly string[] };
export declare function roleArn(input: { readonly principal: string; readonly region: string; readonly accountId: string }): RoleArn | Refusal;
export declare function sessionName(user: string): string;

// --- credentials
export type CredentialSource = {
  /** memoised, single flight, refreshed when less than 5 minutes are left; rejects with CredentialError 'no_agent_credentials' */
  current(): Promise<Credentials>;
  /** changes when the agent becomes another identity: part of every cache key */
  readonly generation: number;
  /** 'environment', 'shared files', 'web identity token', 'container', 'instance metadata'; undefined before the first answer */
  readonly source: string | undefined;
};
export type AwsEnv = Readonly<Record<string, string | undefined>>;
export type AwsLog = (level: 'info' | 'warn', message: string, fields?: Readonly<Record<string, unknown>>) => void;
export declare function agentCredentials(options: { readonly env: AwsEnv; readonly log?: AwsLog; readonly now?: () => number }): CredentialSource;
/** AWS_REGION, then AWS_DEFAULT_REGION, then the profile's region in the shared files. */
export declare function agentRegion(env: AwsEnv): Promise<string | undefined>;
/** Where to dial for a service: AWS_ENDPOINT_URL_<SERVICE>, then AWS_ENDPOINT_URL, then https://<host>. Changes the dialled address only. */
export declare function dialUrl(input: { readonly env: AwsEnv; readonly service: string; readonly host: string }): URL;

export type AssumeRoleRequest = {
  /** whose credentials they are; flush(user) drops them */
  readonly user: string;
  readonly region: string;
  readonly roleArn: string;
  readonly sessionName: string;
  /** the database's assume_role_arn: assumed first */
  readonly assumeRoleArn?: string;
  /** goes with assumeRoleArn where that is set, with roleArn otherwise */
  readonly externalId?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly sourceIdentity?: string;
  /** clamped to 900…3600; default 3600 */
  readonly durationSeconds?: number;
  /** end of the user's certificate: nothing is handed out from then on */
  readonly useUntilMs?: number;
};
export declare class CredentialError extends Error {
  readonly code: 'denied' | 'unavailable' | 'expired' | 'invalid' | 'no_agent_credentials';
  /** for an administrator: STS's own words; may name the agent's ARN, never a secret */
  readonly detail: string | undefined;
  readonly retryAfterMs: number | undefined;
}
export type HttpRequest = { readonly url: URL; readonly headers: readonly string[]; readonly body: Buffer; readonly timeoutMs: number };
export type HttpAnswer = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer };
/** POST and read the answer whole; rejects on a network failure. */
export type HttpSend = (request: HttpRequest) => Promise<HttpAnswer>;
export declare class AssumeRoleCache {
  constructor(options: {
    readonly source: CredentialSource;
    readonly env: AwsEnv;
    readonly keys: SigningKeys;
    readonly send?: HttpSend;
    readonly log?: AwsLog;
    readonly now?: () => number;
    readonly random?: () => number;
    readonly sleep?: (ms: number) => Promise<void>;
    readonly maxEntries?: number;
  });
  /** message of a CredentialError may be shown to the user */
  credentialsFor(request: AssumeRoleRequest): Promise<Credentials>;
  flush(user: string): void;
  flushAll(): void;
  readonly size: number;
}

// --- dynamodb
export type OperationClass = 'data-read' | 'data-write' | 'meta-read' | 'meta-list' | 'admin' | 'partiql';
export type DynamoDbOperation = { readonly target: string; readonly service: DynamoDbService; readonly operation: string; readonly class: OperationClass };
export declare function dynamodbOperation(target: string): DynamoDbOperation | undefined;
export type Statement = { readonly verb: 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE'; readonly table: string; readonly index?: string };
export type TablesResult = {
  /** bare table names, each once, in order of appearance; empty for operations without a table */
  readonly tables: readonly string[];
  /** false: the request touches a table that it does not name readably (a foreign shard iterator): deny where rules name tables */
  readonly complete: boolean;
  /** PartiQL only: one per statement */
  readonly statements?: readonly Statement[];
  /** set: do not forward; hand code and message to dynamodbRefusal */
  readonly refusal?: { readonly code: 'ValidationException' | 'AccessDeniedException'; readonly message: string };
};
export declare function tablesOf(
  operation: DynamoDbOperation,
  body: Buffer,
  place: { readonly region: string; readonly accountId: string },
): TablesResult;

// --- refusals
export type DynamoDbRefusalCode =
  | 'AccessDeniedException'
  | 'ThrottlingException'
  | 'ServiceUnavailableException'
  | 'ExpiredTokenException'
  | 'UnrecognizedClientException'
  | 'ValidationException'
  | 'RequestEntityTooLargeException'
  | 'InternalServerError';
export declare function dynamodbRefusal(input: {
  readonly code: DynamoDbRefusalCode;
  readonly message: string;
  readonly requestId: string;
  readonly retryAfterMs?: number;
}): { readonly status: number; readonly headers: string[]; readonly body: Buffer };
