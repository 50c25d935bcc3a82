// node packages/aws/bench/rest.mjs: what the name of a request to a REST service costs, and what its tables take, by hand, never in the tests.
import { readFileSync } from 'node:fs';
import { describeRequest } from '../src/requests/describe-request.ts';

const host = (label) => ({ host: `${label}.eu-west-1.amazonaws.com` });
const headers = [
  'Host',
  'x',
  'User-Agent',
  'x',
  'X-Amz-Date',
  'x',
  'Authorization',
  'x',
  'Content-Type',
  'application/json',
  'Content-Length',
  '2',
];
const arn = 'arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fx';
const asked = {
  'Lambda Invoke': { method: 'POST', path: '/2015-03-31/functions/f/invocations', service: 'lambda', target: host('lambda') },
  'Bedrock InvokeModel by ARN': { method: 'POST', path: `/model/${arn}/invoke`, service: 'bedrock', target: host('bedrock-runtime') },
  'CloudFront with a query': { method: 'GET', path: '/2020-05-31/distribution', query: 'Marker=a&MaxItems=1', service: 'cloudfront' },
  'a path of 16 KB': { method: 'GET', path: `/destinations${'/a'.repeat(8000)}`, service: 'iot', target: host('iot') },
  'DynamoDB, for comparison': {
    method: 'POST',
    path: '/',
    headers: [...headers, 'X-Amz-Target', 'DynamoDB_20120810.GetItem'],
    service: 'dynamodb',
  },
};
for (const [name, given] of Object.entries(asked)) {
  const head = { query: '', headers, ...given };
  const rounds = name.includes('KB') ? 200 : 200_000;
  const [first] = time(() => describeRequest(head), 1);
  time(() => describeRequest(head), rounds);
  const [each, last] = time(() => describeRequest(head), rounds);
  console.log(`${name}: ${each.toFixed(2)} µs, the first ${first.toFixed(0)} µs: ${last.operation}`);
}

const lines = readFileSync(new URL('../data/aws-rest-operations.txt', import.meta.url), 'utf8').match(/^= \S+/gm) ?? [];
const names = [...new Set(lines.map((line) => line.slice(2)))];
globalThis.gc?.();
const before = process.memoryUsage().heapUsed;
const [all] = time(() => names.forEach((service) => describeRequest({ method: 'GET', path: '/', query: '', headers: [], service })), 1);
globalThis.gc?.();
console.log(
  `trees of all ${names.length} signing names: ${(all / 1000).toFixed(1)} ms, ${((process.memoryUsage().heapUsed - before) / 1e6).toFixed(1)} MB`,
);

function time(run, rounds) {
  const started = performance.now();
  let last;
  for (let i = 0; i < rounds; i += 1) last = run();
  return [((performance.now() - started) * 1000) / rounds, last];
}
