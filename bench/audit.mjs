// Audit events a second that auth makes durable, sent as agents send them: a call under way for each agent, of as many events as have
// gathered.
import { randomUUID } from 'node:crypto';
import { appendEvents } from '../test/harness/hosts.ts';
import { AuthCluster } from './auth-cluster.mjs';
import { printRates, rateOf, repeat } from './rates.mjs';
import { say } from './report.mjs';

export const options = { 'audit-ms': { type: 'string', default: '4000' } };
/** An agent under load sends 1000 events in a call, which is the most it does; one that serves few people sends what they did in 250 ms. */
const SHAPES = [
  { agents: 1, events: 1000 },
  { agents: 4, events: 1000 },
  { agents: 4, events: 10 },
];

export async function run(flags) {
  const auth = new AuthCluster();
  try {
    await auth.start({ users: 1, hosts: Math.max(...SHAPES.map(({ agents }) => agents)) });
    const session = await auth.session();
    const actsOf = ({ agents, events }) => auth.hosts.slice(0, agents).map((host) => () => send(host, eventsOf(session, events)));
    say('warming up');
    await repeat(actsOf(SHAPES[0]), 1500);
    const rates = [];
    for (const shape of SHAPES) {
      say(`events of ${shape.agents} agents, ${shape.events} a call`);
      const recordsBefore = await auth.records();
      const { found, ...measured } = await auth.measure(() => repeat(actsOf(shape), Number(flags['audit-ms'])));
      const recorded = (await auth.records()) - recordsBefore;
      if (recorded !== found.length * shape.events)
        throw new Error(`${found.length * shape.events} events were sent and ${recorded} recorded`);
      rates.push({ ...shape, ...rateOf(found, { perAct: shape.events, ...measured }) });
    }
    return rates;
  } finally {
    await auth.stop();
  }
}

async function send(host, events) {
  const stored = await appendEvents(host, events);
  if (stored !== events.length) throw new Error(`auth took ${stored} of ${events.length} events`);
}

/** Intents and outcomes in turns, of the size that an agent writes them. */
function eventsOf({ user, sessionId, resource }, count) {
  const timeMs = Date.now();
  return Array.from({ length: count }, (_, at) => ({
    id: randomUUID(),
    kind: 'db.session.dynamodb.request',
    code: 'TDY01I',
    timeMs,
    user,
    resource,
    sessionId,
    success: true,
    fieldsJson: at % 2 === 0 ? INTENT : OUTCOME,
  }));
}

const BRIEF = { db_service: 'orders', db_protocol: 'dynamodb', db_type: 'dynamodb', db_user: 'ExampleTeleportDynamoDBRole' };
const ASKED = { method: 'POST', path: '/', raw_query: '', target: 'DynamoDB_20120810.GetItem', operation: 'GetItem', tables: ['fruit'] };
const REQUEST = { ...BRIEF, ...ASKED, request_id: '2f3f8a1e-7f0c-4d1c-9a53-4a5a6b0c7d11' };
const INTENT = Buffer.from(
  JSON.stringify({
    ...REQUEST,
    db_uri: 'dynamodb.us-east-1.amazonaws.com',
    db_labels: { env: 'dev' },
    db_aws_region: 'us-east-1',
    db_aws_account_id: '123456789012',
    db_origin: 'config-file',
    db_role_arn: 'arn:aws:iam::123456789012:role/ExampleTeleportDynamoDBRole',
    user_roles: ['bench'],
    'addr.remote': '127.0.0.1',
    phase: 'intent',
  }),
);
const OUTCOME = Buffer.from(
  JSON.stringify({
    ...REQUEST,
    phase: 'outcome',
    duration_ms: 3,
    outcome: 'answered',
    status_code: 200,
    aws_request_id: '7BGQKN5B0P2N3HV4KQNSO5AEMVJF66Q9ASUAAJG',
    bytes: 300,
  }),
);

export function print(rates) {
  const labelled = rates.map(({ agents, events, ...rate }) => [`${agents} agents, ${events} a call`, rate]);
  printRates('audit: events made durable by auth', labelled);
}
