import { createMetrics } from '@postern/telemetry';
import { expect, it } from 'vitest';
import { observeAgent } from '#health/agent-metrics.ts';

// `teleport start` with both sections in its file ended here: "metric postern_agent_tunnels_attached is registered twice".
it('the agents of both kinds in one process tell of themselves under names of their own', () => {
  const metrics = createMetrics();
  for (const [kind, size] of [
    ['db', 1],
    ['app', 2],
  ] as const) {
    const spool = { stats: () => ({ bytes: 0, waiting: 0, unrecorded: size }) } as never;
    const { uploaded } = observeAgent(metrics, { kind, tunnels: { status: () => [] }, spool, sessions: { size }, viewAgeMs: () => 0 });
    uploaded.add(size * 10);
  }
  const lines = metrics.page().split('\n');
  for (const line of [
    'postern_db_agent_sessions_open 1',
    'postern_app_agent_sessions_open 2',
    'postern_app_agent_events_unrecorded_total 2',
    'postern_db_agent_events_uploaded_total 10',
    'postern_app_agent_events_uploaded_total 20',
  ])
    expect(lines).toContain(line);
});
