import { launchAgent, type RunningAgent } from '@postern/agent';
import { PosternError } from '@postern/api';
import { dialUrl } from '@postern/aws';
import { createMetrics } from '@postern/telemetry';
import { endpointNames } from '#config.ts';
import { createDbService } from '#db-service.ts';
import type { StartDbAgentOptions } from '#index.ts';
import { VERSION } from '#version.ts';

export async function wireDbAgent(options: StartDbAgentOptions): Promise<RunningAgent> {
  const { config, logger, metrics = createMetrics(), env, nowMs = Date.now } = options;
  checkEndpointSettings(env);
  return launchAgent({
    kind: 'db',
    version: VERSION,
    config,
    spoolFolder: 'spool',
    logger,
    metrics,
    nowMs,
    service: (parts) => createDbService({ parts, config, env, logger, metrics, nowMs }),
  });
}

/** A setting that is no URL is found at the start, and not with the first request. */
function checkEndpointSettings(env: StartDbAgentOptions['env']): void {
  for (const service of ['STS', ...Object.values(endpointNames)]) {
    try {
      dialUrl({ env, service, host: 'dynamodb.us-east-1.amazonaws.com' });
    } catch (cause) {
      throw new PosternError('bad_request', cause instanceof Error ? cause.message : 'AWS_ENDPOINT_URL is not a URL', { cause });
    }
  }
}
