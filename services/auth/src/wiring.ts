import { join } from 'node:path';
import { type ImplementOptions, implement, PosternError, services } from '@postern/api';
import { openRedisStore, openSqliteStore, type Store } from '@postern/store';
import { createMetrics } from '@postern/telemetry';
import { authMetrics } from '#auth-metrics.ts';
import type { AuditLog } from '#audit/audit-log.ts';
import { openAuditLog } from '#audit/open-audit-log.ts';
import { volumeText } from '#audit/volume-watch.ts';
import { StoredAnchors } from '#audit/anchor/stored-anchors.ts';
import { type Authorities, hostCaPins } from '#authorities/authorities.ts';
import { isStoreOurs, openAuthorities } from '#authorities/open-authorities.ts';
import { renewWhileRunning } from '#certs/renew-while-running.ts';
import { issueServerIdentity } from '#certs/server-identity.ts';
import { type AuthConfig, DEFAULT_SESSION_TTL_MS, serverVersion } from '#config.ts';
import { hostIdOf } from '#hosts/host-id.ts';
import type { RunningAuth, StartAuthOptions } from '#index.ts';
import { JoinLimits } from '#join/join-limits.ts';
import { writeLocalAdmin } from '#local-admin/local-admin.ts';
import { PasswordHasher } from '#login/password-hash.ts';
import { SignInLimits } from '#login/sign-in.ts';
import { firstResources } from '#resources/first-resources.ts';
import { openShelves } from '#resources/shelves.ts';
import { RoleLoader } from '#roles/load-roles.ts';
import { accessHandlers } from '#rpc/access.ts';
import { auditHandlers } from '#rpc/audit.ts';
import { certsHandlers } from '#rpc/certs.ts';
import { joinHandlers } from '#rpc/join.ts';
import { loginHandlers } from '#rpc/login.ts';
import { presenceHandlers } from '#rpc/presence.ts';
import { resourcesHandlers } from '#rpc/resources.ts';
import { routeKeysHandlers } from '#rpc/route-keys.ts';
import { statusHandlers } from '#rpc/status.ts';
import { tokensHandlers } from '#rpc/tokens.ts';
import { usersHandlers } from '#rpc/users.ts';
import type { Sealer } from '#seal/sealer.ts';
import { reachableStore } from '#state/reachable-store.ts';
import { Callers } from '#tcp/callers.ts';
import { listen } from '#tcp/listener.ts';
import { firstRouteKey, RouteKeys } from '#tickets/route-keys.ts';
import { addToken } from '#tokens/add-token.ts';
import { hashStaticTokens } from '#tokens/static-tokens.ts';
import { AuditTrail } from '#trail/audit-trail.ts';
import { refusalRecorder } from '#trail/refusals.ts';

const HEARTBEAT_MS = 15_000;
const LOCAL_TOKEN_TTL_MS = 5 * 60_000;

