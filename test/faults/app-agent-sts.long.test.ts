import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aftermath } from '@postern/test-harness/aftermath.ts';
import { AppStage } from '@postern/test-harness/app-stage.ts';
import type { EndpointClient } from '@postern/test-harness/endpoint-client.ts';
import type { Answer } from '@postern/test-harness/load.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Clocks } from '#clocks.ts';

const cannot = lacking('openssl', 'faketime');
const MINUTE_MS = 60_000;
/**
 * Auth is heard every ten seconds by a clock that nobody moves, and after half an hour without a word of auth an agent lets nobody in: a
 * minute takes no less than this.
 */
const MINUTE_TAKES_MS = 400;

describe.skipIf(cannot !== undefined)('an outage of STS, with the clock of the whole world moved on', () => {
  const stage = new AppStage();
  const { cluster } = stage;
  const clocks = new Clocks(cluster);
  let minute = 0;
  let aftermath: Aftermath;
  let client: EndpointClient;

  const assumed = () => cluster.rawLog().filter(({ operation }) => operation === 'AssumeRole').length;
  const keysInUse = () => cluster.rawLog().findLast(({ operation }) => operation === 'GetCallerIdentity')?.identity?.accessKeyId;
  /** It is so many minutes after the start, for everybody; what small requests of each service are answered then. */
  const at = async (minutes: number): Promise<readonly Answer[]> => {
    await pause((minutes - minute) * MINUTE_TAKES_MS);
    minute = minutes;
    clocks.set('world', `+${minutes}m`);
    const answers = [await client.getObject('one'), await client.dynamoDb('ListTables', {}), await client.whoAmI()];
    return answers;
  };
  const served = async (minutes: number) => {
    const failed = (await at(minutes)).filter(({ status }) => status !== 200);
    expect(failed.map(({ status, body }) => `at ${minutes} min: ${status} ${body}`)).toEqual([]);
  };
  beforeAll(async () => {
    cluster.everywhere = clocks.envOf('world');
    await stage.open();
    await stage.attached(stage.agent('one'));
    ({ client } = await stage.endpoint('alice', { nowMs: () => Date.now() + minute * MINUTE_MS }));
    aftermath = await Aftermath.before(cluster);
  });
  afterAll(() => cluster.stop());

  it('F-45 ten minutes in which STS answers nobody, while an hour’s credentials come to be renewed: no request fails, and they are renewed after', async () => {
    for (let minutes = 0; minutes <= 42; minutes += 3) await served(minutes);
    expect(assumed()).toBe(1);
    const old = keysInUse();

    await cluster.awsFault('AssumeRole', { status: 503 });
    for (let minutes = 43; minutes <= 53; minutes += 1) await served(minutes);
    // They were to be renewed, and could not be.
    expect(assumed()).toBeGreaterThan(1);
    expect(keysInUse()).toBe(old);

    await cluster.awsFault('AssumeRole', undefined);
    for (let minutes = 54; minutes <= 58; minutes += 1) await served(minutes);
    expect(keysInUse()).not.toBe(old);
    await aftermath.check({ client });
  });
});
