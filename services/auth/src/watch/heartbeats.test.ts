import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { heartbeats } from '#watch/heartbeats.ts';

/** When each of the first few came, and how long after the one before. */
async function listen(fromMs: number, options: { readonly everyMs: number; readonly count: number }) {
  await delay(fromMs);
  const stop = new AbortController();
  const heard: { readonly atMs: number; readonly afterMs: number }[] = [];
  let lastMs = performance.now();
  for await (const _ of heartbeats(() => options.everyMs, stop.signal)) {
    const atMs = performance.now();
    heard.push({ atMs, afterMs: atMs - lastMs });
    lastMs = atMs;
    if (heard.length === options.count) stop.abort();
  }
  return heard;
}

describe('heartbeats', () => {
  it('come to all watchers in step, whenever each began, and none later than it is due', async () => {
    const heard = (await Promise.all([0, 150, 300].map((fromMs) => listen(fromMs, { everyMs: 1_200, count: 2 })))).flat();
    expect(heard).toHaveLength(6);
    for (const { atMs, afterMs } of heard) {
      // Of three that began 150 ms apart one would be 300 ms or more behind the step. A timer is a millisecond early now and then.
      expect((atMs + 2) % 500).toBeLessThan(290);
      expect(afterMs).toBeGreaterThan(400);
      expect(afterMs).toBeLessThan(1_490);
    }
  });

  it('that are asked for more often than the step come no more often than twice as often', async () => {
    for (const { afterMs } of await listen(0, { everyMs: 60, count: 10 })) expect(afterMs).toBeGreaterThan(28);
  });
});
