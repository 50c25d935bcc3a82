import { join } from 'node:path';
import { openMembership, openSpool, startAgent } from '@postern/agent';
import { PosternError } from '@postern/api';
import { dialUrl } from '@postern/aws';
import { createMetrics } from '@postern/telemetry';
import { createDbService, endpointNames } from '#db-service.ts';
import type { RunningAgent, StartDbAgentOptions } from '#index.ts';
import { VERSION } from '#version.ts';

export async function wireDbAgent(options: StartDbAgentOptions): Promise<RunningAgent> {
  const { config, logger, metrics = createMetrics(), env, nowMs = Date.now } = options;
  const { dataDir, nodeName, proxyServer } = config;
  checkEndpointSettings(env);
  // First of all, for it locks the folder: a second agent there must not renew the identity that the first one lives by.
  const spool = await openSpool({
    dir: join(dataDir, 'spool'),
    nowMs,
    onRefusing: (refusal) => {
      if (refusal === undefined) logger.warn({}, 'requests can be recorded again and are served');
      else logger.error({ err: refusal, reason: refusal.where ?? '' }, 'requests cannot be recorded and are refused');
    },
  });
  const { closedUnknown, unreadable } = spool.report;
  if (closedUnknown > 0) logger.warn({ count: closedUnknown }, 'requests of an earlier run had no outcome and are recorded as unknown');
  for (const { segment, bytes, kind } of unreadable) logger.warn({ segment, bytes, reason: kind }, 'part of the spool cannot be read');
  const membership = await openMembership({ ...config, role: 'db', version: VERSION, logger, nowMs }).catch(async (error: unknown) => {
    await spool.close();
    throw error;
  });
  const agent = await startAgent({
    kind: 'db',
    version: VERSION,
    nodeName,
    membership,
    spool,
    ...(proxyServer === undefined ? {} : { proxyServer }),
    logger,
    metrics,
    nowMs,
    service: (parts) => createDbService({ parts, config, env, logger, metrics, nowMs }),
  });
  return { hostId: membership.hostId, ready: () => agent.ready(), stop: () => agent.stop() };
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
