import { Health, type Logger } from '@postern/telemetry';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sayReady } from '#start/say-ready.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

function stage() {
  const lines: string[] = [];
  const write = (fields: object, text: string) => void lines.push(`${text}${'reason' in fields ? `: ${String(fields.reason)}` : ''}`);
  const logger = { info: write, warn: write } as unknown as Logger;
  const state = { ok: false, reason: 'no proxy' };
  const health = new Health();
  health.add({ name: 'agent', decides: 'ready', check: () => state });
  return { lines, logger, state, health };
}

describe('the word "ready" in the log', () => {
  it('is said once, and when it is true', async () => {
    const { lines, logger, state, health } = stage();
    sayReady(health, logger);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(lines).toEqual([]);
    state.ok = true;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(lines).toEqual(['ready']);
  });

  it('has what is missing told in its place after ten seconds, once, and comes late all the same', async () => {
    const { lines, logger, state, health } = stage();
    sayReady(health, logger);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines).toEqual(['has started, and is not ready yet: agent: no proxy']);
    state.ok = true;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(lines.at(-1)).toBe('ready');
  });

  it('is not said of what is being stopped', async () => {
    const { lines, logger, state, health } = stage();
    const stop = sayReady(health, logger);
    await vi.advanceTimersByTimeAsync(1_000);
    stop();
    state.ok = true;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines).toEqual([]);
  });
});
