// The whole surface:
//   createLogger({service, level, format: 'json' | 'text', destination?}): Logger   pino to stderr; only allow-listed fields; a stuck reader never
//        blocks: at most 8 MiB waits, then lines are dropped and counted; Logger {debug, info, warn, error(fields, message), child}
//   Health: named checks → /healthz, /readyz JSON;  Counters and histograms with a Prometheus text page (own small registry; prom-client is not needed yet)
//   Backlog and drop counters are metrics too.
export {};
