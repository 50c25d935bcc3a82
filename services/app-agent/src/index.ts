import type { RunningAgent } from '@postern/agent';
import type { Logger, Metrics } from '@postern/telemetry';
import type { AppAgentConfig } from '#config.ts';
import { wireAppAgent } from '#wiring.ts';

export type { RunningAgent } from '@postern/agent';
export type { AppAgentConfig, ResourceMatcher, StaticApp } from '#config.ts';

export interface StartAppAgentOptions {
  readonly config: AppAgentConfig;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  readonly nowMs?: () => number;
  /** AWS credentials and regions, and AWS_ENDPOINT_URL[_<SERVICE>]. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Joins the cluster or reads the identity of an earlier join, then serves. Rejects where the token or the pin is refused. */
export function startAppAgent(options: StartAppAgentOptions): Promise<RunningAgent> {
  return wireAppAgent(options);
}
