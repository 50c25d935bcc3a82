import { table } from './report.mjs';
import { shapeName } from './requests-summary.mjs';

export function printRequests({ results, ratios }) {
  console.log('requests: medians of the rounds; CPU in µs a request, peak resident memory in MiB; what is in brackets is not in the sum\n');
  const head = ['answer, connections', 'way', 'req/s', 'p50 ms', 'p99 ms', 'CPU sum', 'client %'];
  const rows = results.map((one) => [
    shapeName(one),
    one.layout,
    one.perSecond,
    one.p50Ms.toFixed(2),
    one.p99Ms.toFixed(2),
    one.layout === 'direct' ? '' : one.sumMicros.toFixed(0),
    Math.round(one.clientShare * 100),
  ]);
  const lines = table(head, rows).split('\n');
  console.log([lines[0], ...results.map((one, at) => `${lines[at + 1]}  ${processesOf(one)}`)].join('\n'));
  console.log('\nPostern over the others: medians of each round’s own ratio\n');
  const ratioRows = ratios.map(({ shape, over, cpu, perSecond, addedP50Ms }) => [
    shape,
    over,
    cpu?.toFixed(2) ?? '',
    perSecond.toFixed(2),
    addedP50Ms.toFixed(2),
  ]);
  console.log(table(['answer, connections', 'over', 'CPU', 'req/s', 'added p50 ms'], ratioRows));
}

function processesOf({ cpuMicros, peakMiB, beside, resumed }) {
  const cells = Object.entries(cpuMicros).map(([name, micros]) => {
    const cell = `${name} ${micros.toFixed(0)}/${Math.round(peakMiB[name])} MiB`;
    return beside.includes(name) ? `(${cell})` : cell;
  });
  return [...cells, ...(resumed > 0 ? [`${Math.round(resumed * 100)} % resumed`] : [])].join(', ');
}
