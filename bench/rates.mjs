// What the shapes have in common that repeat one act: callers that each act again as soon as they are done, and the table of what it cost.
import { rounded, table } from './report.mjs';

/** Runs every caller's act again and again for `ms`; resolves with the milliseconds that each took. */
export async function repeat(acts, ms) {
  const until = performance.now() + ms;
  const latencies = [];
  await Promise.all(
    acts.map(async (act) => {
      while (performance.now() < until) {
        const started = performance.now();
        await act();
        latencies.push(performance.now() - started);
      }
    }),
  );
  return latencies;
}

/** `latencies` of acts that each did `perAct` of the thing; `measured` as AuthCluster.measure says it. */
export function rateOf(latencies, { perAct = 1, seconds, cpuSeconds, peakMiB, clientShare }) {
  const count = latencies.length * perAct;
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share) => rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))], 2);
  return {
    perSecond: Math.round(count / seconds),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuMicros: Object.fromEntries(Object.entries(cpuSeconds).map(([name, value]) => [name, rounded((value * 1e6) / count, 1)])),
    peakMiB,
    clientShare: rounded(clientShare, 2),
  };
}

/** `labelled` has the words of the first column beside each rate. */
export function printRates(title, labelled) {
  const rows = labelled.map(([label, { perSecond, p50Ms, p99Ms, cpuMicros, peakMiB, clientShare }]) => [
    label,
    perSecond,
    p50Ms.toFixed(2),
    p99Ms.toFixed(2),
    ...Object.keys(cpuMicros).map((name) => `${cpuMicros[name]}/${peakMiB[name]}`),
    Math.round(clientShare * 100),
  ]);
  const processes = Object.keys(labelled[0]?.[1].cpuMicros ?? {});
  console.log(`\n${title}; by process CPU in µs each / peak MiB\n`);
  console.log(table(['', 'per s', 'p50 ms', 'p99 ms', ...processes, 'client %'], rows));
}
