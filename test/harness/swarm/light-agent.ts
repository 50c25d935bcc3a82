import type { Client } from '@grpc/grpc-js';
import { type Membership, type ServedResource, type Spool, startAgent, type StartedAgent } from '@postern/agent';
import { callUnary, PosternError, SessionInfo, TokensService } from '@postern/api';
import { HostMember, joinCluster, type MemberMaterial, ResourceCache } from '@postern/membership';
import { createMetrics, type Logger } from '@postern/telemetry';

const VERSION = '0.1.0';
const KINDS = ['role', 'user', 'lock', 'ended_session', 'proxy', 'db'];

export interface Place {
  readonly proxy: string;
  readonly authServer: string;
  readonly hostCaPems: readonly string[];
}

/** A token that binds one name, and the certificate that a host gets for it: both by RPC, at auth itself. */
export async function joinAs(name: string, place: Place, admin: Client): Promise<MemberMaterial> {
  const { token } = await callUnary(admin, TokensService.addToken, {
    roles: ['db'],
    value: '',
    ttlSeconds: 600,
    labels: {},
    dbName: name,
    dbProtocol: 'dynamodb',
    dbUri: '',
    appName: '',
    appUri: '',
    maxUses: 1,
  });
  const { authServer, hostCaPems } = place;
  const member = await joinCluster({ authServer, hostCaPems, token, role: 'db', nodeName: name, version: VERSION });
  await member.stop();
  return member.material();
}

/** Resolves once auth has admitted the database; the tunnel follows. */
export function startLightAgent(name: string, material: MemberMaterial, place: Place): Promise<StartedAgent> {
  const database: ServedResource = {
    kind: 'db',
    name,
    protocol: 'dynamodb',
    uri: '',
    description: '',
    labels: { env: 'swarm' },
    awsRegion: 'us-east-1',
    awsAccountId: '123456789012',
    dynamic: false,
  };
  return startAgent({
    kind: 'db',
    version: VERSION,
    nodeName: name,
    membership: membershipOf(material, place),
    spool: noSpool(),
    proxyServer: place.proxy,
    logger: silent,
    metrics: createMetrics(),
    nowMs: Date.now,
    service: ({ labelsOf }) => ({
      wanted: () => [database],
      serves: (asked) => labelsOf(asked) !== undefined,
      placeOf: (session) => session,
      putResource: () => undefined,
      removeResource: () => undefined,
      onConnection: ({ stream }) => stream.destroy(),
      onSessionStart: () => undefined,
      onSessionEnd: () => undefined,
      onRefused: () => undefined,
      describe: () => SessionInfo.fromPartial({}),
      signInToConsole: () => Promise.reject(new PosternError('unimplemented', 'no console here')),
      problems: () => [],
      underWay: 0,
      stop: () => Promise.resolve(),
    }),
  });
}

/** As openMembership of @postern/agent, over material that stands in memory. */
function membershipOf(material: MemberMaterial, { proxy }: Place): Membership {
  const member = new HostMember({ material, address: proxy, via: 'proxy' });
  let reachable = () => Promise.resolve();
  const cache = new ResourceCache({
    client: () => member.client(),
    kinds: KINDS,
    onSilent: () => member.redial(),
    beforeDial: () => reachable(),
  });
  return {
    hostId: member.hostId,
    cluster: member.cluster,
    current: () => member.current(),
    onRenewed: (listener) => void member.onRenewed(listener),
    client: () => member.client(),
    watch: (listener) => {
      cache.onChange((change) => {
        if (change.type === 'put') listener.put(change.resource);
        else listener.remove(change.kind, change.name);
      });
      for (const kind of KINDS) for (const resource of cache.list(kind)) listener.put(resource);
    },
    synced: (signal) => cache.synced(signal),
    dialAfter: (proxyStands) => void (reachable = proxyStands),
    reachable: () => reachable(),
    spreadMs: () => cache.spreadMs,
    quietMs: () => cache.quietMs,
    viewAgeMs: () => cache.ageMs(),
    patienceMs: () => cache.patienceMs,
    async stop() {
      await cache.stop();
      await member.stop();
    },
  };
}

/** Nothing is ever served, so that nothing is recorded; a record that is wanted all the same is refused. */
function noSpool(): Spool {
  return {
    report: { closedUnknown: 0, unreadable: [] },
    write: (_event, durable) => void setImmediate(durable, new Error('an agent of the swarm serves no request')),
    writeLater: () => undefined,
    drain: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
    stats: () => ({ bytes: 0, waiting: 0, oldestMs: undefined, replacedOutcomes: 0, unrecorded: 0 }),
    flush: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
  backlog: () => ({ droppedLines: 0, waitingBytes: 0 }),
};
