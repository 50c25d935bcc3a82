import { expect, it } from 'vitest';
import { comeBackMs, proxiesComeBackMs, quietMs } from '#watch/watch-cost.ts';

it.each([
  [0, 0, 0, 0],
  [100, 900, 900, 900],
  [3_333, 29_997, 5_000, 29_997],
  [4_000, 36_000, 5_000, 30_000],
  [5_000, 45_000, 5_000, 30_000],
  [1_000_000, 45_000, 5_000, 30_000],
])(
  '%i watchers come back within %i ms, proxies within %i, and hear what is said again %i ms later',
  (watchers, agents, proxies, laterMs) => {
    expect([comeBackMs(watchers), proxiesComeBackMs(watchers), quietMs(watchers)]).toEqual([agents, proxies, laterMs]);
  },
);
