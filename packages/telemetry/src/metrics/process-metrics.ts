import { readdirSync, statSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from '#metrics/metrics.ts';

/** 100 times a second would be a tenth of what an idle proxy costs. */
const RESOLUTION_MS = 50;
const NANOSECONDS = 1e9;

/**
 * What every process tells of itself, under the names that Prometheus clients give them. The loop's delay is that of the time
 * since the page was read last: who reads it twice as often sees shorter peaks and no fewer of them.
 */
export function processMetrics(metrics: Metrics): void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  // A delay is measured between two wake-ups of a timer, so that an idle loop shows the timer's own period.
  const late = (nanoseconds: number) => Math.max(0, (nanoseconds || 0) / NANOSECONDS - RESOLUTION_MS / 1000);
  const gauge = (name: string, help: string, read: () => number) => metrics.observed({ name, help, type: 'gauge', read });
  gauge('nodejs_eventloop_lag_p99_seconds', 'How late the event loop was, 99th percentile since the last reading.', () =>
    late(delay.percentile(99)),
  );
  gauge('nodejs_eventloop_lag_max_seconds', 'How late the event loop was at most since the last reading.', () => {
    const { max } = delay;
    delay.reset();
    return late(max);
  });
  gauge('process_resident_memory_bytes', 'Memory of the process that is in RAM.', () => process.memoryUsage.rss());
  gauge('nodejs_heap_size_used_bytes', 'JavaScript heap in use.', () => process.memoryUsage().heapUsed);
  gauge('nodejs_heap_size_total_bytes', 'JavaScript heap that the system has given.', () => process.memoryUsage().heapTotal);
  gauge('nodejs_external_memory_bytes', 'Memory outside the heap that JavaScript objects hold.', () => process.memoryUsage().external);
  gauge('process_open_fds', 'Open file descriptors; 0 where the system does not tell.', openDescriptors);
  metrics.observed({
    name: 'process_cpu_seconds_total',
    help: 'Processor time of all threads, user and system.',
    type: 'counter',
    read: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  });
}

function openDescriptors(): number {
  try {
    // Linux 6.2 says their number as the folder's size; to list thousands takes milliseconds.
    return statSync('/proc/self/fd').size || readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
