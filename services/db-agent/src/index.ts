import type { Logger, Metrics } from '@postern/telemetry';
import type { DbAgentConfig } from '#config.ts';
import { wireDbAgent } from '#wiring.ts';

export type { DatabaseAws, DbAgentConfig, ResourceMatcher, StaticDatabase } from '#config.ts';

export interface StartDbAgentOptions {
  readonly config: DbAgentConfig;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  readonly nowMs?: () => number;
  /** AWS credentials and regions, and AWS_ENDPOINT_URL[_DYNAMODB | _DYNAMODB_STREAMS | _STS]. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface RunningAgent {
  readonly hostId: string;
  /** False with the reason where auth refused a database, the spool cannot write, or no proxy is attached. */
  ready(): Promise<{ readonly ok: boolean; readonly reason?: string }>;
  /** Takes no new sessions, lets open requests end, flushes the spool. */
  stop(): Promise<void>;
}

/** Joins the cluster or reads the identity of an earlier join, then serves. Rejects where the token or the pin is refused. */
export function startDbAgent(options: StartDbAgentOptions): Promise<RunningAgent> {
  return wireDbAgent(options);
}
