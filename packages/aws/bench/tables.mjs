// node packages/aws/bench/tables.mjs: how long 16 MB bodies take, and the longest time without giving way, by hand, never in the tests.
import { JsonScanner } from '../src/dynamodb/json-scanner.ts';

function batch(item) {
  return Buffer.from(JSON.stringify({ RequestItems: { Music: Array.from({ length: 25 }, () => ({ PutRequest: { Item: item } })) } }));
}
const bodies = {
  'long strings': batch({ id: { S: 'a' }, data: { S: 'x'.repeat(660_000) } }),
  'small attributes': batch(Object.fromEntries(Array.from({ length: 24_000 }, (_, i) => [`a${i}`, { N: String(i * 7) }]))),
  'escapes only': batch({ id: { S: 'a' }, data: { S: '"\n\\'.repeat(110_000) } }),
};
for (const [name, body] of Object.entries(bodies)) {
  const totals = [];
  const longest = [];
  for (let round = 0; round < 9; round += 1) {
    const started = performance.now();
    let last = started;
    let worst = 0;
    const scanner = new JsonScanner(body, { sliceBytes: 512 * 1024 });
    for (const _ of scanner.skipValue()) {
      worst = Math.max(worst, performance.now() - last);
      last = performance.now();
    }
    scanner.end();
    totals.push(performance.now() - started);
    longest.push(worst);
  }
  const parseStarted = performance.now();
  JSON.parse(body.toString('utf8'));
  const parse = performance.now() - parseStarted;
  const median = (values) => values.toSorted((a, b) => a - b)[4].toFixed(1);
  const size = (body.length / 1e6).toFixed(1);
  console.log(
    `${name}, ${size} MB: ${median(totals)} ms, longest slice ${median(longest)} ms (JSON.parse ${parse.toFixed(1)} ms at a stretch)`,
  );
}
