import { join } from 'node:path';
import { launchAgent, type RunningAgent } from '@postern/agent';
import { PosternError } from '@postern/api';
import { agentRegion, dialUrl } from '@postern/aws';
import { createMetrics } from '@postern/telemetry';
import { createAppService } from '#app-service.ts';
import type { StartAppAgentOptions } from '#index.ts';
import { VERSION } from '#version.ts';

export async function wireAppAgent(options: StartAppAgentOptions): Promise<RunningAgent> {
  const { config, logger, metrics = createMetrics(), env, nowMs = Date.now } = options;
  checkEndpointSettings(env);
  const region = await agentRegion(env);
  return launchAgent({
    kind: 'app',
    version: VERSION,
    config,
    // A database agent of the same process has `spool`.
    spoolFolder: 'app-spool',
    logger,
    metrics,
    nowMs,
    service: (parts) =>
      createAppService({ parts, config, bodiesDir: join(config.dataDir, 'app-bodies'), region, env, logger, metrics, nowMs }),
  });
}

/** A setting that is no URL is found at the start, and not with the first request. */
function checkEndpointSettings(env: StartAppAgentOptions['env']): void {
  const named = Object.keys(env).flatMap((name) => /^AWS_ENDPOINT_URL_(.+)$/.exec(name)?.[1] ?? []);
  for (const service of ['', ...named]) {
    try {
      dialUrl({ env, service, host: 'sts.us-east-1.amazonaws.com' });
    } catch (cause) {
      throw new PosternError('bad_request', cause instanceof Error ? cause.message : 'AWS_ENDPOINT_URL is not a URL', { cause });
    }
  }
}
