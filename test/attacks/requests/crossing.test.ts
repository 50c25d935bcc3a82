import { randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { ask, Company, sha256, TABLE } from './company.ts';

const cannot = lacking('openssl');
const ITEMS = 40;
const REQUESTS = 2000;
const AT_ONCE = 24;

interface Person {
  readonly name: string;
  readonly port: number;
  readonly agent: Agent;
  readonly items: Map<string, string>;
}

describe.skipIf(cannot !== undefined)('two people on one agent', () => {
  const company = new Company();
  const { cluster } = company;
  const people: Person[] = [];
  const senderOf = new Map<string, string>();
  let answered = 0;

  beforeAll(async () => {
    await company.open();
    for (const name of ['alice', 'bob']) {
      const { port } = await cluster.openTunnel(name);
      people.push({ name, port, agent: new Agent({ keepAlive: true, maxSockets: AT_ONCE / 2 }), items: new Map() });
    }
    const [alice] = people;
    const schema = {
      TableName: TABLE,
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
    };
    await ask(alice?.port ?? 0, { operation: 'CreateTable', body: JSON.stringify(schema) });
    await until('the table', 20_000, async () => {
      const { body } = await ask(alice?.port ?? 0, { operation: 'DescribeTable', body: JSON.stringify({ TableName: TABLE }) });
      return body.includes('"ACTIVE"') ? true : undefined;
    });
    for (const person of people) {
      for (let made = 0; made < ITEMS; made += 1) {
        const [id, secret] = [randomUUID(), randomUUID()];
        const body = JSON.stringify({
          TableName: TABLE,
          Item: { id: { S: id }, secret: { S: secret }, pad: { S: 'x'.repeat(made * 500) } },
        });
        expect(await ask(person.port, { operation: 'PutItem', body })).toMatchObject({ status: 200 });
        person.items.set(id, secret);
      }
    }
  });
  afterAll(async () => {
    for (const { agent } of people) agent.destroy();
    await cluster.stop();
  });

  it('AG-15 never get each other’s answers, however their requests are broken off', async () => {
    const wrong: string[] = [];
    let sent = 0;
    const worker = async (person: Person) => {
      const ids = [...person.items.keys()];
      while (sent < REQUESTS) {
        sent += 1;
        const id = ids[sent % ids.length] ?? '';
        const body = JSON.stringify({ TableName: TABLE, Key: { id: { S: id } }, ExpressionAttributeNames: { '#n': `n${randomUUID()}` } });
        const plain = JSON.stringify({ TableName: TABLE, Key: { id: { S: id } }, ReturnConsumedCapacity: 'NONE', nonce: randomUUID() });
        // Both are read by our parser to the end; DynamoDB refuses the first for its unused name, so that errors cross as well.
        const chosen = sent % 5 === 0 ? body : plain;
        senderOf.set(sha256(chosen), person.name);
        const leave = Math.random() < 0.2 ? { leaveMs: Math.random() * 12 } : {};
        const answer = await ask(person.port, { operation: 'GetItem', body: chosen, agent: person.agent, ...leave });
        if (answer.status === 0) continue;
        answered += 1;
        if (answer.status !== 200) continue;
        const item = (JSON.parse(answer.body) as { Item?: { id: { S: string }; secret: { S: string } } }).Item;
        if (item?.id.S !== id || item.secret.S !== person.items.get(id))
          wrong.push(`${person.name} asked for ${id}: ${answer.body.slice(0, 200)}`);
      }
    };
    await Promise.all(people.flatMap((person) => Array.from({ length: AT_ONCE / 2 }, () => worker(person))));
    expect(wrong).toEqual([]);
    expect(answered).toBeGreaterThan(REQUESTS / 2);
  });

  it('AG-15 are themselves at AWS, each request of theirs', () => {
    const theirs = company.seen().filter(({ bodySha256 }) => senderOf.has(bodySha256));
    expect(theirs.length).toBeGreaterThan(REQUESTS / 2);
    for (const { bodySha256, identity, verified } of theirs) {
      expect(verified).toBe(true);
      expect(identity?.arn.split('/').at(-1)).toBe(senderOf.get(bodySha256));
    }
  });

  it('AG-15 have a line in the log for each request that reached AWS, and nothing is left under way', async () => {
    const lines = await until('an outcome for every intent', 30_000, async () => {
      const all = JSON.parse(await cluster.admin('tctl audit ls -f json --limit 1000000')) as Record<string, unknown>[];
      const requests = all.filter(({ event }) => event === 'db.session.dynamodb.request');
      const intents = requests.filter(({ phase }) => phase === 'intent');
      const outcomes = requests.filter(({ phase }) => phase === 'outcome');
      return intents.length === outcomes.length && intents.length >= company.seen().length ? outcomes : undefined;
    });
    const unanswered = lines.filter(({ outcome }) => outcome === 'unknown').length;
    const known = new Set(lines.map((line) => line['aws_request_id']));
    const untied = company.seen().filter(({ requestId }) => !known.has(requestId)).length;
    expect(untied).toBeLessThanOrEqual(unanswered);
    expect(await ask(people[0]?.port ?? 0, { operation: 'ListTables', body: '{}' })).toMatchObject({ status: 200 });
  });
});
