// The ways to the upstream that are compared in one run: straight, through Postern, through the chain, through another build of Postern.
import { lacking } from '../test/harness/programs.ts';
import { until } from '../test/harness/processes.ts';
import { AGENT_KEYS, BenchCluster } from './bench-cluster.mjs';
import { Chain } from './chain/chain.mjs';
import { load } from './load.mjs';
import { say } from './report.mjs';

const NEEDED = { nginx: ['nginx', 'ssh', 'sshd'], stunnel: ['stunnel', 'ssh', 'sshd'] };
const REGION = 'us-east-1';

/**
 * `answers` is the size of each operation's answer in bytes; `chain` is nginx, stunnel, both or none; `against` a folder with another
 * build of the commands; `profile` a folder for CPU profiles of Postern's processes. Each layout has a `target` for the load, the names
 * of the `processes` whose CPU counts as its own, of those shown `beside` them, and `usage()` of all.
 */
export async function openLayouts({ answers, chain = 'nginx', against, profile }) {
  const clusters = [new BenchCluster({ name: 'postern', answers, ...(profile && { profileDir: profile }) })];
  if (against !== undefined) clusters.push(new BenchCluster({ name: 'against', commands: against, answers }));
  const chains = [];
  const stop = async () => {
    for (const cluster of clusters) await cluster.stop();
    for (const one of chains) one.removeFiles();
  };
  try {
    for (const cluster of clusters) {
      say(`starting a cluster: ${cluster.name}`);
      await cluster.start();
    }
    const [first] = clusters;
    for (const tlsEnd of chain === 'both' ? ['nginx', 'stunnel'] : [chain].filter((end) => end !== 'none')) {
      const words = lacking(...NEEDED[tlsEnd]);
      if (words !== undefined) {
        say(`without the chain that has ${tlsEnd}: ${words}`);
        continue;
      }
      say(`starting the chain with ${tlsEnd}`);
      const options = { tlsEnd, cluster: first.cluster, upstreamPort: first.upstreamPort, keys: AGENT_KEYS, region: REGION };
      chains.push(new Chain(options));
      await chains.at(-1).start();
    }
    const layouts = [directLayout(first), ...clusters.map(posternLayout), ...chains.map((one) => chainLayout(one, first))];
    for (const { name, target } of layouts) {
      // A database is listed a moment before its agent's tunnel stands.
      await until(`an answer through ${name}`, 30_000, () => load(target, { connections: 1, ms: 1 }).catch(() => undefined));
    }
    const resetPeaks = () => clusters.forEach(({ cluster }) => cluster.resetPeaks());
    return { layouts, resetPeaks, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function directLayout({ upstreamPort, ca, cluster }) {
  const beside = ['upstream'];
  return { name: 'direct', target: { port: upstreamPort, ca }, processes: [], beside, usage: () => cluster.usage(beside) };
}

function posternLayout({ name, port, cluster }) {
  const processes = ['tsh', 'proxy', 'agent'];
  // Auth takes the events, away from the request's way.
  const beside = ['auth-host', 'upstream'];
  return { name, target: { port }, processes, beside, usage: () => cluster.usage([...processes, ...beside]) };
}

function chainLayout(chain, { ca, cluster }) {
  const { name, port, processes } = chain;
  const beside = ['upstream'];
  return { name, target: { port, ca }, processes, beside, usage: () => ({ ...chain.usage(), ...cluster.usage(beside) }) };
}
