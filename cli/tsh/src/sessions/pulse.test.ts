import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pulse } from '#sessions/pulse.ts';

describe('the pulse of an agent', () => {
  const stream = {};
  let probes: number[] = [];
  let dead = 0;
  let answers: (timeoutMs: number) => Promise<void>;
  const pulse = () =>
    new Pulse({
      probe: (timeoutMs) => {
        probes.push(timeoutMs);
        return answers(timeoutMs);
      },
      onDead: () => (dead += 1),
    });
  const never = (timeoutMs: number) => new Promise<void>((_resolve, reject) => setTimeout(() => reject(new Error('late')), timeoutMs));

  beforeEach(() => {
    vi.useFakeTimers();
    probes = [];
    dead = 0;
    answers = never;
  });
  afterEach(() => void vi.useRealTimers());

  it('is dead within five seconds of silence while a stream waits', async () => {
    pulse().sent(stream, 300);
    await vi.advanceTimersByTimeAsync(4_800);
    expect({ probes: probes.length, dead }).toEqual({ probes: 1, dead: 1 });
  });

  it('goes on for as long as the agent answers, however long AWS takes', async () => {
    answers = () => Promise.resolve();
    pulse().sent(stream, 300);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(dead).toBe(0);
    expect(probes.length).toBeGreaterThan(20);
  });

  it('asks nothing where nobody waits, and nothing where another stream is heard', async () => {
    const kept = pulse();
    kept.sent(stream, 300);
    kept.heard(stream);
    await vi.advanceTimersByTimeAsync(30_000);
    const other = {};
    kept.sent(stream, 300);
    for (let n = 0; n < 30; n += 1) {
      kept.heard(other);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect({ probes, dead }).toEqual({ probes: [], dead: 0 });
    kept.forget(stream);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(probes).toEqual([]);
  });

  it('counts a byte that came while it asked as a sign of life', async () => {
    const kept = pulse();
    kept.sent(stream, 300);
    const other = {};
    await vi.advanceTimersByTimeAsync(2_500);
    kept.heard(other);
    await vi.advanceTimersByTimeAsync(1_500);
    expect({ probes: probes.length, dead }).toEqual({ probes: 1, dead: 0 });
  });

  it('waits longer behind a large body, which may still be on its way', async () => {
    pulse().sent(stream, 16 * 1024 * 1024);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(dead).toBe(0);
    expect(probes[0]).toBeGreaterThan(1_000_000);
  });
});
