export {
  answerDiagnostics,
  type DiagnosticAnswer,
  type DiagnosticsOptions,
  type DiagnosticsServer,
  serveDiagnostics,
} from '#health/diagnostics.ts';
export { type CheckResult, Health, type HealthCheck, type HealthReport } from '#health/health.ts';
export { type LogField, type LogFields, loggableFields, scrub } from '#log/fields.ts';
export { type CreateLoggerOptions, createLogger, type Logger, type LogLevel, logLevels } from '#log/logger.ts';
export {
  type Counter,
  createMetrics,
  type Gauge,
  type Histogram,
  type Labels,
  latencyBucketsSeconds,
  type Metrics,
} from '#metrics/metrics.ts';
export { processMetrics } from '#metrics/process-metrics.ts';
