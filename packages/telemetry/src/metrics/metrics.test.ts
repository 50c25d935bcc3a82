import { describe, expect, it } from 'vitest';
import { createMetrics, MAX_SERIES } from '#metrics/metrics.ts';

describe('the metrics page', () => {
  it('is Prometheus text: help, type, one line per series', () => {
    const metrics = createMetrics();
    const requests = metrics.counter({ name: 'postern_requests_total', help: 'requests by outcome', labelNames: ['outcome'] });
    requests.add(1, { outcome: 'allowed' });
    requests.add(2, { outcome: 'allowed' });
    metrics.gauge({ name: 'postern_open', help: 'open streams' }).set(3);
    metrics.observed({ name: 'postern_log_dropped_total', help: 'lines', type: 'counter', read: () => 7 });
    expect(metrics.page()).toBe(
      [
        '# HELP postern_requests_total requests by outcome',
        '# TYPE postern_requests_total counter',
        'postern_requests_total{outcome="allowed"} 3',
        '# HELP postern_open open streams',
        '# TYPE postern_open gauge',
        'postern_open 3',
        '# HELP postern_log_dropped_total lines',
        '# TYPE postern_log_dropped_total counter',
        'postern_log_dropped_total 7',
        '',
      ].join('\n'),
    );
  });

  it('counts a histogram in cumulative buckets', () => {
    const metrics = createMetrics();
    const seconds = metrics.histogram({ name: 'postern_seconds', help: 'h', buckets: [0.1, 1], labelNames: ['op'] });
    for (const value of [0.05, 0.5, 5]) seconds.observe(value, { op: 'Query' });
    expect(metrics.page().split('\n').slice(2, -1)).toEqual([
      'postern_seconds_bucket{op="Query",le="0.1"} 1',
      'postern_seconds_bucket{op="Query",le="1"} 2',
      'postern_seconds_bucket{op="Query",le="+Inf"} 3',
      'postern_seconds_sum{op="Query"} 5.55',
      'postern_seconds_count{op="Query"} 3',
    ]);
  });

  it('keeps a hostile label value inside its quotes', () => {
    const metrics = createMetrics();
    metrics.counter({ name: 'postern_x_total', help: 'h', labelNames: ['user'] }).add(1, { user: 'a"} 1\nforged 2 \\' });
    expect(metrics.page().split('\n')[2]).toBe('postern_x_total{user="a\\"} 1\\nforged 2 \\\\"} 1');
  });

  it('is bounded: series beyond the limit are counted together', () => {
    const metrics = createMetrics();
    const counter = metrics.counter({ name: 'postern_y_total', help: 'h', labelNames: ['user'] });
    for (let i = 0; i < MAX_SERIES + 100; i++) counter.add(1, { user: `u${i}` });
    const lines = metrics.page().trimEnd().split('\n').slice(2);
    expect(lines).toHaveLength(MAX_SERIES + 1);
    expect(lines.at(-1)).toBe('postern_y_total{user="other"} 100');
  });

  it('refuses a second metric of one name, and a name that is not one', () => {
    const metrics = createMetrics();
    metrics.counter({ name: 'a_total', help: 'h' });
    expect(() => metrics.counter({ name: 'a_total', help: 'h' })).toThrow('metric a_total is registered twice');
    expect(() => metrics.counter({ name: 'a-b', help: 'h' })).toThrow('cannot be named so');
  });
});
