import { afterEach, describe, expect, it } from 'vitest';
import {
  addToken,
  addUser,
  announce,
  auditRecords,
  callUnary,
  type Credential,
  joinAs,
  outcomeOf,
  presence,
  resources,
  server,
  signInAs,
  startTestAuth,
  type TestAuth,
} from '#testing/test-auth.ts';

let test: TestAuth;
afterEach(() => test.stop());

async function agentFor(dbName: string, labels: Readonly<Record<string, string>> = {}) {
  return joinAs(test, { token: await addToken(test, { roles: ['db'], dbName, labels }), role: 'db' });
}
async function listed(who: Credential): Promise<readonly { name: string; json: Record<string, never> }[]> {
  const request = { kind: 'db_server', withSecrets: false, pageSize: 0, pageToken: '' };
  const answer = await callUnary(test.client(who), resources.definition.listResources, request);
  return answer.resources.map(({ name, json }) => ({ name, json: JSON.parse(json.toString()) as Record<string, never> }));
}

describe('what an agent announces', () => {
  it("is served under the names of its token, with the token's labels over its own", async () => {
    test = await startTestAuth();
    const agent = await agentFor('orders', { env: 'prod' });
    const answer = await announce(test, agent, [server('orders', { labels: { env: 'dev', team: 'a' } })]);
    expect(answer.refusals).toEqual([]);
    expect(answer.effectiveLabels['orders']?.labels).toEqual({ env: 'prod', team: 'a' });
    expect((await listed(test.admin)).map(({ name }) => name)).toEqual([`orders/${agent.hostId}`]);
  });

  it('is refused for a name that the token does not bind, and both sides can read why', async () => {
    test = await startTestAuth();
    const agent = await agentFor('orders');
    const nameless = await agentFor('');
    for (const host of [agent, nameless]) {
      const { refusals } = await announce(test, host, [server('customers')]);
      expect(refusals).toHaveLength(1);
      expect(refusals[0]?.reason).toMatch(/customers is not a name that this agent may serve.*--db-name=customers/);
    }
    const seen = await listed(test.admin);
    expect(JSON.stringify(seen)).toContain('is not a name that this agent may serve');
    expect((await auditRecords(test, 'db_server.refused')).map(({ code }) => code)).toEqual(['TPS01E', 'TPS01E']);
    await announce(test, agent, [server('customers')]);
    expect(await auditRecords(test, 'db_server.refused')).toHaveLength(2);
  });

  it('is written once for what is repeated each minute, again before it expires, and at once where it changes', async () => {
    test = await startTestAuth();
    const agent = await agentFor('orders');
    const expires = async (labels: Record<string, string> = {}) => {
      expect((await announce(test, agent, [server('orders', { labels })])).refusals).toEqual([]);
      return (await listed(test.admin))[0]?.json['metadata']?.['expires'] as string | undefined;
    };
    const first = await expires();
    for (let minute = 0; minute < 4; minute++) {
      test.clock.now += 59_000;
      expect(await expires()).toBe(first);
    }
    test.clock.now += 59_000;
    const second = await expires();
    expect(second).not.toBe(first);
    test.clock.now += 1_000;
    expect(await expires({ team: 'a' })).not.toBe(second);
  });

  it('does not reach users where it was refused', async () => {
    test = await startTestAuth();
    await announce(test, await agentFor('orders'), [server('customers'), server('orders')]);
    await addUser(test, { name: 'alice', roles: ['access'], traits: { db_users: ['Reader'] } });
    const seen = await listed(await signInAs(test, 'alice'));
    expect(seen.map(({ name }) => name.split('/')[0])).toEqual(['orders']);
    expect(seen[0]?.json).toMatchObject({ users: { allowed: ['Reader'], denied: [] } });
  });

  it("cannot take a name that another token's agent serves with other settings, and may share it with the same", async () => {
    test = await startTestAuth();
    const first = await agentFor('orders');
    const rogue = await agentFor('orders');
    await announce(test, first, [server('orders')]);
    const { refusals } = await announce(test, rogue, [server('orders', { awsRegion: 'eu-west-1' })]);
    expect(refusals[0]?.reason).toMatch(new RegExp(`orders is served already by agent ${first.hostId}`));
    const relabelled = await announce(test, rogue, [server('orders', { labels: { env: 'dev' } })]);
    expect(relabelled.refusals).toHaveLength(1);
    expect((await announce(test, rogue, [server('orders')])).refusals).toEqual([]);
  });

  it('lets one of two agents that announce one name at the same moment have it', async () => {
    test = await startTestAuth();
    const agents = await Promise.all([agentFor('orders'), agentFor('orders')]);
    const [a, b] = await Promise.all(agents.map((agent, i) => announce(test, agent, [server('orders', { labels: { owner: `${i}` } })])));
    expect((a?.refusals.length ?? 0) + (b?.refusals.length ?? 0)).toBe(1);
  });

  it('keeps the name of an agent that fell silent until its time is over, and frees it at a goodbye', async () => {
    test = await startTestAuth();
    const first = await agentFor('orders');
    const second = await agentFor('orders');
    const other = [server('orders', { awsRegion: 'eu-west-1' })];
    await announce(test, first, [server('orders')]);
    test.clock.now += 9 * 60_000;
    expect((await announce(test, second, other)).refusals).toHaveLength(1);
    await announce(test, first, []);
    expect((await listed(test.admin)).filter(({ name }) => name.endsWith(first.hostId))).toEqual([]);
    expect((await announce(test, second, other)).refusals).toEqual([]);
    test.clock.now += 11 * 60_000;
    expect(await listed(test.admin)).toEqual([]);
    expect((await announce(test, first, [server('orders')])).refusals).toEqual([]);
  });

  it('may not carry labels of the cluster, and each change of a label is recorded', async () => {
    test = await startTestAuth();
    const agent = await agentFor('orders');
    for (const key of ['teleport.dev/origin', 'teleport.internal/x', 'Postern.dev/owner']) {
      const { refusals } = await announce(test, agent, [server('orders', { labels: { [key]: 'x' } })]);
      expect(refusals[0]?.reason).toContain('reserved');
    }
    await announce(test, agent, [server('orders', { labels: { env: 'prod' } })]);
    await announce(test, agent, [server('orders', { labels: { env: 'prod' } })]);
    await announce(test, agent, [server('orders', { labels: { env: 'dev' } })]);
    const changes = (await auditRecords(test, 'db_server.announced')).map(({ db_labels, db_labels_before }) => [
      db_labels_before,
      db_labels,
    ]);
    expect(changes.at(-1)).toEqual([{ env: 'prod' }, { env: 'dev' }]);
    expect(changes.filter(([before]) => before !== undefined)).toHaveLength(2);
  });

  it('takes labels and settings of a dynamic database from the cluster, whatever the agent says', async () => {
    test = await startTestAuth();
    const agent = await agentFor('');
    const refused = await announce(test, agent, [server('people', { dynamic: true })]);
    expect(refused.refusals[0]?.reason).toMatch(/no db resource named people/);
    const db = {
      kind: 'db',
      version: 'v3',
      metadata: { name: 'people', labels: { env: 'prod' } },
      spec: { protocol: 'dynamodb', aws: { region: 'eu-west-1', account_id: '123456789012' } },
    };
    await callUnary(test.client(test.admin), resources.definition.createResource, { kind: 'db', json: Buffer.from(JSON.stringify(db)) });
    const answer = await announce(test, agent, [server('people', { dynamic: true, labels: { env: 'dev' }, awsRegion: 'us-east-1' })]);
    expect(answer.refusals).toEqual([]);
    expect(answer.effectiveLabels['people']?.labels).toEqual({ env: 'prod' });
    const [shown] = await listed(test.admin);
    expect(shown?.json).toMatchObject({ spec: { database: { spec: { aws: { region: 'eu-west-1' } } } } });
  });

  // One agent could have 400 entries of a megabyte each kept, and sent to every proxy, and drive the terminal of who listed them.
  it('is short, and drives no terminal, in what is refused as well', async () => {
    test = await startTestAuth();
    const agent = await agentFor('orders');
    const long = 'x'.repeat(900_000);
    const say = (words: { nodeName?: string; version?: string }, ...servers: ReturnType<typeof server>[]) =>
      outcomeOf(
        callUnary(test.client(agent), presence.definition.announceServers, { servers, version: '0.1.0', nodeName: 'node-1', ...words }),
      );
    const own = server('orders');
    for (const words of [{ nodeName: long }, { version: long }, { nodeName: '\u001b[2J' }, { version: '1\n2' }, { nodeName: 'a\u202eb' }])
      expect(await say(words, own)).toBe('bad_request');
    const odd = [
      { ...server('customers'), description: long, uri: long },
      server('orders', { labels: { 'a\u001b[31m': 'b' } }),
      server('a\u009b31mb'),
      server('a\u202eb'),
    ];
    const { refusals } = await announce(test, agent, odd);
    expect(refusals.map(({ name }) => name)).toEqual(odd.map(({ name }) => name));
    await announce(test, agent, [own, server('prices', { labels: { env: 'a\nb' } }), ...odd.slice(0, 1), ...odd.slice(2)]);
    const kept = JSON.stringify(await listed(test.admin));
    expect((await listed(test.admin)).map(({ name }) => name.split('/')[0]).toSorted((a, b) => (a ?? '').localeCompare(b ?? ''))).toEqual([
      'customers',
      'orders',
      'prices',
    ]);
    expect(kept.length).toBeLessThan(10_000);
    expect(kept).not.toMatch(/\\u00|[\p{Cc}\p{Cf}]/u);
  });

  it('is refused of an app from a database agent, and of names that no resource can have', async () => {
    test = await startTestAuth();
    const agent = await agentFor('orders');
    const odd = [{ ...server('orders'), kind: 'app' }, server('a/b'), server(''), server('x'.repeat(300))];
    const { refusals } = await announce(test, agent, odd);
    expect(refusals).toHaveLength(4);
  });
});

describe('what a proxy announces', () => {
  it('is an address, and nothing that is not one', async () => {
    test = await startTestAuth();
    const proxy = await joinAs(test, { token: await addToken(test, { roles: ['proxy'] }), role: 'proxy' });
    const say = (publicAddress: string) =>
      outcomeOf(callUnary(test.client(proxy), presence.definition.announceProxy, { publicAddress, ownAddress: '', version: '0.1.0' }));
    expect(await say('teleport.example.com:443')).toBe('ok');
    for (const address of ['', 'example.com', 'example.com:0', 'example.com:99999', 'http://example.com:443', 'a b:443', '[::zz]:443']) {
      expect([address, await say(address)]).toEqual([address, 'bad_request']);
    }
  });
});
