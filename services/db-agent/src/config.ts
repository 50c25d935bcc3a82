import type { DynamoDbService } from '@postern/aws';
import { limits } from '@postern/limits';

/**
 * What a database agent is told at start. cli/teleport maps the `db_service` section of teleport.yaml to it. The
 * environment (AWS credentials, AWS_ENDPOINT_URL) arrives beside it as `env`; nothing else here reads process.env.
 */
export interface DbAgentConfig {
  /** Holds the agent's certificate and the spool of audit events that auth has not acknowledged. */
  readonly dataDir: string;
  readonly nodeName: string;
  /** host:port. One of the two is needed; through a proxy the join is end to end all the same. */
  readonly proxyServer?: string;
  readonly authServer?: string;
  /** The token, or the absolute path of a file that holds it. Read at the first start only. */
  readonly token?: string;
  readonly caPins: readonly string[];
  readonly databases: readonly StaticDatabase[];
  /** Which `db` resources of the cluster this agent serves as well; none where the list is empty. */
  readonly resources: readonly ResourceMatcher[];
  /** Do not verify the proxy's web certificate when asking where the cluster is. For trials. */
  readonly insecure?: boolean;
}

export interface StaticDatabase {
  readonly name: string;
  readonly description?: string;
  readonly protocol: string;
  readonly uri?: string;
  readonly staticLabels: Readonly<Record<string, string>>;
  readonly aws: DatabaseAws;
}

export interface DatabaseAws {
  readonly region?: string;
  readonly accountId?: string;
  /** Assumed first, with `externalId`; the user's role is assumed from it. */
  readonly assumeRoleArn?: string;
  readonly externalId?: string;
  readonly sessionTags?: Readonly<Record<string, string>>;
}

export interface ResourceMatcher {
  /** Key to the values it may have; `*` to `*` matches every resource. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  readonly aws?: { readonly assumeRoleArn?: string; readonly externalId?: string };
}

/** As the operator's AWS_ENDPOINT_URL_… are named. */
export const endpointNames: Record<DynamoDbService, string> = { dynamodb: 'DYNAMODB', streams: 'DYNAMODB_STREAMS' };

export const MAX_BODY_BYTES = limits.dbBodyBytes;
export const MAX_HEADER_BYTES = limits.headerBytes;
export const MAX_HEADER_LINES = limits.headerLines;
export const HEAD_MS = limits.headerMs;
export const BODY_IDLE_MS = limits.bodyIdleMs;
/** For a whole body, however steadily it drips. */
export const BODY_MS = 300_000;
export const BODY_BUDGET_BYTES = limits.dbBodiesBytes;
