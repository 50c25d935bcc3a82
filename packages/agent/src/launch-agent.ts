import { join } from 'node:path';
import type { Logger, Metrics } from '@postern/telemetry';
import { openMembership, type OpenMembershipOptions } from '#membership/open-membership.ts';
import { openSpool } from '#spool/open-spool.ts';
import { type AgentParts, type AgentService, startAgent } from '#start-agent.ts';

export interface LaunchAgentOptions {
  readonly kind: 'db' | 'app';
  readonly version: string;
  readonly config: Omit<OpenMembershipOptions, 'role' | 'version' | 'logger' | 'nowMs'>;
  /** A folder of the data directory: agents of several kinds may share that one. */
  readonly spoolFolder: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly nowMs: () => number;
  readonly service: (parts: AgentParts) => AgentService;
}

export interface RunningAgent {
  readonly hostId: string;
  /** False with the reason where auth refused a resource, the spool cannot write, no proxy is attached, or the service says so. */
  ready(): Promise<{ readonly ok: boolean; readonly reason?: string }>;
  /** Takes no new sessions, lets open requests end, flushes the spool. */
  stop(): Promise<void>;
}

/** Spool, membership, agent, in this order. Rejects where the token or the pin is refused. */
export async function launchAgent(options: LaunchAgentOptions): Promise<RunningAgent> {
  const { kind, version, config, logger, metrics, nowMs, service } = options;
  const { nodeName, proxyServer } = config;
  // First of all, for it locks the folder: a second agent there must not renew the identity that the first one lives by.
  const spool = await openSpool({
    dir: join(config.dataDir, options.spoolFolder),
    nowMs,
    onRefusing: (refusal) => {
      if (refusal === undefined) logger.warn({}, 'requests can be recorded again and are served');
      else logger.error({ err: refusal, reason: refusal.where ?? '' }, 'requests cannot be recorded and are refused');
    },
    onUnrecorded: (event) => {
      if (event === undefined) logger.warn({}, 'audit events are recorded one by one again');
      else
        logger.error(
          { user: event.head.user, resource: event.head.resource, kind: event.head.kind },
          'audit events find no room and are counted: who is refused this often fills what refusals may take of the spool, or the disk stalls',
        );
    },
  });
  const { closedUnknown, unreadable } = spool.report;
  if (closedUnknown > 0) logger.warn({ count: closedUnknown }, 'requests of an earlier run had no outcome and are recorded as unknown');
  for (const { segment, bytes, kind: damage } of unreadable)
    logger.warn({ segment, bytes, reason: damage }, 'part of the spool cannot be read');
  const membership = await openMembership({ ...config, role: kind, version, logger, nowMs }).catch(async (error: unknown) => {
    await spool.close();
    throw error;
  });
  const agent = await startAgent({
    kind,
    version,
    nodeName,
    membership,
    spool,
    ...(proxyServer === undefined ? {} : { proxyServer }),
    logger,
    metrics,
    nowMs,
    service,
  });
  return { hostId: membership.hostId, ready: () => agent.ready(), stop: () => agent.stop() };
}