export async function wireAuth(options: StartAuthOptions): Promise<RunningAuth> {
  const { config } = options;
  const nowMs = options.nowMs ?? Date.now;
  requireSupported(config);
  const hostId = await hostIdOf(join(config.dataDir, 'proc', 'auth_id'));
  const store = reachableStore(await openStore(config, nowMs));
  try {
    return await serve({ ...options, nowMs, hostId, store });
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openStore(config: AuthConfig, nowMs: () => number): Promise<Store> {
  const { storage } = config;
  if (storage.type === 'sqlite') return openSqliteStore({ path: storage.path ?? join(config.dataDir, 'auth.sqlite'), nowMs });
  const fencePath = join(config.dataDir, 'proc', 'redis-fence.json');
  return openRedisStore({ url: storage.url, clusterId: config.clusterName, nowMs, fencePath });
}

interface Opened extends StartAuthOptions {
  readonly nowMs: () => number;
  readonly hostId: string;
  readonly store: Store;
}

/** The authorities first: the audit log's seals need the key that opens them. */
async function serve(opened: Opened): Promise<RunningAuth> {
  const { config, logger, store, nowMs, hostId } = opened;
  const { authorities, sealer } = await openAuthorities({
    store,
    cluster: config.clusterName,
    sealKeyFile: config.sealKeyFile ?? join(config.dataDir, 'keys', 'seal.key'),
    markerFile: join(config.dataDir, 'proc', 'cluster.json'),
    alsoCreate: (newSealer) => [firstRouteKey({ sealer: newSealer, nowMs: nowMs() }), ...firstResources()],
    nowMs,
  });
  const log = await openAuditLog({
    dir: config.auditDir ?? join(config.dataDir, 'audit'),
    nowMs,
    cluster: config.clusterName,
    anchors: new StoredAnchors({ store, sealer, hostId }),
    onProblem: ({ kind, detail }) => logger.error({ kind, reason: detail }, 'the audit log has a problem'),
    onVolume: (alarm) => {
      if (alarm === undefined) logger.info({}, 'the volume of the audit log has space again');
      else logger[alarm.level === 90 ? 'error' : 'warn']({ reason: volumeText(alarm) }, 'the volume of the audit log fills');
    },
  });
  try {
    return await serveWith({ ...opened, authorities, sealer, log });
  } catch (error) {
    await log.close();
    throw error;
  }
}

async function serveWith(
  parts: Opened & { readonly authorities: Authorities; readonly sealer: Sealer; readonly log: AuditLog },
): Promise<RunningAuth> {
  const { config, logger, store, nowMs, hostId, authorities, sealer, log } = parts;
  const stopping = new AbortController();
  const trail = new AuditTrail({ log, hostId, nowMs });
  for (const { kind, detail } of log.problems) logger.error({ kind, reason: detail }, 'the audit log was found torn or short');
  const roles = new RoleLoader(store);
  const hasher = await PasswordHasher.create();
  const routeKeys = await RouteKeys.open({ store, sealer, nowMs });
  const staticTokens = hashStaticTokens(config.staticTokens);
  const defaultTtlMs = config.sessionTtlMs ?? DEFAULT_SESSION_TTL_MS;
  const callers = new Callers({ authorities, nowMs });
  const deps = {
    store,
    log,
    trail,
    roles,
    hasher,
    routeKeys,
    staticTokens,
    defaultTtlMs,
    authorities,
    sealer,
    nowMs,
    heartbeatMs: HEARTBEAT_MS,
    version: serverVersion,
    shelves: openShelves({ store, roles, nowMs }),
  };
  const refusals = refusalRecorder({ trail, nowMs, onError: (err) => logger.warn({ err }, 'a refusal could not be recorded') });
  const counters = authMetrics(parts.metrics ?? createMetrics(), { connections: () => listener.connectionCount });
  const serving: ImplementOptions = {
    identify: (call) => callers.identify(call),
    nowMs,
    onUnexpected: (err, method) => logger.error({ err, method }, 'a call failed'),
    onAnswered: (answer) => counters.answered(answer),
    onRefused: ({ method, caller, reason }) => refusals.call({ method, caller, reason }),
  };
  const served = [
    implement(services.join, joinHandlers({ ...deps, limits: new JoinLimits() }), serving),
    implement(services.login, loginHandlers({ ...deps, limits: new SignInLimits() }), serving),
    implement(services.certs, certsHandlers(deps), serving),
    implement(services.resources, resourcesHandlers(deps), serving),
    implement(services.tokens, tokensHandlers(deps), serving),
    implement(services.users, usersHandlers(deps), serving),
    implement(services.presence, presenceHandlers(deps), serving),
    implement(services.audit, auditHandlers(deps), serving),
    implement(services.access, accessHandlers(deps), serving),
    implement(services.status, statusHandlers(deps), serving),
    implement(services.routeKeys, routeKeysHandlers(deps), serving),
  ];
  const identity = await issueServerIdentity(deps, hostId);
  const listener = await listen({
    listen: config.listen,
    identity,
    authorities,
    services: served,
    callers,
    routeKeys: () => routeKeys.current().map(({ key }) => key),
    onRefused: (refusal) => refusals.connection(refusal),
  });
  const localAdminFile = join(config.dataDir, 'proc', 'admin.json');
  const admin = { file: localAdminFile, authorities, address: localAddress(listener.address), nowMs };
  const firstAdmin = await writeLocalAdmin(admin);
  const background = {
    nowMs,
    signal: stopping.signal,
    onError: (err: unknown) => logger.error({ err }, 'a renewal failed, and is tried again'),
  };
  renewWhileRunning({ ...background, firstNotAfterMs: firstAdmin.notAfterMs, renew: () => writeLocalAdmin(admin) });
  renewWhileRunning({
    ...background,
    firstNotAfterMs: identity.notAfterMs,
    renew: async () => {
      const renewed = await issueServerIdentity(deps, hostId);
      listener.renewIdentity(renewed);
      return renewed;
    },
  });
  const rotating = routeKeys.keepRotating(stopping.signal, background.onError);
  logger.info({ cluster: authorities.cluster, listenAddress: localAddress(listener.address) }, 'auth serves');
  return {
    address: listener.address,
    cluster: authorities.cluster,
    caPins: hostCaPins(authorities),
    hostCaPems: authorities.trustedPems('host'),
    localAdminFile,
    createLocalToken: async (role, { dbNames = [] } = {}) => {
      const boundNames = dbNames.map((name) => ({ kind: 'db' as const, name }));
      const made = { roles: [role], value: '', ttlMs: LOCAL_TOKEN_TTL_MS, labels: {}, boundNames, maxUses: 1, createdBy: 'auth' };
      return (await addToken(deps, { ...made, bindsAnyName: true })).token;
    },
    ready: async () => {
      try {
        const refusing = log.refusing();
        if (refusing !== undefined) return { ok: false, reason: refusing };
        const reason = log.alarms().join('; ');
        if (await isStoreOurs(store, authorities)) return { ok: true, ...(reason === '' ? {} : { reason }) };
        return { ok: false, reason: 'the store does not hold this cluster any more: restore it' };
      } catch {
        return { ok: false, reason: 'the store does not answer' };
      }
    },
    stop: async () => {
      stopping.abort();
      await listener.stop();
      await rotating;
      await log.close();
      await store.close();
    },
  };
}

/** The types say as much; a file may have come by another way. */
function requireSupported(config: AuthConfig): void {
  const { type, secondFactor } = config.authentication as { readonly type: string; readonly secondFactor: string };
  if (type !== 'local' || secondFactor !== 'off') {
    throw new PosternError(
      'bad_request',
      'auth_service.authentication: there are no second factors yet, so password-only sign-in has to be written: type: local, second_factor: "off"',
    );
  }
}

function localAddress({ host, port }: { readonly host: string; readonly port: number }): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return reachable.includes(':') ? `[${reachable}]:${port}` : `${reachable}:${port}`;
}
