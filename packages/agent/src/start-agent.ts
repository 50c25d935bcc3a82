import {
  appendStoredEvents,
  callUnary,
  type ConsoleSignIn,
  Identity_Kind,
  PresenceService,
  type SessionInfo,
  type SignInToConsoleRequest,
} from '@postern/api';
import { resourceId, verifyPeer } from '@postern/pki';
import { awsCredentialOperations, compileSubject, decide, lockMode } from '@postern/rbac';
import { parseResource, roleFromResource } from '@postern/resources';
import type { Logger, Metrics } from '@postern/telemetry';
import { fullJitterBackoff, ReverseTunnelClient } from '@postern/tunnel';
import { ProxyAddresses } from '#attach/proxy-addresses.ts';
import { WayToAuth } from '#attach/way-to-auth.ts';
import { uploadEvents } from '#audit/upload-events.ts';
import { Authorizer } from '#authorise/authorizer.ts';
import { PolicyView, type WatchedResource } from '#authorise/policy-view.ts';
import { agentHealth } from '#health/agent-health.ts';
import { observeAgent } from '#health/agent-metrics.ts';
import type { Membership } from '#membership/membership.ts';
import { sessionTls, tunnelCredentials } from '#membership/own-tls.ts';
import { Announcer } from '#presence/announcer.ts';
import type { ServedResource } from '#presence/served-resource.ts';
import type { LiveSession } from '#session/live-session.ts';
import { OpenSessions, type RefusedConnection } from '#session/open-sessions.ts';
import { createSessionServer, type SessionConnection } from '#session/session-server.ts';
import type { Spool } from '#spool/spool.ts';

/** What a kind of agent adds to what both have: its resources and the requests for them. */
export interface AgentService {
  /** What it would serve if auth agreed. */
  wanted(): readonly ServedResource[];
  /** Is the name served now: wanted, admitted, and with labels to decide by? */
  serves(name: string): boolean;
  /** See OpenSessionsOptions. */
  placeOf(session: LiveSession): object;
  putResource(name: string, json: unknown): void;
  removeResource(name: string): void;
  onConnection(connection: SessionConnection): void;
  onSessionStart(session: LiveSession): void;
  onSessionEnd(session: LiveSession): void;
  onRefused(refused: RefusedConnection): void;
  describe(session: LiveSession): SessionInfo;
  /** See SessionServerOptions. */
  signInToConsole(session: LiveSession, request: SignInToConsoleRequest): Promise<ConsoleSignIn>;
  /** What an administrator should know, in sentences. */
  problems(): readonly string[];
  /** Requests under way. */
  readonly underWay: number;
  stop(): Promise<void>;
}

/** What the service may use. */
export interface AgentParts {
  readonly hostId: string;
  readonly cluster: string;
  readonly spool: Spool;
  /** The labels that count; undefined where auth has not admitted the name. */
  readonly labelsOf: (name: string) => Readonly<Record<string, string>> | undefined;
  /** Call when `wanted` gives something else than before. */
  readonly resourcesChanged: () => void;
}

export interface StartAgentOptions {
  readonly kind: 'db' | 'app';
  readonly version: string;
  readonly nodeName: string;
  readonly membership: Membership;
  readonly spool: Spool;
  /** The address of the configuration; proxies that auth lists are attached to as well. */
  readonly proxyServer?: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly nowMs: () => number;
  readonly service: (parts: AgentParts) => AgentService;
}

export interface StartedAgent {
  ready(): Promise<{ readonly ok: boolean; readonly reason?: string }>;
  stop(): Promise<void>;
}

const RETRY = { baseMs: 500, capMs: 30_000 };
const DRAIN_MS = 25_000;
const UPLOAD_LAST_MS = 3_000;
const FIRST_SYNC_MS = 30_000;
const SWEEP_SOON_MS = 100;

