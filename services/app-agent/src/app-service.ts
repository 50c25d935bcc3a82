import { mkdirSync } from 'node:fs';
import {
  type AgentParts,
  type AgentService,
  awsLog,
  ClockSkew,
  CredentialWatch,
  RoleCredentials,
  SessionPlaces,
  SessionRecords,
  Upstreams,
  type UpstreamsOptions,
  UserShares,
} from '@postern/agent';
import { SessionInfo } from '@postern/api';
import { agentCredentials, AssumeRoleCache, dialUrl, nodeHttpSend, SigningKeys } from '@postern/aws';
import { BodyBudget } from '@postern/http';
import { limits } from '@postern/limits';
import type { Logger, Metrics } from '@postern/telemetry';
import { servedApplications } from '#apps/served-applications.ts';
import { ConsoleRecords } from '#audit/console-records.ts';
import { RequestRecords } from '#audit/request-records.ts';
import { sessionEvents } from '#audit/session-events.ts';
import { TunnelRecords } from '#audit/tunnel-records.ts';
import { ANSWER_MS, type AppAgentConfig } from '#config.ts';
import { signInToConsole, type SignInToConsoleDeps } from '#console/sign-in-to-console.ts';
import type { StartAppAgentOptions } from '#index.ts';
import { SeedReader } from '#requests/read-seed.ts';
import { serveRequest, type ServeRequestDeps } from '#requests/serve-request.ts';
import { sessionPlaceMaker } from '#requests/session-place.ts';
import type { BodyRoom } from '#requests/take-body.ts';
import { createHttpDoor } from '#sessions/http-door.ts';
import { openTunnel, type OpenTunnelDeps } from '#tunnels/open-tunnel.ts';

export interface AppServiceOptions {
  readonly parts: AgentParts;
  readonly config: Pick<AppAgentConfig, 'apps' | 'resources' | 'proxyServer' | 'publicAddress'>;
  /** For bodies that are being hashed; made where it does not exist. */
  readonly bodiesDir: string;
  /** The agent's own region, where it has one. */
  readonly region: string | undefined;
  readonly env: StartAppAgentOptions['env'];
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly nowMs: () => number;
  readonly upstream?: Omit<UpstreamsOptions, 'dialUrl' | 'shares'>;
  /** For tests. */
  readonly room?: Partial<BodyRoom>;
}

