import { PosternError } from '@postern/api';
import { enterCluster, ResourceCache } from '@postern/membership';
import type { Logger } from '@postern/telemetry';
import type { Membership } from '#membership/membership.ts';
import { ViewAge } from '#membership/view-age.ts';

export interface OpenMembershipOptions {
  readonly role: 'db' | 'app';
  readonly dataDir: string;
  readonly nodeName: string;
  readonly version: string;
  /** One of both; the proxy where both are given. */
  readonly proxyServer?: string;
  readonly authServer?: string;
  readonly token?: string;
  readonly caPins: readonly string[];
  readonly insecure?: boolean;
  readonly logger: Logger;
  readonly nowMs: () => number;
}

/** Joins, or goes on with the identity of an earlier join, and begins to watch what decisions are made of. */
export async function openMembership(options: OpenMembershipOptions): Promise<Membership> {
  const { role, logger, nowMs } = options;
  const { nodeName, version, dataDir, caPins, token, insecure } = options;
  const member = await enterCluster({
    ...reachOf(options),
    role,
    nodeName,
    version,
    dataDir,
    caPins,
    nowMs,
    ...(token === undefined ? {} : { token }),
    ...(insecure === undefined ? {} : { insecure }),
    onProblem: (err) => logger.error({ err }, 'the certificate of this agent could not be renewed'),
    onWarning: (reason) => logger.warn({ reason }, 'joining the cluster'),
  });
  const watchedKinds = ['role', 'user', 'lock', 'ended_session', 'proxy', role];
  let reachable = () => Promise.resolve();
  const cache = new ResourceCache({
    client: () => member.client(),
    kinds: watchedKinds,
    nowMs,
    onSilent: () => member.redial(),
    beforeDial: () => reachable(),
    onProblem: (err) => logger.warn({ err }, 'the watch on auth was lost; it comes back by itself'),
  });
  const age = new ViewAge({ lastHeardMs: () => cache.lastHeardMs, nowMs, monotonicMs: () => performance.now() });
  const observing = setInterval(() => void age.ageMs(), OBSERVE_MS).unref();
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
      for (const kind of watchedKinds) for (const resource of cache.list(kind)) listener.put(resource);
    },
    synced: (signal) => cache.synced(signal),
    dialAfter: (proxyStands) => {
      if (options.proxyServer !== undefined) reachable = proxyStands;
    },
    reachable: () => reachable(),
    spreadMs: () => cache.spreadMs,
    quietMs: () => cache.quietMs,
    viewAgeMs: () => age.ageMs(),
    patienceMs: () => cache.patienceMs,
    async stop() {
      clearInterval(observing);
      await cache.stop();
      await member.stop();
    },
  };
}

const OBSERVE_MS = 1000;

function reachOf({ proxyServer, authServer }: OpenMembershipOptions): { readonly proxy: string } | { readonly authServer: string } {
  if (proxyServer !== undefined) return { proxy: proxyServer };
  if (authServer !== undefined) return { authServer };
  throw new PosternError('bad_request', 'neither proxy_server nor auth_server is set: one of them says where the cluster is');
}
