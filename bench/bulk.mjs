// One answer of a GiB: bytes a second on each way, and whether any process holds more of it than its buffers.
import { openLayouts } from './layouts.mjs';
import { load } from './load.mjs';
import { median, rounded, say, table } from './report.mjs';

export const options = {
  'bulk-bytes': { type: 'string', default: String(2 ** 30) },
  'bulk-rounds': { type: 'string', default: '1' },
};
const MIB = 2 ** 20;

export async function run(flags) {
  const bytes = Number(flags['bulk-bytes']);
  const { layouts, resetPeaks, stop } = await openLayouts({ ...flags, answers: { GetItem: 300, Query: 64 * MIB, Scan: bytes } });
  try {
    // Memory grows while code is compiled and pools fill: the growth that counts begins after that.
    for (const { name, target } of layouts) {
      say(`warming up: ${name}`);
      await load(target, { connections: 1, ms: 1, operation: 'Query' });
    }
    const measured = [];
    for (let round = 0; round < Number(flags['bulk-rounds']); round += 1) {
      for (const layout of layouts) {
        say(`round ${round + 1}: ${Math.round(bytes / MIB)} MiB, ${layout.name}`);
        resetPeaks();
        measured.push({ layout: layout.name, ...(await measure(layout, bytes)) });
      }
    }
    return [...Map.groupBy(measured, ({ layout }) => layout)].map(([layout, runs]) => ({ layout, ...summaryOf(runs) }));
  } finally {
    await stop();
  }
}

async function measure({ target, processes, beside, usage }, bytes) {
  const before = usage();
  const { p50Ms, clientShare } = await load(target, { connections: 1, ms: 1, operation: 'Scan' });
  const after = usage();
  const each = (read) => Object.fromEntries([...processes, ...beside].map((name) => [name, read(after[name], before[name])]));
  const cpuSeconds = each((now, then) => now.cpuSeconds - then.cpuSeconds);
  return {
    mibPerSecond: bytes / MIB / (p50Ms / 1000),
    cpuSeconds,
    sumCpuSeconds: processes.reduce((sum, name) => sum + cpuSeconds[name], 0),
    growthMiB: each((now, then) => now.peakMiB - then.rssMiB),
    clientShare,
  };
}

function summaryOf(runs) {
  const middle = (read, digits) => rounded(median(runs.map(read)), digits);
  const each = (group, digits) =>
    Object.fromEntries(Object.keys(runs[0][group]).map((name) => [name, middle((one) => one[group][name], digits)]));
  return {
    mibPerSecond: middle((one) => one.mibPerSecond, 0),
    sumCpuSeconds: middle((one) => one.sumCpuSeconds, 2),
    cpuSeconds: each('cpuSeconds', 2),
    growthMiB: each('growthMiB', 0),
    clientShare: middle((one) => one.clientShare, 2),
  };
}

export function print(results) {
  console.log('\nbulk: one long answer; by process CPU in s / growth of resident memory at most, in MiB\n');
  const rows = results.map(({ layout, mibPerSecond, sumCpuSeconds, clientShare }) => [
    layout,
    mibPerSecond,
    sumCpuSeconds.toFixed(2),
    Math.round(clientShare * 100),
  ]);
  const [head, ...lines] = table(['way', 'MiB/s', 'CPU s', 'client %'], rows).split('\n');
  const processesOf = ({ cpuSeconds, growthMiB }) =>
    Object.keys(cpuSeconds).map((name) => `${name} ${cpuSeconds[name].toFixed(2)}/${growthMiB[name]}`);
  console.log([head, ...lines.map((line, at) => `${line}  ${processesOf(results[at]).join(', ')}`)].join('\n'));
}
