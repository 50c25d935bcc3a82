import { Health } from '@postern/telemetry';
import type { ReverseTunnelClient } from '@postern/tunnel';
import type { Membership } from '#membership/membership.ts';
import type { Announcer } from '#presence/announcer.ts';
import type { AgentService } from '#start-agent.ts';

/** Decisions are made by what auth said last; of thousands of agents one may not have its turn at auth for longer than this. */
const VIEW_OF_LATE_MS = 60_000;

/** What /readyz answers: each reason a sentence that an administrator can act on. */
export function agentHealth(parts: {
  readonly service: AgentService;
  readonly announcer: Announcer;
  readonly tunnels: ReverseTunnelClient;
  readonly membership: Membership;
}): Health {
  const { service, announcer, tunnels, membership } = parts;
  const health = new Health();
  const say = (reasons: readonly string[]) =>
    reasons.length === 0 ? { ok: true as const } : { ok: false as const, reason: reasons.join('; ') };
  health.add({
    name: 'resources',
    decides: 'ready',
    check: () => say([...announcer.refusals].map(([name, reason]) => `${name}: ${reason}`)),
  });
  health.add({ name: 'service', decides: 'ready', check: () => say(service.problems()) });
  health.add({
    name: 'proxies',
    decides: 'ready',
    check: () => {
      const statuses = tunnels.status();
      if (statuses.some(({ state }) => state === 'attached')) return { ok: true };
      return say(
        statuses.length === 0
          ? ['auth lists no proxy']
          : statuses.map(({ proxy, state, lastError }) => `${proxy} ${state}${lastError === undefined ? '' : `: ${lastError}`}`),
      );
    },
  });
  health.add({
    name: 'auth',
    decides: 'ready',
    check: () => {
      const ageMs = membership.viewAgeMs();
      if (ageMs < Math.max(VIEW_OF_LATE_MS, membership.patienceMs())) return { ok: true };
      const since = Number.isFinite(ageMs) ? `for ${Math.floor(ageMs / 1000)} s` : 'yet';
      return { ok: false, reason: `auth has not been heard ${since}` };
    },
  });
  return health;
}
