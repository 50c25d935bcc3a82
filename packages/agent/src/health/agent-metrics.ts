import type { Counter, Metrics } from '@postern/telemetry';
import type { ReverseTunnelClient } from '@postern/tunnel';
import type { OpenSessions } from '#session/open-sessions.ts';
import type { Spool } from '#spool/spool.ts';

/** What an agent tells on /metrics. One process may be agents of both kinds, and each name stands there once. */
export function observeAgent(
  metrics: Metrics,
  parts: {
    readonly kind: 'db' | 'app';
    readonly tunnels: Pick<ReverseTunnelClient, 'status'>;
    readonly spool: Pick<Spool, 'stats'>;
    readonly sessions: Pick<OpenSessions, 'size'>;
    readonly viewAgeMs: () => number;
  },
): { readonly uploaded: Counter } {
  const { kind, tunnels, spool, sessions, viewAgeMs } = parts;
  const gauge = (name: string, help: string, read: () => number) =>
    metrics.observed({ name: `postern_${kind}_agent_${name}`, help, type: 'gauge', read });
  const attached = () => tunnels.status().filter(({ state }) => state === 'attached').length;
  gauge('tunnels_attached', 'Proxies that this agent is attached to.', attached);
  gauge('sessions_open', 'Sessions of clients.', () => sessions.size);
  gauge('view_age_seconds', 'Since auth was last heard; +Inf before the first time.', () => viewAgeMs() / 1000);
  gauge('spool_bytes', 'Audit events on disk, uploaded ones that are not yet deleted included.', () => spool.stats().bytes);
  gauge('spool_waiting_events', 'Audit events that auth has not acknowledged.', () => spool.stats().waiting);
  metrics.observed({
    name: `postern_${kind}_agent_events_unrecorded_total`,
    help: 'Audit events, refusals above all, that found no room in the spool and are only counted, by user, in the log.',
    type: 'counter',
    read: () => spool.stats().unrecorded,
  });
  return {
    uploaded: metrics.counter({
      name: `postern_${kind}_agent_events_uploaded_total`,
      help: 'Audit events that auth has acknowledged.',
    }),
  };
}
