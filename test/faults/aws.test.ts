import { appendFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { Chaos, type ChaosLink } from '@postern/test-harness/chaos/chaos.ts';
import { Link } from '@postern/test-harness/chaos/link.ts';
import { auditLines, checkAudit, requestsIn } from '@postern/test-harness/check-audit.ts';
import { ROLE } from '@postern/test-harness/cluster.ts';
import { type Answer, call, getItem, HANG_MS, putItem } from '@postern/test-harness/load.ts';
import { type Daemon, isListening, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';

const cannot = lacking('openssl');

describe.skipIf(cannot !== undefined)('AWS and STS out of order', () => {
  const stage = new Stage();
  const { cluster } = stage;
  let aftermath: Aftermath;
  let aws: ChaosLink;
  let port = 0;
  let one: Daemon;
  /** What the agent dials: a port of this process, which is open or closed, before the link. */
  let door: Link;
  let doorPort = 0;
  const openDoor = async () => {
    door = new Link({ host: '127.0.0.1', port: aws.port });
    doorPort = await door.listen(doorPort);
  };
  const agent = () => stage.agent('one', { env: { AWS_ENDPOINT_URL: `http://127.0.0.1:${doorPort}` } });

  /** How often "AWS" was asked to do it; what an agent sends twice is there twice. */
  const atAws = (operation: string) => cluster.rawLog().filter((seen) => seen.operation === operation).length;
  const outcomes = async () => requestsIn(await auditLines(cluster), 'outcome');
  /** What the log says of the one request that `act` makes. */
  const outcomeOf = async (operation: string, act: () => Promise<Answer>) => {
    const result = await act();
    const outcome = await until('the outcome', 10_000, async () =>
      (await outcomes()).find((line) => line.operation === operation && Date.parse(line.time) >= result.sentMs),
    );
    return { result, outcome };
  };

  beforeAll(async () => {
    await stage.open();
    const chaos = await Chaos.start(cluster);
    aws = await chaos.before(cluster.emulatorPort);
    await openDoor();
    one = agent();
    await stage.attached(one);
    port = (await stage.tunnel()).port;
    aftermath = await Aftermath.before(cluster);
  });
  afterAll(async () => {
    door.close();
    await cluster.stop();
  });

  it.each([500, 503])('F-46 AWS answers %i: the client gets that status and body, and a write is sent once', async (status) => {
    await cluster.awsFault('PutItem', { status, times: 1 });
    const before = atAws('PutItem');
    const { result, outcome } = await outcomeOf('PutItem', () => putItem(port, `refused-${status}`, 'x'));
    expect(result.status).toBe(status);
    expect(result.body).toContain(`answered with ${status} because the emulator was told to`);
    expect(atAws('PutItem') - before).toBe(1);
    expect(outcome).toMatchObject({ outcome: 'answered', status_code: status });
  });

  it.each([
    ['reset before a byte of the answer', { resetAfterBytes: 0 }, 503, /the answer of AWS was lost, and it may have acted/],
    ['reset in mid-body', { resetAfterBytes: 1 }, 0, /./],
    ['a Content-Length that is too large, then FIN', { lengthOff: 7 }, 0, /./],
  ])('F-46 %s: the write is sent once, the client is told, the outcome is unknown', async (_what, mode, status, says) => {
    await cluster.awsFault('PutItem', { ...mode, times: 1 });
    const before = atAws('PutItem');
    const { result, outcome } = await outcomeOf('PutItem', () => putItem(port, 'half', 'x'));
    expect({ status: result.status, tookMs: result.tookMs < HANG_MS }).toEqual({ status, tookMs: true });
    expect(result.body).toMatch(says);
    expect(atAws('PutItem') - before).toBe(1);
    expect(outcome).toMatchObject({ outcome: 'unknown' });
  });

  it('F-46 an answer longer than its Content-Length: nothing of the rest reaches the next request', async () => {
    await cluster.awsFault('GetItem', { lengthOff: -1, times: 1 });
    const cut = await getItem(port);
    expect(cut.body).not.toMatch(/\}.*\}\}/);
    for (let n = 0; n < 5; n += 1) expect(await getItem(port)).toMatchObject({ status: 200, body: '{}' });
  });

  it('F-46 slow headers: the client leaves after its own timeout, and the log says what became of it', async () => {
    // A client that leaves says no more than that it sends nothing more: what AWS answers then is an answer, if a late one.
    for (const [mode, became] of [[{ delayMs: 4_000 }, /^(unknown|answered)$/]] as const) {
      await cluster.awsFault('PutItem', { ...mode, times: 1 });
      const { result, outcome } = await outcomeOf('PutItem', () =>
        call(port, 'PutItem', { TableName: 'faults', Item: { id: { S: 'slow' } } }, { withinMs: 1_000 }),
      );
      expect(result.tookMs).toBeLessThan(2_500);
      expect(outcome.outcome).toMatch(became);
    }
    expect((await getItem(port)).status).toBe(200);
  });

  it('F-46 a slow body: it is passed on whole, and slowly', async () => {
    const value = 'slow '.repeat(1_000);
    expect((await putItem(port, 'slow-body', value)).status).toBe(200);
    aftermath.ledger.item('slow-body', value);
    await aws.set({ mode: 'throttle', way: 'down', bytesPerSecond: 2_500 });
    const slow = await call(port, 'GetItem', { TableName: 'faults', Key: { id: { S: 'slow-body' } } });
    await aws.heal();
    expect({ status: slow.status, item: JSON.parse(slow.body) as unknown }).toEqual({
      status: 200,
      item: { Item: { id: { S: 'slow-body' }, value: { S: value } } },
    });
    // AWS was slow, or the case has tried nothing.
    expect(slow.tookMs).toBeGreaterThan(1_500);
  });

  it('F-46 a body that stops half-way: the client leaves after its own timeout, others are served, and the outcome is unknown', async () => {
    await cluster.awsFault('UpdateItem', { stallAfterBytes: 20, times: 1 });
    const before = atAws('UpdateItem');
    const { outcome } = await outcomeOf('UpdateItem', async () => {
      const AttributeUpdates = { value: { Value: { S: 'x'.repeat(100) } } };
      const input = { TableName: 'faults', Key: { id: { S: 'stops' } }, AttributeUpdates, ReturnValues: 'ALL_NEW' };
      const left = await call(port, 'UpdateItem', input, { withinMs: 1_000 });
      expect({ status: left.status, tookMs: left.tookMs < 2_500 }).toEqual({ status: 0, tookMs: true });
      expect((await getItem(port)).status).toBe(200);
      // A client that leaves may still read: it is AWS's end that ends the request.
      await aws.set({ mode: 'reset', connections: 'existing' });
      await aws.heal();
      return left;
    });
    expect(outcome).toMatchObject({ outcome: 'unknown' });
    expect(atAws('UpdateItem') - before).toBe(1);
    expect((await getItem(port)).status).toBe(200);
  });

  it.each([
    {
      how: 'refuses connections',
      begin: async () => {
        door.close();
        expect(await isListening(doorPort)).toBe(false);
      },
      end: () => openDoor(),
      error: /ECONNREFUSED/,
      became: 'not_sent',
    },
    {
      how: 'resets connections',
      begin: () => aws.set({ mode: 'reset' }),
      end: () => aws.heal(),
      error: /./,
      became: 'unknown',
    },
  ])('F-44 AWS’s host $how: 503 in AWS’s words at once, nothing reaches AWS, and back with it', async ({ begin, end, error, became }) => {
    const before = atAws('PutItem');
    await begin();
    const { result, outcome } = await outcomeOf('PutItem', () => putItem(port, 'nowhere', 'x'));
    expect(result).toMatchObject({ status: 503, body: expect.stringContaining('"__type"') as unknown });
    expect(result.tookMs).toBeLessThan(5_000);
    expect(outcome).toMatchObject({ outcome: became, error: expect.stringMatching(error) as unknown });
    expect(atAws('PutItem')).toBe(before);
    await end();
    expect(await stage.recovers(port, 5_000)).toBeLessThan(5_000);
  });

  it('F-44 AWS’s host is swallowed by the network: a client with a timeout of its own is not held, others go on when it heals', async () => {
    await aws.set({ mode: 'blackhole', way: 'down' });
    const lost = await call(port, 'GetItem', { TableName: 'faults', Key: { id: { S: 'one' } } }, { withinMs: 1_000 });
    expect(lost).toMatchObject({ status: 0 });
    await aws.heal();
    expect(await stage.recovers(port, 5_000)).toBeLessThan(5_000);
  });

  it.each(['expired', 'one-second', 'malformed', 'other-account'] as const)(
    'F-45 STS gives out credentials that are %s: refused in words, never used, not kept, and in the audit log',
    async (creds) => {
      // A role and a user of their own: the credentials of alice are kept and good.
      const person = `sts-${creds}`;
      await stage.user(person, 'dynamo');
      await cluster.awsFault('AssumeRole', { creds });
      const opened = await cluster.openTunnel(person);
      const asked = atAws('AssumeRole');
      const before = atAws('GetItem');
      const { result, outcome } = await outcomeOf('GetItem', () => getItem(opened.port));
      expect(result).toMatchObject({
        status: 503,
        body: expect.stringMatching(new RegExp(`STS answered for role .*${ROLE} with`)) as unknown,
      });
      expect(outcome).toMatchObject({ outcome: 'not_sent', error: expect.stringMatching(/STS answered for role/) as unknown });
      expect(atAws('GetItem')).toBe(before);
      expect(atAws('AssumeRole')).toBeGreaterThan(asked);
      await cluster.awsFault('AssumeRole', undefined);
      expect((await getItem(opened.port)).status).toBe(200);
      await opened.daemon.stop();
    },
  );

  it('F-07 the agent killed with credentials of STS in its memory: none of them is on its disk, and they are had anew after the restart', async () => {
    const keyIds = new Set(
      cluster.rawLog().flatMap(({ identity }) => (identity?.accessKeyId?.startsWith('ASIA') ? [identity.accessKeyId] : [])),
    );
    expect(keyIds.size).toBeGreaterThan(0);
    expect((await getItem(port)).status).toBe(200);
    await one.stop('SIGKILL');
    const { stdout, code } = await cluster.sh(`grep -rlE '${[...keyIds].join('|')}' one auth one.log auth-host.log`);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    const asked = atAws('AssumeRole');
    await stage.attached(agent(), one.log().length);
    await stage.recovers(port, 10_000);
    expect(atAws('AssumeRole')).toBeGreaterThan(asked);
  });

  it('after all of it the log is whole, and a request that is not in it would be found', async () => {
    await aftermath.check({ port });
    appendFileSync(
      cluster.rawLogFile,
      `${JSON.stringify({ time: new Date().toISOString(), requestId: 'FORGED', service: 'dynamodb', operation: 'DeleteTable' })}\n`,
    );
    await expect(checkAudit(cluster, { withinMs: 0 })).rejects.toThrow(/DeleteTable FORGED reached AWS at .* and is not in the log/);
    aftermath.ledger.resource('users', 'nobody-made-me');
    expect(await aftermath.ledger.lost(cluster)).toEqual(['users/nobody-made-me was acknowledged and is gone']);
  });
});
