import { PosternError } from '@postern/api/errors';
import type { TeleportConfig } from '@postern/config';
import type { Logger, Metrics } from '@postern/telemetry';
import { type Running, stopAll } from '#start/running.ts';
import { appAgentConfig, authConfig, dbAgentConfig, type LocalAuth, proxyConfig } from '#start/service-configs.ts';

export interface StartServicesOptions {
  readonly config: TeleportConfig;
  readonly logger: Logger;
  /** Each service adds its own: one page a process. */
  readonly metrics: Metrics;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly insecure: boolean;
  /** Called when a service runs, in the order of their starts. */
  readonly onStarted?: (service: 'auth' | 'proxy' | 'db-agent' | 'app-agent', address: string) => void;
}

/**
 * Starts what the file enables: auth, then proxy, then the agents. In one process they meet as in a cluster,
 * over loopback TCP with certificates; only the token that joins them is handed over in memory.
 */
export async function startServices(options: StartServicesOptions): Promise<Running> {
  const { config, logger, metrics, env, insecure, onStarted } = options;
  const wanted = [config.auth, config.proxy, config.db, config.app].some((section) => section?.enabled === true);
  if (!wanted)
    throw new PosternError(
      'bad_request',
      'nothing is enabled: set enabled: "yes" in auth_service, proxy_service, db_service or app_service',
    );
  let running: Running = {};
  try {
    const forAuth = authConfig(config);
    let local: LocalAuth | undefined;
    if (forAuth !== undefined) {
      const { startAuth } = await import('@postern/auth');
      const auth = await named('auth_service', startAuth({ config: forAuth, logger: logger.child({ component: 'auth' }), metrics }));
      running = { ...running, auth };
      const address = reachable(auth.address);
      local = { address, caPins: auth.caPins, hostCaPems: auth.hostCaPems, createToken: (role) => auth.createLocalToken(role) };
      logger.info({ component: 'auth', listenAddress: address, cluster: auth.cluster, pins: auth.caPins }, 'auth has started');
      onStarted?.('auth', address);
    }
    const forProxy = await proxyConfig(config, local);
    if (forProxy !== undefined) {
      const { startProxy } = await import('@postern/proxy');
      const proxy = await named('proxy_service', startProxy({ config: forProxy, logger: logger.child({ component: 'proxy' }), metrics }));
      running = { ...running, proxy };
      logger.info(
        { component: 'proxy', listenAddress: addressText(proxy.address), publicAddress: proxy.publicAddress },
        'proxy has started',
      );
      onStarted?.('proxy', proxy.publicAddress);
    }
    const { proxy } = running;
    const place = { local, insecure, proxyAddress: proxy && reachable(proxy.address), publicAddress: proxy?.publicAddress };
    const forDatabases = await dbAgentConfig(config, place);
    if (forDatabases !== undefined) {
      const { startDbAgent } = await import('@postern/db-agent');
      const agent = await named(
        'db_service',
        startDbAgent({ config: forDatabases, logger: logger.child({ component: 'db-agent' }), metrics, env }),
      );
      running = { ...running, agent };
      logger.info({ component: 'db-agent', hostId: agent.hostId, count: forDatabases.databases.length }, 'database agent has started');
      onStarted?.('db-agent', agent.hostId);
    }
    const forApps = await appAgentConfig(config, place);
    if (forApps !== undefined) {
      const { startAppAgent } = await import('@postern/app-agent');
      const appAgent = await named(
        'app_service',
        startAppAgent({ config: forApps, logger: logger.child({ component: 'app-agent' }), metrics, env }),
      );
      running = { ...running, appAgent };
      logger.info({ component: 'app-agent', hostId: appAgent.hostId, count: forApps.apps.length }, 'application agent has started');
      onStarted?.('app-agent', appAgent.hostId);
    }
    return running;
  } catch (error) {
    await stopAll(running).catch(() => undefined);
    throw error;
  }
}

/** Says which service could not take its port: the system's own message names no section. */
async function named<T>(section: string, starting: Promise<T>): Promise<T> {
  try {
    return await starting;
  } catch (error) {
    const { code, port } = error as NodeJS.ErrnoException & { readonly port?: number };
    if (code === 'EADDRINUSE')
      throw new PosternError('already_exists', `${section}: port ${port ?? ''} is in use by another program`, { cause: error });
    if (code === 'EACCES')
      throw new PosternError('denied', `${section}: port ${port ?? ''} may not be opened by this user`, { cause: error });
    throw error;
  }
}

/** A part of this process listens on every address: it is dialled over loopback. */
function reachable({ host, port }: { readonly host: string; readonly port: number }): string {
  return addressText({ host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port });
}

export function addressText({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
