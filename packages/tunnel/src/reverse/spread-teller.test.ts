import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SpreadTeller } from '#reverse/spread-teller.ts';

interface Agent {
  ms: number;
  spread(spread: { readonly ms: number }): void;
}

/** In which every turn that was asked for has come. */
const TURNS_MS = 100;

let agents: Map<string, Agent>;
let joined = 0;
let teller: SpreadTeller;
beforeEach(() => {
  vi.useFakeTimers();
  agents = new Map();
  joined = 0;
  teller = new SpreadTeller({ agents, attachMs: 4 });
});
afterEach(() => {
  teller.stop();
  vi.useRealTimers();
});

function attach(count: number): void {
  for (let i = 0; i < count; i += 1) {
    const agent: Agent = { ms: 0, spread: ({ ms }) => void (agent.ms = ms) };
    agents.set(`a${joined++}`, agent);
    agent.spread(teller.attached());
  }
}
const told = () => [...new Set([...agents.values()].map(({ ms }) => ms))].sort((a, b) => a - b);

it('tells whoever attaches, and few as if they were sixty-four', () => {
  attach(70);
  expect(told()).toEqual([256, 260, 264, 268, 272, 276, 280]);
});

it('never leaves those that came first with less than half', async () => {
  for (let count = 0; count < 3_000; count += 50) {
    attach(50);
    await vi.advanceTimersByTimeAsync(TURNS_MS);
    expect(told()[0]).toBeGreaterThan(2 * agents.size);
  }
});

it.each([[300], [2_700], [4_999]])('tells all of %i agents the same within seconds, in whatever steps they came', async (count) => {
  attach(100);
  await vi.advanceTimersByTimeAsync(7_000);
  attach(130);
  await vi.advanceTimersByTimeAsync(1_000);
  attach(count - 230);
  await vi.advanceTimersByTimeAsync(6_000);
  const [least = 0, most = 0] = [told().at(0), told().at(-1)];
  expect(most).toBe(4 * count);
  // A tenth more is not worth the telling.
  expect(least).toBeGreaterThan((4 * count) / 1.1);
});

it('tells a few in each turn, and neither those that have left nor anybody once it is stopped', async () => {
  attach(100);
  attach(900);
  // What was begun at 128 ends, and then the look.
  await vi.advanceTimersByTimeAsync(1_000);
  const of = (name: string) => agents.get(name)?.ms;
  const known = of('a100');
  vi.advanceTimersByTime(4_000);
  expect([of('a0'), of('a63'), of('a64'), of('a100')]).toEqual([4_000, 4_000, known, known]);
  const left = agents.get('a500');
  const leftKnows = left?.ms;
  agents.delete('a500');
  await vi.advanceTimersByTimeAsync(TURNS_MS);
  expect([of('a64'), of('a499'), of('a501'), of('a999')]).toEqual([4_000, 4_000, 4_000, 4_000]);
  expect(left?.ms).toBe(leftKnows);
  attach(500);
  expect(agents.size).toBe(1_499);
  teller.stop();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(of('a0')).toBe(4_000);
});

it('says nothing more to those that stay when others leave', async () => {
  attach(1_000);
  await vi.advanceTimersByTimeAsync(5_000);
  for (let i = 500; i < 1_000; i += 1) agents.delete(`a${i}`);
  attach(1);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(told()).toEqual([4_000]);
});

it('says nothing anew where the longest time is known', async () => {
  attach(10_000);
  await vi.advanceTimersByTimeAsync(6_000);
  expect(told()).toEqual([30_000]);
  for (const agent of agents.values()) agent.ms = 0;
  attach(15_000);
  await vi.advanceTimersByTimeAsync(6_000);
  expect(told()).toEqual([0, 30_000]);
  expect([...agents.values()].filter(({ ms }) => ms === 0)).toHaveLength(10_000);
});
