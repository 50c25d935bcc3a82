import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { appLoad, AppStage } from '@postern/test-harness/app-stage.ts';
import { auditLines, requestsIn } from '@postern/test-harness/check-audit.ts';
import { ROLE } from '@postern/test-harness/cluster.ts';
import type { EndpointClient } from '@postern/test-harness/endpoint-client.ts';
import { type Answer, HANG_MS } from '@postern/test-harness/load.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { canMountSmallDisk, SmallDisk } from '#small-disk.ts';

const cannot = lacking('openssl');

describe.skipIf(!canMountSmallDisk || cannot !== undefined)('an application agent with AWS out of order, and its disk full', () => {
  const stage = new AppStage();
  const { cluster } = stage;
  const disk = new SmallDisk(join(cluster.dir, 'small', 'data'));
  let agent: Daemon;
  let aftermath: Aftermath;
  let client: EndpointClient;
  /** How often "AWS" was asked to do it; what an agent sends twice is there twice. */
  const atAws = (operation: string) => cluster.rawLog().filter((seen) => seen.operation === operation).length;
  /** What the log says of the one request that `act` makes. */
  const outcomeOf = async (operation: string, act: () => Promise<Answer>) => {
    const result = await act();
    const outcome = await until('the outcome', 10_000, async () =>
      requestsIn(await auditLines(cluster), 'outcome').find(
        (line) => line.operation === operation && Date.parse(line.time) >= result.sentMs,
      ),
    );
    return { result, outcome };
  };

  beforeAll(async () => {
    await stage.open();
    agent = stage.agent('small', { under: disk.under });
    await stage.attached(agent);
    ({ client } = await stage.endpoint());
    expect((await client.putObject('kept', 'before all')).status).toBe(200);
    expect((await client.dynamoDb('ListTables', {})).status).toBe(200);
    aftermath = await Aftermath.before(cluster);
    aftermath.ledger.object('kept', 'before all');
  });
  afterAll(() => cluster.stop());

  it.each([500, 503])('F-46 AWS answers %i: the client gets that status and body, and a write is sent once', async (status) => {
    await cluster.awsFault('PutObject', { status, times: 1 });
    const before = atAws('PutObject');
    const { result, outcome } = await outcomeOf('PutObject', () => client.putObject(`refused-${status}`, 'x'));
    expect(result.status).toBe(status);
    expect(result.body).toContain(`answered with ${status} because the emulator was told to`);
    expect(atAws('PutObject') - before).toBe(1);
    expect(outcome).toMatchObject({ outcome: 'answered', status_code: status });
  });

  it('F-46 the answer to a write is lost before its first byte: sent once, 503 that says so, the outcome is unknown', async () => {
    await cluster.awsFault('PutObject', { resetAfterBytes: 0, times: 1 });
    const before = atAws('PutObject');
    const { result, outcome } = await outcomeOf('PutObject', () => client.putObject('half', 'x'));
    expect(result).toMatchObject({
      status: 503,
      body: expect.stringMatching(/the answer of AWS was lost, and it may have acted/) as unknown,
    });
    expect(atAws('PutObject') - before).toBe(1);
    expect(outcome).toMatchObject({ outcome: 'unknown' });
  });

  it.each([
    ['is reset in its body', { resetAfterBytes: 3 }, 'GetObject'],
    ['is shorter than it says', { lengthOff: 7 }, 'GetCallerIdentity'],
  ] as const)(
    'F-46 an answer that %s: the client sees that it is broken, asked once, the outcome is unknown',
    async (_what, mode, asked) => {
      await cluster.awsFault(asked, { ...mode, times: 1 });
      const before = atAws(asked);
      const { result, outcome } = await outcomeOf(asked, () => (asked === 'GetObject' ? client.getObject('one') : client.whoAmI()));
      expect({ status: result.status, hung: result.tookMs > HANG_MS }).toEqual({ status: 0, hung: false });
      expect(atAws(asked) - before).toBe(1);
      expect(outcome).toMatchObject({ outcome: 'unknown' });
    },
  );

  it('F-46 slow headers: the client leaves after its own timeout, others are served meanwhile, and the log says what became of it', async () => {
    await cluster.awsFault('PutObject', { delayMs: 3_000, times: 1 });
    const load = appLoad(client, { connections: 2 });
    const { result, outcome } = await outcomeOf('PutObject', () => client.putObject('slow', 'x', { withinMs: 1_000 }));
    expect(result.tookMs).toBeLessThan(2_500);
    expect(outcome.outcome).toMatch(/^(?:unknown|answered)$/);
    const answers = await load.stop();
    expect(answers.length).toBeGreaterThan(10);
    expect(answers.filter(({ status, tookMs }) => status !== 200 || tookMs > 1_000)).toEqual([]);
  });

  it('F-45 STS gives out credentials that are expired, last a second, are malformed or of another account: refused in words, never used, not kept, in the log', async () => {
    // A user of their own: the credentials of alice are kept and good.
    await cluster.awsFault('AssumeRole', { creds: 'expired' });
    await stage.user('carol', 'apps');
    const carol = (await stage.endpoint('carol', { isServed: false })).client;
    for (const creds of ['expired', 'one-second', 'malformed', 'other-account'] as const) {
      await cluster.awsFault('AssumeRole', { creds });
      const asked = atAws('AssumeRole');
      const { result, outcome } = await outcomeOf('GetObject', () => carol.getObject('one'));
      expect({ creds, ...result }).toMatchObject({
        status: 503,
        body: expect.stringMatching(new RegExp(`<Error><Code>ServiceUnavailable</Code>.*STS answered for role .*${ROLE} with`)) as unknown,
      });
      expect(outcome).toMatchObject({
        outcome: 'not_sent',
        user: 'carol',
        error: expect.stringMatching(/STS answered for role/) as unknown,
      });
      expect(atAws('AssumeRole')).toBeGreaterThan(asked);
    }
    expect(cluster.rawLog().filter(({ operation, identity }) => operation === 'GetObject' && identity?.sessionName === 'carol')).toEqual(
      [],
    );
    await cluster.awsFault('AssumeRole', undefined);
    expect((await carol.getObject('one')).status).toBe(200);
    await aftermath.check({ client });
  });

  it('F-18 its volume is full: 503 and the reason in the form of each SDK, nothing reaches AWS, it stays in the cluster, and serves within 5 s of there being room', async () => {
    const said = agent.log().length;
    const asks = [() => client.getObject('one'), () => client.whoAmI(), () => client.dynamoDb('ListTables', {})];
    disk.fill(agent);
    // The open segment has its zeros in advance: room for a few hundred intents.
    await until('a request to be refused', 20_000, async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => client.whoAmI()));
      disk.fill(agent);
      return answers.some(({ status }) => status !== 200) || undefined;
    });
    // What auth has taken is deleted, and makes room for some more: the disk is filled again and again.
    const theirs = () => cluster.rawLog().filter(({ operation }) => operation !== 'AssumeRole').length;
    const before = theirs();
    let served = 0;
    const refused = asks.map((): Answer[] => []);
    const fullMs = Date.now();
    while (Date.now() - fullMs < 3_000) {
      for (const [n, ask] of asks.entries()) {
        disk.fill(agent);
        const answer = await ask();
        if (answer.status === 200) served += 1;
        else refused[n]?.push(answer);
      }
    }
    const words = 'the request was not sent: .*the disk on which this agent records requests is full';
    for (const [n, form] of [
      `<Error><Code>ServiceUnavailable</Code><Message>${words}`,
      `<ErrorResponse.*<Code>ServiceUnavailable.*</Code>.*<Message>${words}`,
      `"__type":"[^"]*ServiceUnavailable[^"]*".*${words}`,
    ].entries()) {
      expect(refused[n]?.length).toBeGreaterThan(5);
      for (const { status, body, tookMs } of refused[n] ?? []) {
        expect({ status, body }).toMatchObject({ status: 503, body: expect.stringMatching(new RegExp(form, 's')) as unknown });
        expect(body).not.toMatch(/spool|data_dir|tmp/i);
        expect(tookMs).toBeLessThan(HANG_MS);
      }
    }
    expect(theirs() - before).toBe(served);
    expect(await cluster.mustSh('tsh apps ls')).toContain('aws');
    expect(agent.log().slice(said)).toContain(join(disk.data, 'app-spool'));
    expect(agent.log().slice(said)).not.toContain('tunnel to a proxy');

    disk.makeRoom(agent);
    expect(await stage.recovers(client, 5_000)).toBeLessThan(5_000);
    await aftermath.check({ client });
  });
});
