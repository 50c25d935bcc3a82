// What a request costs on each way, with decisions and the durable record on: requests a second, latency, CPU and memory by process.
import { openLayouts } from './layouts.mjs';
import { load } from './load.mjs';
import { say } from './report.mjs';
import { ratiosOf, summaryOf } from './requests-summary.mjs';
import { printRequests } from './requests-table.mjs';

export const options = {
  ms: { type: 'string', default: '1500' },
  rounds: { type: 'string', default: '5' },
  bytes: { type: 'string', default: '300,100000' },
  connections: { type: 'string', default: '1,16,64' },
};
/** Which operation is asked where several sizes are compared: the upstream has one size for each. */
const OPERATIONS = ['GetItem', 'Query', 'Scan', 'BatchGetItem'];
/** A service is measured as it runs for days: what it does has been compiled. */
const WARM_REQUESTS = 40_000;
const WARM_UP_MS = 25_000;

export async function run(flags) {
  const sizes = numbers(flags.bytes).slice(0, OPERATIONS.length);
  const answers = Object.fromEntries(sizes.map((bytes, at) => [OPERATIONS[at], bytes]));
  const shapes = Object.entries(answers).flatMap(([operation, bytes]) => [
    ...numbers(flags.connections).map((connections) => ({ bytes, operation, connections, connectEach: false })),
    { bytes, operation, connections: 4, connectEach: true },
  ]);
  const { layouts, resetPeaks, stop } = await openLayouts({ answers, ...flags });
  try {
    const measured = await measureRounds({ layouts, resetPeaks }, shapes, { rounds: Number(flags.rounds), ms: Number(flags.ms) });
    return { results: summaryOf(measured), ratios: ratiosOf(measured) };
  } finally {
    await stop();
  }
}

/** Every layout in turn within a shape, every shape within a round: what else the machine does falls on all of them. */
async function measureRounds({ layouts, resetPeaks }, shapes, { rounds, ms }) {
  for (const { name, target } of layouts) {
    say(`warming up: ${name}`);
    for (const operation of new Set(shapes.map((shape) => shape.operation))) await warmUp(target, operation);
  }
  const measured = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const shape of shapes) {
      say(`round ${round + 1} of ${rounds}: ${shape.bytes} B, ${shape.connections} ${shape.connectEach ? 'one request each' : 'kept'}`);
      resetPeaks();
      for (const layout of layouts) measured.push({ round, layout: layout.name, ...shape, ...(await measure(layout, shape, ms)) });
    }
  }
  return measured;
}

/** By requests and not by time: on a busy machine seconds say little about what has been compiled. */
async function warmUp(target, operation) {
  const started = performance.now();
  let requests = 0;
  while (requests < WARM_REQUESTS && performance.now() - started < WARM_UP_MS)
    requests += (await load(target, { connections: 16, ms: 250, operation })).requests;
}

async function measure({ target, processes, beside, usage }, shape, ms) {
  const before = usage();
  const answer = await load(target, { ...shape, ms });
  const after = usage();
  const named = [...processes, ...beside];
  const microsOf = (name) => ((after[name].cpuSeconds - before[name].cpuSeconds) * 1e6) / answer.requests;
  return {
    ...answer,
    cpuMicros: Object.fromEntries(named.map((name) => [name, microsOf(name)])),
    sumMicros: processes.reduce((sum, name) => sum + microsOf(name), 0),
    peakMiB: Object.fromEntries(named.map((name) => [name, after[name].peakMiB])),
    beside,
  };
}

function numbers(list) {
  return list.split(',').map(Number);
}

export { printRequests as print };
