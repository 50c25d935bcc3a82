import type { OwnHost } from '@postern/aws';
import { limits } from '@postern/limits';

/**
 * What an application agent is told at start. cli/teleport maps the `app_service` section of teleport.yaml to it. The
 * environment (AWS credentials, AWS_ENDPOINT_URL…) arrives beside it as `env`; nothing else here reads process.env.
 */
export interface AppAgentConfig {
  /** Holds the agent's certificate, the spool of audit events that auth has not acknowledged, and bodies that are being hashed. */
  readonly dataDir: string;
  readonly nodeName: string;
  /** host:port. One of the two is needed; through a proxy the join is end to end all the same. */
  readonly proxyServer?: string;
  /** host:port where people's browsers reach the proxy, where it is not the one above. */
  readonly publicAddress?: string;
  readonly authServer?: string;
  /** The token, or the absolute path of a file that holds it. Read at the first start only. */
  readonly token?: string;
  readonly caPins: readonly string[];
  readonly apps: readonly StaticApp[];
  /** Which `app` resources of the cluster this agent serves as well; none where the list is empty. */
  readonly resources: readonly ResourceMatcher[];
  /** Do not verify the proxy's web certificate when asking where the cluster is. For trials. */
  readonly insecure?: boolean;
}

export interface StaticApp {
  readonly name: string;
  readonly description?: string;
  readonly uri?: string;
  readonly publicAddress?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly cloud?: 'AWS';
  readonly aws: { readonly externalId?: string; readonly ownHosts?: readonly OwnHost[] };
}

export interface ResourceMatcher {
  /** Key to the values it may have; `*` to `*` matches every resource. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  readonly aws?: { readonly assumeRoleArn?: string; readonly externalId?: string };
}

export const MAX_HEADER_BYTES = limits.headerBytes;
export const MAX_HEADER_LINES = limits.headerLines;
export const HEAD_MS = limits.headerMs;
export const BODY_IDLE_MS = limits.bodyIdleMs;
/** Of a body that nobody wants, so much is read that its client reads the answer. */
export const MAX_DISCARD_BYTES = 1024 * 1024;
/** Lambda may take fifteen minutes to answer, and as long between two events of a stream; what has died is found by TCP before. */
export const ANSWER_MS = 16 * 60_000;
/** botocore and others stop waiting for "100 Continue" after a second; so does this agent of AWS. */
export const CONTINUE_MS = 1000;
