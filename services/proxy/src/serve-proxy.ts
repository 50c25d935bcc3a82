import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { PosternError } from '@postern/api';
import { Health, type Logger, type Metrics } from '@postern/telemetry';
import { ReverseTunnelServer } from '@postern/tunnel';
import { type ProxyConfig, proxyLimits, serverVersion } from '#config.ts';
import type { BrowserOptions } from '#http/browser/browser-options.ts';
import { createWebServer } from '#http/web-server.ts';
import type { RunningProxy } from '#index.ts';
import { isPersonLocked } from '#browser/locked-people.ts';
import { WebSessions } from '#browser/web-sessions.ts';
import { agentConsole } from '#outbound/agent-console.ts';
import { announceProxy } from '#outbound/announce-proxy.ts';
import { AuthForBrowsers } from '#outbound/auth-for-browsers.ts';
import type { Cluster } from '#outbound/cluster.ts';
import { RefusalReports } from '#outbound/report-refusals.ts';
import { watchRouteKeys } from '#outbound/watch-route-keys.ts';
import { Peers } from '#peering/peers.ts';
import { type ProxyEntry, readProxyEntry } from '#peering/proxy-entry.ts';
import { observeProxy, proxyCounters } from '#proxy-metrics.ts';
import { AgentDirectory, isServer } from '#routing/agent-directory.ts';
import { appHosts } from '#routing/app-hosts.ts';
import { RouteKeys } from '#routing/route-keys.ts';
import { authDoor } from '#tcp/auth-door.ts';
import { AuthPulse } from '#tcp/auth-pulse.ts';
import type { Door } from '#tcp/doors.ts';
import { listenPublicly } from '#tcp/public-listener.ts';
import { sessionDoor } from '#tcp/session-door.ts';
import { splitAddress } from '#tcp/split-address.ts';
import { webDoor } from '#tcp/web-door.ts';
import { isLock, lockedHosts } from '#tunnels/locked-hosts.ts';
import { createTunnelDoor } from '#tunnels/tunnel-door.ts';
import { loadWebCertificates } from '#web-certificate/load-web-certificates.ts';

export interface ServeProxyOptions {
  readonly config: ProxyConfig;
  readonly cluster: Cluster;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly nowMs: () => number;
}

const LOCK_CHECK_MS = 1_000;