/** Joins the parts of an agent: the watch feeds decisions, decisions guard sessions, sessions come out of tunnels. */
export async function startAgent(options: StartAgentOptions): Promise<StartedAgent> {
  const { kind, membership, spool, logger, metrics, nowMs } = options;
  const { hostId, cluster } = membership;
  const stopping = new AbortController();
  const uploadingStops = new AbortController();

  const policy = new PolicyView({
    readRole: (json) => {
      const resource = parseResource(json);
      if (resource.kind !== 'role') throw new TypeError('not a role');
      return roleFromResource(resource);
    },
    onUnreadable: ({ kind: what, name, reason }) =>
      logger.warn({ resource: `${what}/${name}`, reason }, 'a resource of the cluster cannot be read: whom it concerns is refused'),
  });
  const authorizer = new Authorizer({
    policy,
    serverId: hostId,
    nowMs,
    monotonicMs: () => performance.now(),
    viewAgeMs: () => membership.viewAgeMs(),
    compileSubject,
    decide,
    lockMode,
    awsCredentialOperations,
  });

  const announcer = new Announcer({
    version: options.version,
    nodeName: options.nodeName,
    announce: async (request) => {
      await membership.reachable();
      return callUnary(membership.client(), PresenceService.announceServers, request);
    },
    wanted: () => service.wanted(),
    onAdmitted: () => sessions.sweep(),
    onRefused: ({ name, reason }) =>
      logger.error({ resource: `${kind}/${name}`, reason }, 'auth refuses to let this agent serve a resource'),
    onFailed: (err) => logger.warn({ err }, 'auth did not take the announcement of what this agent serves'),
    quietMs: () => membership.quietMs(),
    backoff: (attempt) => waitMs(attempt),
  });
  const service = options.service({
    hostId,
    cluster,
    spool,
    labelsOf: (name) => announcer.labelsOf(name),
    resourcesChanged: () => void announcer.announce(),
  });

  const sessions = new OpenSessions({
    resourceKind: kind,
    verifyPeer: (certificateDer) => {
      const { hostCaPems, userCaPems } = membership.current();
      return verifyPeer({ certificateDer, cluster, kinds: [Identity_Kind.SESSION], hostCaPems, userCaPems, nowMs: nowMs() });
    },
    standingOf: (who) => authorizer.standingOf(who),
    serves: (name) => service.serves(name),
    rulesVersion: () => policy.rulesVersion,
    placeOf: (session) => service.placeOf(session),
    onStart: (session) => service.onSessionStart(session),
    onEnd: (session) => service.onSessionEnd(session),
    onRefused: (refused) => service.onRefused(refused),
  });
  const server = createSessionServer({
    tls: sessionTls(membership),
    sessions,
    nowMs,
    onConnection: (connection) => service.onConnection(connection),
    describe: (session) => service.describe(session),
    signInToConsole: (session, request) => service.signInToConsole(session, request),
    onHandshakeFailed: (error, clientAddress) => service.onRefused({ reason: error.message, clientAddress }),
    onUnexpected: (err, action) => logger.error({ err, action }, 'a call of a session failed'),
  });

  const addresses = new ProxyAddresses(options.proxyServer);
  const tunnels = new ReverseTunnelClient({
    proxies: addresses.all([]),
    credentials: () => tunnelCredentials(membership, nowMs),
    version: options.version,
    resourceIds: () => service.wanted().map(({ name }) => resourceId(kind, name)),
    serves: (id) => servedById(id, { kind, service }),
    onConnection: (stream, { clientAddress }) => server.accept(stream, { remoteAddress: clientAddress }),
    onStatus: ({ proxy, state, lastError }) => {
      logger.info({ proxyAddress: proxy, state, ...(lastError === undefined ? {} : { reason: lastError }) }, 'tunnel to a proxy');
      // The status is set before this is called, but not yet returned to whoever made the link.
      queueMicrotask(() => {
        attach();
        wayToAuth.changed();
      });
    },
  });

  // Before the first tunnel is dialled, and where none is wanted, there is nothing to wait for.
  const wayToAuth = new WayToAuth({
    attached: () => {
      const statuses = tunnels.status();
      return statuses.length === 0 || statuses.some(({ state }) => state === 'attached');
    },
    spreadMs: () => Math.max(0, ...tunnels.status().map(({ spreadMs = 0 }) => spreadMs)),
    authSpreadMs: () => membership.spreadMs(),
  });
  membership.dialAfter(() => wayToAuth.open());
  const attach = () => {
    if (!stopping.signal.aborted) tunnels.setProxies(addresses.all(tunnels.status()));
  };

  const apply = (resource: WatchedResource) => {
    if (resource.kind === 'proxy') addresses.put(resource);
    else if (resource.kind === kind) service.putResource(resource.name, resource.json);
    else policy.put(resource);
    if (resource.kind === 'proxy') attach();
  };
  const remove = (what: string, name: string) => {
    if (what === 'proxy') addresses.remove(name);
    else if (what === kind) service.removeResource(name);
    else policy.remove(what, name);
    if (what === 'proxy') attach();
  };

  // A change of a lock, a role or a user is looked at once for all that came in a tenth of a second: many cost no more than a few.
  let sweeping = false;
  policy.onChange(() => {
    if (sweeping) return;
    sweeping = true;
    setTimeout(() => {
      sweeping = false;
      sessions.sweep();
    }, SWEEP_SOON_MS).unref();
  });
  membership.watch({ put: apply, remove });
  membership.onRenewed(() => {
    server.setTls(sessionTls(membership));
    tunnels.renew();
  });

  const { uploaded } = observeAgent(metrics, { kind, tunnels, spool, sessions, viewAgeMs: () => membership.viewAgeMs() });
  const uploading = uploadEvents({
    spool,
    append: async (message) => {
      await membership.reachable();
      const answer = await callUnary(membership.client(), appendStoredEvents, message);
      uploaded.add(answer.stored + answer.duplicates);
      return answer;
    },
    backoff: waitMs,
    signal: uploadingStops.signal,
    onFailure: (err, attempt) => {
      if (attempt === 1 || attempt % 20 === 0)
        logger.warn({ err, attempt, queued: spool.stats().waiting }, 'auth did not take audit events: they wait in the spool');
    },
  });

  // Nobody can be let in before it is known who is locked; a cluster that does not answer yet is waited for behind the scenes.
  await membership
    .synced(AbortSignal.timeout(FIRST_SYNC_MS))
    .catch((err: unknown) => logger.warn({ err }, 'auth has not told its state yet: nobody is let in until it has'));
  await announcer.announce();
  tunnels.start();

  const health = agentHealth({ service, announcer, tunnels, membership });
  return {
    async ready() {
      const report = await health.report('ready');
      const reasons = Object.entries(report.checks).flatMap(([name, check]) =>
        check.ok ? [] : [`${name}: ${check.reason ?? 'not ready'}`],
      );
      return reasons.length === 0 ? { ok: true } : { ok: false, reason: reasons.join('; ') };
    },
    async stop() {
      stopping.abort();
      tunnels.setProxies([]);
      wayToAuth.stop();
      await announcer.stop();
      await until(() => service.underWay === 0, DRAIN_MS);
      await tunnels.stop();
      await server.stop({ graceMs: 0 });
      await service.stop();
      // What waits is offered to auth for a moment more; what it does not take stays on disk for the next start.
      // The outcomes of the last requests are not counted before they are on the disk.
      await spool.flush().catch((err: unknown) => logger.warn({ err }, 'the last audit events could not be written'));
      await until(() => spool.stats().waiting === 0, UPLOAD_LAST_MS);
      uploadingStops.abort();
      await uploading.catch(() => undefined);
      await spool.close();
      await membership.stop();
    },
  };
}

function servedById(id: Buffer, { kind, service }: { readonly kind: 'db' | 'app'; readonly service: AgentService }): string | undefined {
  const wanted = service.wanted().find(({ name }) => resourceId(kind, name).equals(id));
  return wanted && service.serves(wanted.name) ? undefined : 'this agent does not serve the resource';
}

async function until(done: () => boolean, atMostMs: number): Promise<void> {
  const end = performance.now() + atMostMs;
  while (!done() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
}

function waitMs(attempt: number): number {
  const backoff = fullJitterBackoff(RETRY);
  let ms = 0;
  for (let tried = 0; tried < Math.min(attempt, 10); tried += 1) ms = backoff.nextMs();
  return ms;
}
