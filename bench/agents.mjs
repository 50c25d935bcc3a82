// Many idle agents on one proxy: what they take of it and of auth, and how they come back after each of them was killed.
import { setTimeout as delay } from 'node:timers/promises';
import { SwarmStage } from '../test/harness/swarm/swarm-stage.ts';
import { say } from './report.mjs';

export const options = { agents: { type: 'string', default: '1000,5000' } };
/** What joining has left is collected before anything is measured. */
const SETTLE_MS = 20_000;
/** A whole turn of what thousands of agents say again and again: announcements, the longest, come every 195 s. */
const IDLE_MS = 200_000;
const WITHIN_MS = 180_000;
const RESTARTS = [
  ['proxy', 'SIGKILL'],
  ['proxy', 'SIGTERM'],
  ['auth', 'SIGKILL'],
];

export async function run(flags) {
  const found = [];
  for (const agents of flags.agents.split(',').map(Number)) found.push(await measure(agents));
  return found;
}

async function measure(agents) {
  const stage = new SwarmStage();
  try {
    say(`${agents} agents join`);
    await stage.open(agents);
    await delay(SETTLE_MS);
    say(`all are idle for ${IDLE_MS / 1000} s`);
    const [proxy, auth] = await Promise.all(['proxy', 'auth'].map((part) => stage.idle(part, IDLE_MS)));
    const idle = { proxy, auth };
    const restarts = [];
    for (const [part, signal] of RESTARTS) {
      say(`${signal} to ${part}`);
      restarts.push({ part, signal, ...(await stage.restart(part, signal, WITHIN_MS)) });
    }
    return { agents, idle, restarts };
  } finally {
    await stage.close();
  }
}

export function print(found) {
  for (const { agents, idle, restarts } of found) {
    for (const [part, { rssMiB, rssKibPerAgent, cpuShare, loopLagP99Ms }] of Object.entries(idle))
      console.log(
        `${agents} idle: ${part} ${rssMiB.toFixed(0)} MiB (${rssKibPerAgent.toFixed(0)} KiB an agent), ${(cpuShare * 100).toFixed(1)} % of a processor, loop ${loopLagP99Ms.toFixed(0)} ms late (p99)`,
      );
    for (const { part, signal, tunnelsBackMs, allBackMs, loginMs, loginsFailed } of restarts)
      console.log(
        `${agents} tunnels back ${(tunnelsBackMs / 1000).toFixed(1)} s after ${signal} of ${part}, all watch auth after ${(allBackMs / 1000).toFixed(1)} s; tsh login ${loginMs.map((ms) => ms.toFixed(0)).join(', ')} ms, ${loginsFailed} failed`,
      );
  }
}
