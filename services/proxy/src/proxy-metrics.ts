import type { Metrics } from '@postern/telemetry';
import type { ReverseTunnelServer } from '@postern/tunnel';
import type { PublicListener } from '#tcp/public-listener.ts';

/** Counted as they happen; everything else is read from whoever keeps it when the page is asked for. */
export interface ProxyCounters {
  readonly sessionOpened: () => void;
  /** `door` is one of five, so that the series are bounded. */
  readonly refused: (door: string) => void;
}

export function proxyCounters(metrics: Metrics): ProxyCounters {
  const sessions = metrics.counter({ name: 'postern_proxy_sessions_total', help: 'Sessions joined to an agent.' });
  const refusals = metrics.counter({
    name: 'postern_proxy_connections_refused_total',
    help: 'Connections and sessions refused, by the door they knocked at; "connection" before that is known.',
    labelNames: ['door'],
  });
  return { sessionOpened: () => sessions.add(), refused: (door) => refusals.add(1, { door }) };
}

export function observeProxy(
  metrics: Metrics,
  parts: {
    readonly tunnels: Pick<ReverseTunnelServer, 'counts'>;
    readonly handshakes: { readonly running: number; readonly waiting: number };
    readonly listener: Pick<PublicListener, 'openSockets'>;
    readonly openSessions: () => number;
  },
): void {
  const { handshakes, listener, openSessions } = parts;
  const tunnels = oncePerPage(() => parts.tunnels.counts());
  const gauge = (name: string, help: string, read: () => number) => metrics.observed({ name, help, type: 'gauge', read });
  gauge('postern_proxy_tunnels_attached', 'Agents attached by a reverse tunnel.', () => tunnels().agents);
  gauge('postern_proxy_carry_streams_idle', 'Streams that wait for a session.', () => tunnels().idleCarries);
  gauge('postern_proxy_carry_streams_busy', 'Streams that carry a session.', () => tunnels().busyCarries);
  gauge('postern_proxy_lines_idle', 'Connections of agents beside their tunnels that wait for a session.', () => tunnels().idleLines);
  gauge('postern_proxy_lines_busy', 'Connections of agents beside their tunnels that carry a session.', () => tunnels().busyLines);
  gauge('postern_proxy_peer_streams', 'Sessions that another proxy carries over this one.', () => tunnels().peerCarries);
  gauge('postern_proxy_sessions_open', 'Sessions of clients that came to this proxy.', openSessions);
  gauge('postern_proxy_sockets_open', 'Connections to the public port.', () => listener.openSockets);
  gauge('postern_proxy_tunnel_handshakes_running', 'TLS handshakes of agents under way.', () => handshakes.running);
  gauge('postern_proxy_tunnel_handshakes_waiting', 'Agents that wait for their turn.', () => handshakes.waiting);
}

/** A page is written in one go: thousands of agents are counted once for it. */
function oncePerPage<T>(read: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => {
    if (known === undefined) {
      known = { value: read() };
      queueMicrotask(() => (known = undefined));
    }
    return known.value;
  };
}
