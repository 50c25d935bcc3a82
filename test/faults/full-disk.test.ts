import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { type Answer, call, getItem, HANG_MS } from '@postern/test-harness/load.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';
import { canMountSmallDisk, SmallDisk } from '#small-disk.ts';

const cannot = lacking('openssl');

describe.skipIf(!canMountSmallDisk || cannot !== undefined)('an agent whose disk is full', () => {
  const stage = new Stage();
  const { cluster } = stage;
  const data = join(cluster.dir, 'small', 'data');
  const disk = new SmallDisk(data);
  let agent: Daemon;
  let port = 0;
  let aftermath: Aftermath;
  const fill = () => disk.fill(agent);

  beforeAll(async () => {
    await stage.open({ apart: true });
    agent = stage.agent('small', { under: disk.under });
    await stage.attached(agent);
    port = (await stage.tunnel()).port;
    aftermath = await Aftermath.before(cluster);
  });
  afterAll(() => cluster.stop());

  it('F-18 refuses requests with 503 and a reason that names nothing of its host, sends none of them, and stays in the cluster', async () => {
    const said = agent.log().length;
    fill();
    // The open segment has its zeros in advance: room for a few hundred intents.
    const refused = await until('a request to be refused', 10_000, async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => getItem(port)));
      fill();
      return answers.find(({ status }) => status !== 200);
    });
    expect(refused).toMatchObject({ status: 503, body: expect.stringContaining('the disk on which this agent records requests is full') });
    // What auth has taken is deleted, and makes room for some more: the disk is filled again and again.
    const before = cluster.dynamoDbAtAws().length;
    let served = 0;
    let told = 0;
    const fullMs = Date.now();
    while (Date.now() - fullMs < 6000) {
      fill();
      const answer = await getItem(port);
      if (answer.status === 200) served += 1;
      else {
        told += 1;
        expect(answer).toMatchObject({ status: 503, body: expect.stringContaining('"__type"') });
        expect(answer.body).not.toMatch(/spool|data|tmp/i);
        expect(answer.tookMs).toBeLessThan(HANG_MS);
      }
      await pause(100);
    }
    expect(told).toBeGreaterThan(10);
    expect(cluster.dynamoDbAtAws()).toHaveLength(before + served);
    expect(await cluster.mustSh('tsh db ls', { person: 'alice' })).toContain(DATABASE);
    const log = agent.log().slice(said);
    expect(log.split('requests cannot be recorded')).toHaveLength(2);
    expect(log).toContain(join(data, 'spool'));
    expect(log).not.toContain('tunnel to a proxy');
  });

  it('F-18 serves requests again within 5 s of there being room, and every request that AWS saw is in the log', async () => {
    disk.makeRoom(agent);
    expect(await stage.recovers(port, 5000)).toBeLessThan(5000);
    await until('the log to say so', 10_000, async () => {
      await getItem(port);
      return agent.log().includes('requests can be recorded again') || undefined;
    });
    await aftermath.check({ port });
  });

  it('F-22 auth away until no more events fit: what cannot be written down is refused and not sent; with auth all of it is there', async () => {
    // Each intent names 25 tables, so that some thousand of them fill the disk.
    const tables = Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`${n}`.padEnd(250, 'x'), { Keys: [{ id: { S: 'one' } }] }]));
    const ask = (): Promise<Answer> => call(port, 'BatchGetItem', { RequestItems: tables }, { agent: kept });
    const kept = new Agent({ keepAlive: true, maxSockets: 20 });
    await cluster.authHost?.stop('SIGKILL');
    const served = new Set<number>();
    const refused = await until('the disk to be full of events', 60_000, async () => {
      const answers = await Promise.all(Array.from({ length: 100 }, ask));
      for (const { status } of answers) served.add(status);
      return answers.find(({ status }) => status === 503);
    });
    // What is not in a table that nobody made is DynamoDB's own answer, and the only other one.
    expect([...served].toSorted((a, b) => a - b)).toEqual([400, 503]);
    expect(refused.body).toContain('the disk on which this agent records requests is full');
    const sent = cluster.dynamoDbAtAws().length;
    expect(await ask()).toMatchObject({ status: 503 });
    expect(cluster.dynamoDbAtAws()).toHaveLength(sent);

    cluster.startAuthHost();
    await stage.recovers(port, 60_000);
    kept.destroy();
    await aftermath.check({ port });
  });
});