/** Joins the parts of a member of the cluster into a running proxy. */
export async function serveProxy({ config, cluster, logger, metrics, nowMs }: ServeProxyOptions): Promise<RunningProxy> {
  const { member, resources } = cluster;
  const limits = { ...proxyLimits, ...config.limits };
  const stopping = new AbortController();
  const routeKeys = new RouteKeys(nowMs);
  const directory = new AgentDirectory({ nowMs });
  let locked: ReadonlySet<string> = new Set();
  const isLocked = (hostId: string) => locked.has(hostId);
  const onError = (err: unknown) => logger.error({ err }, 'unexpected error');
  const counters = proxyCounters(metrics);
  const reports = new RefusalReports({ hostId: member.hostId, nowMs });
  const onRefused = ({ clientAddress, reason, door }: { clientAddress: string; reason: string; door?: Door['kind'] }) => {
    counters.refused(door ?? 'connection');
    logger.info({ clientAddress, reason, kind: door ?? 'connection' }, 'connection refused');
    // What asked for no door of the cluster, as a scanner does, stays in this proxy's own log. So does a line that comes to the wrong proxy
    // behind a balancer: an agent is told to open it, and nobody was kept from anything.
    if (door !== undefined && door !== 'web' && door !== 'line') reports.add({ clientAddress, reason, door });
  };

  const tunnels = new ReverseTunnelServer({
    proxyId: member.hostId,
    version: serverVersion,
    limits: { carriesPerAgent: limits.sessionsPerAgent },
    asksForLines: true,
    onChange: ({ agentId, state, reason }) => logger.info({ agentId, state, reason }, 'agent'),
    onRefused: ({ hostId, reason }) => logger.warn({ hostId, reason }, 'tunnel stream refused'),
  });
  const tunnelDoor = createTunnelDoor({
    member,
    tunnels,
    isLocked,
    nowMs,
    onRefused: (refusal) => onRefused({ ...refusal, door: 'tunnel' }),
    onError,
  });
  const peers = new Peers({
    member,
    nowMs,
    tunnel: { limits: { carriesPerAgent: limits.sessionsPerAgent } },
    onChange: ({ proxyId, state, reason }) => logger.info({ proxyId, state, reason }, 'other proxy'),
  });
  member.onRenewed(() => peers.renew());

  const webSessions = new WebSessions({ nowMs });
  let publicAddress = config.publicAddress ?? '';
  const ownHosts = () =>
    [publicAddress, config.ownAddress ?? ''].flatMap((address) => (address === '' ? [] : [splitAddress(address).host.toLowerCase()]));
  let hostsOfApps: ReadonlyMap<string, string> = new Map();
  // Also by the clock: a lock that ends says so by its own time alone.
  let proxies: readonly ProxyEntry[] = [];
  let toldOfDouble = false;
  const readLocks = () => {
    const locks = resources.list('lock').filter(isLock);
    locked = lockedHosts(locks, nowMs());
    webSessions.endWhere((session) => session.endsMs <= nowMs() || isPersonLocked(session, locks, nowMs()));
    peers.replace(proxies.filter(({ proxyId }) => !locked.has(proxyId)));
    for (const hostId of locked) tunnels.endHost(hostId, new PosternError('locked', `host ${hostId} is locked`));
  };
  const readResources = () => {
    const servers = [...resources.list('db_server'), ...resources.list('app_server')].filter(isServer);
    directory.replace(servers);
    hostsOfApps = appHosts(servers, ownHosts());
    proxies = resources.list('proxy').flatMap((json) => readProxyEntry(json) ?? []);
    const own = proxies.find(({ proxyId }) => proxyId === member.hostId)?.address;
    const double = proxies.find(({ proxyId, address }) => proxyId !== member.hostId && address === own);
    if (double && !toldOfDouble) {
      toldOfDouble = true;
      logger.warn({ proxyId: double.proxyId }, 'another proxy announces the address of this one: set peer_public_addr on each of them');
    }
    readLocks();
  };
  // A first state comes as thousands of changes in one turn of the loop, and agents that come back make thousands in a minute: reading
  // what there is takes a twentieth of the processor at most.
  let reading = false;
  let restedAtMs = 0;
  const readChanges = () => {
    reading = false;
    const startedMs = performance.now();
    readResources();
    restedAtMs = startedMs + 20 * (performance.now() - startedMs);
  };
  resources.onChange(() => {
    if (reading) return;
    reading = true;
    const restMs = restedAtMs - performance.now();
    if (restMs <= 0) setImmediate(readChanges);
    else setTimeout(readChanges, restMs).unref();
  });
  readResources();

  let stopped = false;
  const health = new Health();
  health.add({
    name: 'auth',
    decides: 'ready',
    check: () => (resources.heardAuth() ? { ok: true } : { ok: false, reason: 'auth is not answering' }),
  });
  health.add({
    name: 'route_keys',
    decides: 'ready',
    check: () => (routeKeys.present ? { ok: true } : { ok: false, reason: 'auth has sent no route keys yet' }),
  });
  health.add({ name: 'tunnels', decides: 'ready', check: () => (stopped ? { ok: false, reason: 'the proxy is stopping' } : { ok: true }) });

  const { pairs, selfSigned } = await loadWebCertificates({
    keypairs: config.httpsKeypairs,
    dataDir: config.dataDir,
    names: webNames(config),
    nowMs: nowMs(),
  });
  const sessions = new Set<object>();
  const routing = { routeKeys, directory, tunnels, peers, isLocked };
  const authAddress = splitAddress(config.authAddress);
  const pulse = new AuthPulse();
  const auth = new AuthForBrowsers({
    authAddress,
    pulse,
    connectAuthMs: limits.connectAuthMs,
    member,
    signingKey: () => routeKeys.signingKey,
    nowMs,
  });
  const browser: BrowserOptions = {
    sessions: webSessions,
    signIn: (asked) => auth.signIn(asked),
    appsOf: (session, clientAddress) => auth.appsOf(session, clientAddress),
    launch: { grant: auth.grant, signInToConsole: agentConsole({ routing, cluster: member.cluster, nowMs }) },
    appHosts: () => hostsOfApps,
    nowMs,
  };
  const facts = () => ({ cluster: member.cluster, publicAddress, hostCaPems: member.current().hostCaPems });
  const web = await createWebServer({ facts, health, limits, selfSigned, browser, onError });

  const listener = await listenPublicly({
    ...config.listen,
    limits,
    onRefused,
    onError,
    doors: {
      session: sessionDoor({
        routing,
        limits,
        onRefused,
        onOpened: (session) => {
          sessions.add(session);
          counters.sessionOpened();
          logger.info({ ...session }, 'session opened');
        },
        onClosed: (session, counts) => {
          sessions.delete(session);
          logger.info({ ...session, ...counts }, 'session closed');
        },
      }),
      auth: authDoor({ authAddress, pulse, signingKey: () => routeKeys.signingKey, limits, onRefused }),
      tunnel: ({ socket, head, clientAddress, proven }) => {
        socket.unshift(head);
        tunnelDoor.accept(socket, { remoteAddress: clientAddress, onSecure: proven });
      },
      line: (socket, name) => tunnels.acceptLine(name, socket),
      web: webDoor({ pairs, web, limits }),
    },
  });
  observeProxy(metrics, { tunnels, handshakes: tunnelDoor.handshakes, listener, openSessions: () => sessions.size });
  const { host, port } = listener.address;
  if (publicAddress === '') {
    publicAddress = `${host === '0.0.0.0' || host === '::' ? hostname() : host.includes(':') ? `[${host}]` : host}:${port}`;
    readResources();
  }
  if (selfSigned) logger.warn({ publicAddress }, 'the web certificate is self-signed: browsers and tsh warn of it; set https_keypairs');

  const lockTimer = setInterval(readLocks, LOCK_CHECK_MS);
  const openAuth = () => cluster.openAuth();
  const { signal } = stopping;
  const background = [
    watchRouteKeys({
      openAuth,
      signal,
      onKeys: (set) => routeKeys.replace(set),
      onLost: (err) => logger.warn({ err }, 'route keys are not being watched: auth is away'),
    }),
    announceProxy({
      openAuth,
      signal,
      everyMs: limits.announceMs,
      announcement: { publicAddress, ownAddress: config.ownAddress ?? '', version: serverVersion },
      onFailed: (err) => logger.warn({ err }, 'this proxy could not be announced to auth'),
    }),
    reports.keepSending({ openAuth, signal, onFailed: (err) => logger.warn({ err }, 'refusals wait for auth to record them') }),
  ];

  return {
    address: { host, port },
    publicAddress,
    proxyId: member.hostId,
    async ready() {
      const { ok, checks } = await health.report('ready');
      const failed = Object.entries(checks).find(([, check]) => !check.ok);
      return ok ? { ok } : { ok, reason: `${failed?.[0] ?? 'unknown'}: ${failed?.[1].reason ?? 'failed'}` };
    },
    async stop() {
      if (stopped) return;
      stopped = true;
      listener.close();
      tunnels.drain();
      const until = performance.now() + limits.drainMs;
      while (sessions.size + tunnels.counts().peerCarries > 0 && performance.now() < until) await delay(50);
      clearInterval(lockTimer);
      stopping.abort();
      await peers.stop();
      tunnels.stop();
      await Promise.all([tunnelDoor.stop({ graceMs: 0 }), web.stop(), ...background, resources.stop(), member.stop()]);
      listener.destroyAll();
    },
  };
}

function webNames(config: ProxyConfig): string[] {
  const given = config.publicAddress === undefined ? hostname() : splitAddress(config.publicAddress).host;
  // Applications are under the proxy's own name.
  const under = given.includes('.') && isIP(given) === 0 ? [`*.${given}`] : [];
  return [...new Set([given, ...under, 'localhost', '127.0.0.1'])];
}
