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
} from '@postern/agent';
import { PosternError, SessionInfo } from '@postern/api';
import { agentCredentials, AssumeRoleCache, dialUrl, SigningKeys } from '@postern/aws';
import { BodyBudget } from '@postern/http';
import type { Logger, Metrics } from '@postern/telemetry';
import { RequestRecords } from '#audit/request-records.ts';
import { sessionEvents } from '#audit/session-events.ts';
import { BODY_BUDGET_BYTES, type DbAgentConfig } from '#config.ts';
import { servedDatabases } from '#databases/served-databases.ts';
import type { StartDbAgentOptions } from '#index.ts';
import { serveRequest, type ServeRequestDeps } from '#requests/serve-request.ts';
import { sessionPlace } from '#requests/session-place.ts';
import { createHttpDoor } from '#sessions/http-door.ts';

export interface DbServiceOptions {
  readonly parts: AgentParts;
  readonly config: Pick<DbAgentConfig, 'databases' | 'resources'>;
  readonly env: StartDbAgentOptions['env'];
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly nowMs: () => number;
  readonly upstream?: Omit<UpstreamsOptions, 'dialUrl'>;
}

/** Everything of a database agent but its place in the cluster. */
export function createDbService(options: DbServiceOptions): AgentService {
  const { parts, config, env, logger, metrics, nowMs } = options;
  const { spool, hostId, labelsOf } = parts;
  const databases = servedDatabases({
    databases: config.databases,
    matchers: config.resources,
    labelsOf,
    onChange: parts.resourcesChanged,
    onProblem: (reason) => logger.error({ reason }, 'a database cannot be served'),
  });
  const admitted = (name: string) => databases.admitted(name);
  const keys = new SigningKeys();
  const source = agentCredentials({ env, log: awsLog(logger), now: nowMs });
  const credentialWatch = new CredentialWatch({ source, logger });
  const assumer = new AssumeRoleCache({
    source,
    env,
    keys,
    log: awsLog(logger),
    now: nowMs,
  });
  const upstreams = new Upstreams({
    dialUrl: (service, host) => dialUrl({ env, service, host }),
    ...options.upstream,
  });
  const requests = metrics.counter({
    name: 'postern_db_agent_requests_total',
    help: 'Requests by what became of them: answered by AWS, refused here, not_sent, or unknown.',
    labelNames: ['outcome'],
  });
  const records = new RequestRecords({ spool, nowMs, onEnded: (outcome) => requests.add(1, { outcome }) });
  const sessionRecords = new SessionRecords({ spool, nowMs, ...sessionEvents(admitted) });
  const deps: ServeRequestDeps = {
    places: new SessionPlaces(admitted, sessionPlace),
    budget: new BodyBudget(BODY_BUDGET_BYTES),
    records,
    credentials: new RoleCredentials(assumer, nowMs),
    signingKeys: keys,
    upstreams,
    clockSkew: new ClockSkew({
      nowMs,
      monotonicMs: () => performance.now(),
      onSkew: (ahead) =>
        logger.warn(
          { reason: `${Math.abs(ahead)} s ${ahead < 0 ? 'behind' : 'ahead of'} the Date of AWS’s answers` },
          'the clock of this machine is wrong, and AWS refuses what it signs: set it',
        ),
    }),
    nowMs,
    onWarning: (message, { user, resource, reason }) => logger.warn({ user, resource, reason }, message),
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
      records.refused({ session, place: undefined, asked: { method: '', path: '', target: '' }, reason: message, status }),
  });

  return {
    wanted: () => databases.wanted(),
    serves: (name) => databases.admitted(name) !== undefined,
    placeOf: (session) => deps.places.of(session),
    putResource: (name, json) => databases.putDynamic(name, json),
    removeResource: (name) => databases.removeDynamic(name),
    onConnection: (connection) => door.accept(connection.stream, connection),
    onSessionStart: (session) => sessionRecords.started(session),
    onSessionEnd: (session) => sessionRecords.ended(session),
    onRefused: (refused) => sessionRecords.refused(refused),
    describe: (session) => {
      const { route, notAfterMs } = session.facts;
      const database = admitted(route.resourceName)?.resource;
      return SessionInfo.fromPartial({
        user: session.user,
        ...route,
        agentId: hostId,
        validUntilMs: notAfterMs,
        awsRegion: database?.region ?? '',
        awsAccountId: database?.accountId ?? '',
      });
    },
    signInToConsole: () =>
      Promise.reject(new PosternError('unimplemented', 'a database has no console: tsh apps console is for AWS applications')),
    problems: () => [...databases.problems, ...credentialWatch.problems()],
    get underWay() {
      return underWay;
    },
    stop() {
      credentialWatch.stop();
      door.close();
      upstreams.destroy();
      return Promise.resolve();
    },
  };
}
