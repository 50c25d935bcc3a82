// node packages/agent/bench/spool.mjs: what the record of a request costs an agent, alone: the intent, the wait for the disk, the outcome and the
// upload of both over gRPC to a process that stands for auth. --writers=1,16,64 requests at once, --ms=3000, --rounds=3, --json.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client, credentials } from '@grpc/grpc-js';
import { appendStoredEvents, callUnary } from '@postern/api';
import { openSpool } from '#spool/open-spool.ts';
// oxlint-disable-next-line no-restricted-imports -- the rule is for what is shipped; a record is measured as its one user makes it
import { RequestRecords } from '../../../services/db-agent/src/audit/request-records.ts';

const { values: flags } = parseArgs({
  options: {
    writers: { type: 'string', default: '1,16,64' },
    ms: { type: 'string', default: '3000' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
});

const session = {
  id: '5f0c1d0e-6d0c-4a6e-9f0f-0d7f1c1c2b3a',
  user: 'alice@example.com',
  facts: {
    identity: { roles: ['db-dev', 'access'] },
    route: { resourceKind: 'db', resourceName: 'example-dynamodb', principal: 'ExampleReader' },
    clientAddress: '198.51.100.7:51234',
  },
};
const place = {
  database: {
    name: 'example-dynamodb',
    uri: 'dynamodb.us-east-1.amazonaws.com',
    region: 'us-east-1',
    accountId: '111122223333',
    origin: 'config-file',
  },
  labels: { env: 'dev', team: 'shop', 'postern.dev/origin': 'config-file' },
  roleArn: 'arn:aws:iam::111122223333:role/ExampleReader',
};
const outcome = {
  kind: 'answered',
  status: 200,
  awsRequestId: 'Q3JFK9B1V2N0T8L7M6P5S4R3VV4KQNSO5AEMVJF66Q9ASUAAJG',
  bytes: 300,
};
/** As a door hands it over, one object a request. */
const asked = () => ({
  method: 'POST',
  path: '/',
  target: 'DynamoDB_20120810.GetItem',
  operation: 'GetItem',
  tables: ['orders'],
});

const dir = mkdtempSync(join(tmpdir(), 'postern-bench-spool-'));
const auth = fork(join(import.meta.dirname, 'append-sink.mjs'));
const [port] = await once(auth, 'message');
const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
const spool = await openSpool({ dir: join(dir, 'spool'), nowMs: Date.now });
const stop = new AbortController();
let uploads = 0;
const draining = spool.drain({
  send: async ({ message }) => {
    uploads += 1;
    await callUnary(client, appendStoredEvents, message);
  },
  signal: stop.signal,
  backoff: () => 100,
});
const records = new RequestRecords({ spool, nowMs: Date.now });

async function work(untilMs) {
  let requests = 0;
  while (performance.now() < untilMs) {
    const record = await records.begin(session, place, asked());
    // Between the two AWS is asked: another turn of the loop at least.
    await new Promise((resolve) => setImmediate(resolve));
    record.end(outcome);
    requests += 1;
  }
  return requests;
}

async function measure(writers, ms) {
  const [uploadsBefore, cpu, begunMs] = [uploads, process.cpuUsage(), performance.now()];
  const counts = await Promise.all(Array.from({ length: writers }, () => work(begunMs + ms)));
  const { user, system } = process.cpuUsage(cpu);
  const requests = counts.reduce((sum, count) => sum + count, 0);
  return {
    writers,
    perSecond: Math.round((requests * 1000) / (performance.now() - begunMs)),
    cpuMicros: Number(((user + system) / requests).toFixed(1)),
    userMicros: Number((user / requests).toFixed(1)),
    uploadsPerSecond: Math.round(((uploads - uploadsBefore) * 1000) / ms),
  };
}

const measured = [];
try {
  await measure(16, 1000);
  for (let round = 0; round < Number(flags.rounds); round += 1) {
    for (const writers of flags.writers.split(',')) measured.push(await measure(Number(writers), Number(flags.ms)));
  }
} finally {
  stop.abort();
  await draining;
  await spool.close();
  client.close();
  auth.kill();
  rmSync(dir, { recursive: true });
}
const medians = [...Map.groupBy(measured, ({ writers }) => writers).values()].map(
  (runs) => runs.toSorted((a, b) => a.cpuMicros - b.cpuMicros)[Math.floor(runs.length / 2)],
);
if (flags.json) console.log(JSON.stringify(medians, undefined, 2));
else console.table(medians);
