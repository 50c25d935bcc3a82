import type { ImplementOptions } from '@postern/api';
import type { Metrics } from '@postern/telemetry';

/** Methods and codes are closed sets, so that the series are bounded. */
export function authMetrics(
  metrics: Metrics,
  parts: { readonly connections: () => number },
): { readonly answered: NonNullable<ImplementOptions['onAnswered']> } {
  const calls = metrics.counter({
    name: 'postern_auth_calls_total',
    help: 'Calls that have ended, by method and code; a watch counts when it ends.',
    labelNames: ['method', 'code'],
  });
  metrics.observed({
    name: 'postern_auth_connections',
    help: 'Connections past their TLS handshake: agents, proxies, people.',
    type: 'gauge',
    read: parts.connections,
  });
  return { answered: (answer) => calls.add(1, answer) };
}
