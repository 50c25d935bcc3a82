// npm run bench: what a request costs on the way through tsh, proxy and agent, with decisions and the durable record on. README.md says
// how to read it.
import { parseArgs } from 'node:util';
import { buildCommands } from '../scripts/build.mjs';
import { until } from '../test/harness/processes.ts';
import { BenchCluster } from './bench-cluster.mjs';
import { load } from './load.mjs';

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    ms: { type: 'string', default: '3000' },
    rounds: { type: 'string', default: '3' },
    bytes: { type: 'string', default: '300' },
    connections: { type: 'string', default: '1,16,64' },
    against: { type: 'string' },
    profile: { type: 'string' },
  },
});
const ms = Number(flags.ms);
const MEASURED = ['tsh', 'proxy', 'agent'];
/** Shown beside them and not counted with them: it takes the events, away from the request's way. */
const AUTH = 'auth-host';
const shapes = [
  ...flags.connections.split(',').map((connections) => ({ connections: Number(connections), connectEach: false })),
  { connections: 4, connectEach: true },
];

await buildCommands();
const common = { answerBytes: Number(flags.bytes) };
const clusters = [new BenchCluster({ name: 'postern', ...common, ...(flags.profile && { profileDir: flags.profile }) })];
if (flags.against !== undefined) clusters.push(new BenchCluster({ name: 'against', commands: flags.against, ...common }));
const measured = [];
try {
  for (const cluster of clusters) await cluster.start();
  const [first] = clusters;
  const direct = { port: first.upstreamPort, ca: first.ca };
  for (const cluster of clusters) {
    // A database is listed a moment before its agent's tunnel stands.
    await until(`an answer through ${cluster.name}`, 30_000, () =>
      load({ port: cluster.port }, { connections: 1, ms: 1 }).catch(() => undefined),
    );
    await load({ port: cluster.port }, { connections: 16, ms });
  }
  for (let round = 0; round < Number(flags.rounds); round += 1) {
    for (const shape of shapes) {
      measured.push({ layout: 'direct TLS', ...shape, ...(await load(direct, { ...shape, ms: ms / 3 })) });
      for (const cluster of clusters) measured.push({ layout: cluster.name, ...shape, ...(await measure(cluster, shape)) });
    }
  }
  const results = summary(measured);
  if (flags.json) process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
  else print(results);
} finally {
  for (const cluster of clusters) await cluster.stop();
}

async function measure(cluster, shape) {
  const before = cluster.usage();
  const answer = await load({ port: cluster.port }, { ...shape, ms });
  const after = cluster.usage();
  const cpuMicros = Object.fromEntries(
    [...MEASURED, AUTH].map((name) => [name, ((after[name].cpuSeconds - before[name].cpuSeconds) * 1e6) / answer.requests]),
  );
  const sumMicros = MEASURED.reduce((sum, name) => sum + cpuMicros[name], 0);
  const peakMiB = Object.fromEntries(MEASURED.map((name) => [name, after[name].peakMiB]));
  return { ...answer, cpuMicros, sumMicros, peakMiB };
}

/** The median of the rounds, by each figure alone. */
function summary(all) {
  const keyOf = ({ layout, connections, connectEach }) => `${connections}${connectEach ? ' connecting' : ''} ${layout}`;
  const groups = Map.groupBy(all, keyOf);
  return [...groups.values()].map((runs) => {
    const middle = (read) => {
      const sorted = runs.map(read).toSorted((a, b) => a - b);
      return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.floor(sorted.length / 2)]) / 2;
    };
    const { layout, connections, connectEach, cpuMicros } = runs[0];
    const each = (group, names = MEASURED) => Object.fromEntries(names.map((name) => [name, round(middle((run) => run[group][name]))]));
    return {
      layout,
      connections,
      connectEach,
      perSecond: Math.round(middle((run) => run.perSecond)),
      p50Ms: round(
        middle((run) => run.p50Ms),
        3,
      ),
      p99Ms: round(
        middle((run) => run.p99Ms),
        3,
      ),
      ...(cpuMicros === undefined
        ? {}
        : {
            cpuMicros: each('cpuMicros', [...MEASURED, AUTH]),
            sumMicros: round(middle((run) => run.sumMicros)),
            peakMiB: each('peakMiB'),
          }),
    };
  });
}

function round(value, digits = 1) {
  return Number(value.toFixed(digits));
}

function print(results) {
  console.log(`answers of ${flags.bytes} B; medians of ${flags.rounds} rounds of ${ms} ms; CPU in µs per request\n`);
  console.log('connections    layout      req/s   p50 ms   p99 ms    tsh  proxy  agent    sum  (auth)  peak MiB');
  for (const { layout, connections, connectEach, perSecond, p50Ms, p99Ms, cpuMicros, sumMicros, peakMiB } of results) {
    const cells = [
      (connectEach ? `${connections}, 1 each` : String(connections)).padEnd(14),
      layout.padEnd(10),
      String(perSecond).padStart(6),
      p50Ms.toFixed(2).padStart(8),
      p99Ms.toFixed(2).padStart(8),
      ...MEASURED.map((name) => (cpuMicros?.[name].toFixed(1) ?? '').padStart(6)),
      (sumMicros?.toFixed(1) ?? '').padStart(6),
      (cpuMicros?.[AUTH].toFixed(1) ?? '').padStart(7),
      peakMiB === undefined ? '' : ` ${MEASURED.map((name) => Math.round(peakMiB[name])).join('/')}`,
    ];
    console.log(cells.join(' '));
  }
  if (flags.against === undefined) return;
  console.log();
  for (const one of results.filter(({ layout }) => layout === 'postern')) {
    const other = results.find(
      ({ layout, ...r }) => layout === 'against' && r.connections === one.connections && r.connectEach === one.connectEach,
    );
    console.log(
      `${one.connections}${one.connectEach ? ' (one each)' : ''}: CPU ${(one.sumMicros / other.sumMicros).toFixed(2)} of the other, requests/s ${(one.perSecond / other.perSecond).toFixed(2)}`,
    );
  }
}
