import type { AppAgentConfig } from '@postern/app-agent';
import type { AuthConfig, JoinRole } from '@postern/auth';
import type { TeleportConfig } from '@postern/config';
import type { DbAgentConfig } from '@postern/db-agent';
import { readTokenValue } from '@postern/membership';
import type { ProxyConfig } from '@postern/proxy';
import { PosternError } from '@postern/api/errors';

/** What an auth server in the same process gives to the others; without one the file has to say it. */
export interface LocalAuth {
  readonly address: string;
  readonly caPins: readonly string[];
  readonly hostCaPems: readonly string[];
  readonly createToken: (role: JoinRole) => Promise<string>;
}

export function authConfig(config: TeleportConfig): AuthConfig | undefined {
  const { auth, dataDir } = config;
  if (auth?.enabled !== true) return undefined;
  return {
    dataDir,
    clusterName: auth.clusterName,
    listen: auth.listenAddress,
    storage: auth.storage,
    staticTokens: auth.tokens.map(({ roles, value }) => ({ roles, value: readTokenValue(value) })),
    authentication: auth.authentication,
    ...(auth.sessionTtlMs === undefined ? {} : { sessionTtlMs: auth.sessionTtlMs }),
    ...(auth.sealKeyFile === undefined ? {} : { sealKeyFile: auth.sealKeyFile }),
    ...(auth.auditDir === undefined ? {} : { auditDir: auth.auditDir }),
  };
}

export async function proxyConfig(config: TeleportConfig, local: LocalAuth | undefined): Promise<ProxyConfig | undefined> {
  const { proxy, dataDir, nodename } = config;
  if (proxy?.enabled !== true) return undefined;
  const authAddress = local?.address ?? config.authServer;
  if (authAddress === undefined) throw missing('teleport.auth_server', 'proxy_service needs the address of an auth server');
  const [publicAddress] = proxy.publicAddress;
  return {
    listen: proxy.webListenAddress,
    ...(publicAddress === undefined ? {} : { publicAddress }),
    ...(proxy.ownAddress === undefined ? {} : { ownAddress: proxy.ownAddress }),
    dataDir,
    httpsKeypairs: proxy.httpsKeypairs,
    authAddress,
    join:
      local === undefined
        ? { token: config.token ?? '', caPins: config.caPins }
        : { token: await local.createToken('proxy'), hostCaPems: local.hostCaPems },
    nodeName: nodename,
  };
}

export interface AgentPlace {
  readonly local: LocalAuth | undefined;
  readonly insecure: boolean;
  /** Of the proxy in this process, where there is one. */
  readonly proxyAddress: string | undefined;
  /** And where people reach it. */
  readonly publicAddress: string | undefined;
}

export async function dbAgentConfig(config: TeleportConfig, place: AgentPlace): Promise<DbAgentConfig | undefined> {
  const { db } = config;
  if (db?.enabled !== true) return undefined;
  return { ...(await agentConfig(config, 'db', place)), databases: db.databases, resources: db.resources };
}

export async function appAgentConfig(config: TeleportConfig, place: AgentPlace): Promise<AppAgentConfig | undefined> {
  const { app } = config;
  if (app?.enabled !== true) return undefined;
  const { publicAddress } = place;
  const launch = publicAddress === undefined ? {} : { publicAddress };
  return { ...(await agentConfig(config, 'app', place)), ...launch, apps: app.apps, resources: app.resources };
}

/** What agents of both kinds are told: where the cluster is, and how they join it. */
async function agentConfig(
  config: TeleportConfig,
  kind: 'db' | 'app',
  { local, insecure, proxyAddress }: AgentPlace,
): Promise<Omit<DbAgentConfig, 'databases' | 'resources'>> {
  const { dataDir, nodename, proxyServer, authServer } = config;
  const own = { dataDir, nodeName: nodename, insecure };
  if (local !== undefined) {
    const reach = proxyAddress === undefined ? { authServer: local.address } : { proxyServer: proxyAddress };
    return { ...own, ...reach, token: await local.createToken(kind), caPins: local.caPins };
  }
  if (proxyServer === undefined && authServer === undefined)
    throw missing('teleport.proxy_server', `${kind}_service needs the address of the cluster`);
  return {
    ...own,
    ...(proxyServer === undefined ? {} : { proxyServer }),
    ...(authServer === undefined ? {} : { authServer }),
    ...(config.token === undefined ? {} : { token: config.token }),
    caPins: config.caPins,
  };
}

function missing(field: string, why: string): PosternError {
  return new PosternError('bad_request', `${field} is missing: ${why}`);
}