/** Everything of an application agent but its place in the cluster. */
export function createAppService(options: AppServiceOptions): AgentService {
  const { parts, config, env, logger, metrics, nowMs, region } = options;
  const { spool, hostId, labelsOf } = parts;
  mkdirSync(options.bodiesDir, { recursive: true, mode: 0o700 });
  const applications = servedApplications({
    apps: config.apps,
    matchers: config.resources,
    labelsOf,
    onChange: parts.resourcesChanged,
    onProblem: (reason) => logger.error({ reason }, 'an application cannot be served'),
  });
  const admitted = (name: string) => applications.admitted(name);
  const keys = new SigningKeys();
  const source = agentCredentials({ env, log: awsLog(logger), now: nowMs });
  const watch = new CredentialWatch({ source, logger });
  const assumer = new AssumeRoleCache({ source, env, keys, log: awsLog(logger), now: nowMs });
  const shares = new UserShares();
  const upstreams = new Upstreams({
    shares,
    dialUrl: (service, host) => dialUrl({ env, service, host }),
    ...options.upstream,
    timeouts: { headersMs: ANSWER_MS, idleMs: ANSWER_MS, ...options.upstream?.timeouts },
  });
  const requests = metrics.counter({
    name: 'postern_app_agent_requests_total',
    help: 'Requests by what became of them: answered by AWS, refused here, not_sent, or unknown.',
    labelNames: ['outcome'],
  });
  const records = new RequestRecords({ spool, nowMs, onEnded: (outcome) => requests.add(1, { outcome }) });
  const sessionRecords = new SessionRecords({ spool, nowMs, ...sessionEvents(admitted) });
  const monotonicMs = () => performance.now();
  const deps: ServeRequestDeps = {
    places: new SessionPlaces(admitted, sessionPlaceMaker(region)),
    // Keys of clients and keys of AWS never meet in one cache.
    seeds: new SeedReader(new SigningKeys(), nowMs),
    room: {
      memory: new BodyBudget(limits.appMemoryBytes),
      files: new BodyBudget(limits.appFilesBytes),
      small: new BodyBudget(limits.appSmallBodiesBytes, limits.appSmallBodiesPerUserBytes),
      dir: options.bodiesDir,
      monotonicMs,
      ...options.room,
    },
    records,
    credentials: new RoleCredentials(assumer, nowMs),
    signingKeys: keys,
    upstreams,
    clockSkew: new ClockSkew({
      nowMs,
      monotonicMs,
      onSkew: (ahead) =>
        logger.warn(
          { reason: `${Math.abs(ahead)} s ${ahead < 0 ? 'behind' : 'ahead of'} the Date of AWS’s answers` },
          'the clock of this machine is wrong, and AWS refuses what it signs: set it',
        ),
    }),
    nowMs,
    onWarning: (message, { user, resource, reason }) => logger.warn({ user, resource, reason }, message),
  };

  const { places, onWarning } = deps;
  const tunnelDeps: OpenTunnelDeps = {
    places,
    records: new TunnelRecords({ spool, nowMs }),
    shares,
    dialUrl: (host) => dialUrl({ env, service: 'SSMMESSAGES', host }),
    ...(options.upstream?.resolve === undefined ? {} : { resolve: options.upstream.resolve }),
  };
  const consoleDeps: SignInToConsoleDeps = {
    places,
    records: new ConsoleRecords({ spool, nowMs }),
    source,
    assumer,
    env,
    send: nodeHttpSend(),
    proxyAddress: config.publicAddress ?? config.proxyServer,
    nowMs,
    onWarning,
  };

  let underWay = 0;
  const door = createHttpDoor({
    onExchange: (exchange) => {
      underWay += 1;
      void serveRequest(deps, exchange)
        .catch((err: unknown) => {
          // One request's fault is that request's: it fails, the process lives.
          logger.error({ err, user: exchange.context.session.user }, 'a request failed unexpectedly');
          exchange.cut();
        })
        .finally(() => {
          underWay -= 1;
        });
    },
    onMalformed: ({ session }, { message, status }) =>
      records.refused({ session, place: undefined, asked: { method: '', target: '', host: '' }, reason: message, status }),
  });

  return {
    wanted: () => applications.wanted(),
    serves: (name) => applications.admitted(name) !== undefined,
    placeOf: (session) => deps.places.of(session),
    putResource: (name, json) => applications.putDynamic(name, json),
    removeResource: (name) => applications.removeDynamic(name),
    onConnection: (connection) => {
      if (connection.tunnelHost === undefined) door.accept(connection);
      else openTunnel(tunnelDeps, connection);
    },
    onSessionStart: (session) => sessionRecords.started(session),
    onSessionEnd: (session) => sessionRecords.ended(session),
    onRefused: (refused) => sessionRecords.refused(refused),
    describe: (session) => {
      const { route, notAfterMs } = session.facts;
      const place = deps.places.of(session);
      return SessionInfo.fromPartial({
        user: session.user,
        ...route,
        agentId: hostId,
        validUntilMs: notAfterMs,
        ...('reason' in place ? {} : { awsAccountId: place.accountId, ownHosts: place.application.ownHosts.map(({ host }) => host) }),
      });
    },
    signInToConsole: (session, asked) => signInToConsole(consoleDeps, session, asked),
    problems: () => [...applications.problems, ...watch.problems()],
    get underWay() {
      return underWay;
    },
    stop() {
      watch.stop();
      door.close();
      upstreams.destroy();
      return Promise.resolve();
    },
  };
}
