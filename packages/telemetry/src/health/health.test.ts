import { describe, expect, it } from 'vitest';
import { serveDiagnostics } from '#health/diagnostics.ts';
import { Health } from '#health/health.ts';
import { createMetrics } from '#metrics/metrics.ts';

describe('health', () => {
  it('is ready when every check is, and says which one is not and why', async () => {
    const health = new Health();
    health.add({ name: 'store', decides: 'alive', check: () => ({ ok: true }) });
    health.add({ name: 'tunnel', decides: 'ready', check: () => Promise.resolve({ ok: false, reason: 'no proxy is attached' }) });
    expect(await health.report('alive')).toEqual({ ok: true, status: 200, checks: { store: { ok: true } } });
    expect(await health.report('ready')).toEqual({
      ok: false,
      status: 503,
      checks: { store: { ok: true }, tunnel: { ok: false, reason: 'no proxy is attached' } },
    });
  });

  it('counts a check that throws or does not answer as failed', async () => {
    const health = new Health({ timeoutMs: 20 });
    health.add({
      name: 'throws',
      decides: 'ready',
      check: () => {
        throw new Error('disk is gone');
      },
    });
    health.add({ name: 'hangs', decides: 'ready', check: () => new Promise(() => undefined) });
    const { checks } = await health.report('ready');
    expect(checks).toEqual({ throws: { ok: false, reason: 'disk is gone' }, hangs: { ok: false, reason: 'no answer within 20 ms' } });
  });

  it('is served with the metrics over HTTP, and nothing else is', async () => {
    const health = new Health();
    health.add({ name: 'tunnel', decides: 'ready', check: () => ({ ok: false, reason: 'no proxy is attached' }) });
    const metrics = createMetrics();
    metrics.counter({ name: 'a_total', help: 'h' }).add(2);
    const server = await serveDiagnostics({ health, metrics, host: '127.0.0.1', port: 0 });
    try {
      const at = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.address.port}${path}`, init);
      const [healthz, readyz, page, other, post] = await Promise.all([
        at('/healthz'),
        at('/readyz'),
        at('/metrics'),
        at('/etc/passwd'),
        at('/readyz', { method: 'POST' }),
      ]);
      expect([healthz.status, readyz.status, page.status, other.status, post.status]).toEqual([200, 503, 200, 404, 405]);
      expect(await readyz.json()).toEqual({ status: 'unavailable', checks: { tunnel: { ok: false, reason: 'no proxy is attached' } } });
      expect(await page.text()).toContain('a_total 2');
    } finally {
      await server.stop();
    }
  });
});
