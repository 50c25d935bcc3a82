import { setTimeout as delay } from 'node:timers/promises';
import { enterCluster, type HostMember, ResourceCache } from '@postern/membership';
import { createMetrics } from '@postern/telemetry';
import { serverVersion } from '#config.ts';
import type { RunningProxy, StartProxyOptions } from '#index.ts';
import { serveProxy } from '#serve-proxy.ts';

/** Parts of a cluster start in any order: a proxy waits so long for its auth. */
const WAIT_FOR_AUTH_MS = 60_000;
const BETWEEN_ATTEMPTS_MS = 1_000;
/** A first view of the cluster before the first client; without one the proxy starts all the same and is not ready. */
const FIRST_VIEW_MS = 5_000;

/** Joins the cluster, or goes on with the identity of an earlier join, and serves. */
export async function wireProxy({ config, logger, metrics = createMetrics(), nowMs = Date.now }: StartProxyOptions): Promise<RunningProxy> {
  const member = await enter({ config, logger, nowMs });
  const resources = new ResourceCache({
    client: () => member.client(),
    kinds: ['db_server', 'app_server', 'lock', 'proxy'],
    onSilent: () => member.redial(),
    onProblem: (err) => logger.warn({ err }, 'the watch of the cluster was lost: what is known stays in force'),
    nowMs,
  });
  const stop = () => Promise.all([resources.stop(), member.stop()]);
  try {
    const running = await serveProxy({
      config,
      logger,
      metrics,
      nowMs,
      cluster: {
        member,
        openAuth: () => member.openChannel(),
        resources: {
          list: (kind) => resources.list(kind).map(({ json }) => json),
          onChange: (listener) => void resources.onChange(() => listener()),
          heardAuth: () => resources.ageMs() < resources.patienceMs,
          stop: () => resources.stop(),
        },
      },
    });
    const until = performance.now() + FIRST_VIEW_MS;
    while (!(await running.ready()).ok && performance.now() < until) await delay(20);
    return running;
  } catch (error) {
    await stop();
    throw error;
  }
}

async function enter({ config, logger, nowMs }: Required<Omit<StartProxyOptions, 'metrics'>>): Promise<HostMember> {
  const { authAddress: authServer, dataDir, nodeName, join } = config;
  const deadline = performance.now() + WAIT_FOR_AUTH_MS;
  for (let attempt = 1; ; attempt++) {
    try {
      return await enterCluster({
        authServer,
        dataDir,
        nodeName,
        role: 'proxy',
        version: serverVersion,
        token: join.token,
        nowMs,
        ...(join.caPins ? { caPins: join.caPins } : {}),
        ...(join.hostCaPems ? { hostCaPems: join.hostCaPems } : {}),
        onProblem: (err) => logger.warn({ err }, 'the certificate of this proxy could not be renewed yet'),
        onWarning: (reason) => logger.warn({ reason }, 'joining'),
      });
    } catch (error) {
      if (!isAway(error) || performance.now() > deadline) throw error;
      if (attempt === 1) logger.warn({ err: error, authAddress: authServer }, 'auth does not answer yet: waiting for it');
      await delay(BETWEEN_ATTEMPTS_MS);
    }
  }
}

const away = /\b(?:ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)\b/;

/** Nobody listens there, or the name is not known yet. A wrong pin or a refused token is not mended by waiting. */
function isAway(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (away.test(`${at.message} ${code ?? ''}`)) return true;
  }
  return false;
}
