import type { RunningAgent } from '@postern/agent';
import type { Logger, Metrics } from '@postern/telemetry';
import type { DbAgentConfig } from '#config.ts';
import { wireDbAgent } from '#wiring.ts';

export type { RunningAgent } from '@postern/agent';
export type { DatabaseAws, DbAgentConfig, ResourceMatcher, StaticDatabase } from '#config.ts';

export interface StartDbAgentOptions {
  readonly config: DbAgentConfig;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  readonly nowMs?: () => number;
  /** AWS credentials and regions, and AWS_ENDPOINT_URL[_DYNAMODB | _DYNAMODB_STREAMS | _STS]. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Joins the cluster or reads the identity of an earlier join, then serves. Rejects where the token or the pin is refused. */
export function startDbAgent(options: StartDbAgentOptions): Promise<RunningAgent> {
  return wireDbAgent(options);
}
