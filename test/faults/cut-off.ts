import { expect } from 'vitest';
import type { ChaosLink } from '@postern/test-harness/chaos/chaos.ts';
import type { Answer, Load } from '@postern/test-harness/load.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';

/** What a user may wait to be told, and the slack of a machine that runs everything at once. */
export const TOLD_MS = 5_000 + 1_000;

export interface CutOff {
  /** Both ways where it is absent. */
  readonly way: { readonly way?: 'up' | 'down' };
  /** The agent that serves, behind a link to the proxy. */
  readonly agent: Daemon;
  readonly link: ChaosLink;
  /** The host of the proxy. */
  readonly host: Daemon;
  /** Requests that fly meanwhile, through the session that this agent serves. */
  readonly load: Load;
  /** Ends the load, with what else has to be looked at; all answers. */
  readonly settled: () => Promise<readonly Answer[]>;
}

/** F-29, F-30: told in 5 s, the other agent serves, the tunnel is dropped in 30 s and comes back in 15. */
export async function cutOff({ way, agent, link, host, load, settled }: CutOff): Promise<void> {
  const said = host.log().length;
  const saidOne = agent.log().length;
  const cutMs = Date.now();
  await link.set({ mode: 'hold', ...way });
  await until('requests at the other agent', 15_000, () =>
    load.since(cutMs).some(({ status, sentMs }) => status === 200 && sentMs > cutMs + 200) ? true : undefined,
  );
  await until('the proxy to drop the tunnel', 45_000, () => (/detached/.test(host.log().slice(said)) ? true : undefined));
  const droppedMs = Date.now() - cutMs;
  await link.heal();
  const healedMs = Date.now();
  await until('the agent to be attached again', 20_000, () => (/"?attached/.test(agent.log().slice(saidOne)) ? true : undefined));
  const backMs = Date.now() - healedMs;
  const answers = await settled();
  const slow = answers.filter(({ tookMs }) => tookMs > TOLD_MS);
  expect(slow.map(({ tookMs, status, body }) => ({ tookMs, status, body }))).toEqual([]);
  expect(answers.filter(({ status, sentMs }) => status !== 200 && sentMs > cutMs + 10_000)).toEqual([]);
  expect(droppedMs).toBeLessThan(31_000);
  expect(backMs).toBeLessThan(15_000);
}
