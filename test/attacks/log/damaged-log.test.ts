import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster } from '@postern/test-harness/cluster.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const cannot = lacking('openssl');
const RECORDS = 40;
/** How many stand in the log once its end is cut off. */
const KEPT = 30;

describe.skipIf(cannot !== undefined)('an audit log that somebody has changed on the disk', () => {
  const cluster = new Cluster();
  let segment = '';
  const path = () => join(cluster.dir, 'auth', 'audit', segment);
  const lines = () => readFileSync(path(), 'utf8').trimEnd().split('\n');
  const verify = () => cluster.sh(`tctl -c ${cluster.authConfig} audit verify`, { person: 'nobody' });
  const verifyJson = async () =>
    JSON.parse((await cluster.sh(`tctl -c ${cluster.authConfig} audit verify -f json`, { person: 'nobody' })).stdout) as unknown;
  /** Auth is down meanwhile, and starts with what it finds. */
  const change = async (how: (lines: readonly string[]) => readonly string[]) => {
    await cluster.authHost?.stop();
    writeFileSync(path(), `${how(lines()).join('\n')}\n`);
    await cluster.startAuthHost().says(/auth has started/);
    await cluster.proxyIsReady();
  };

  beforeAll(async () => {
    await cluster.start();
    segment = readdirSync(join(cluster.dir, 'auth', 'audit')).find((name) => name.endsWith('.jsonl')) ?? '';
    for (let missing = RECORDS - lines().length; missing > 0; missing -= 1)
      await cluster.admin('tctl tokens add --type=proxy --format=text');
    expect(lines().length).toBeGreaterThanOrEqual(RECORDS);
  });
  afterAll(() => cluster.stop());

  it('is intact before', async () => {
    expect(await verify()).toMatchObject({ code: 0, stdout: expect.stringMatching(/intact: \d+ records/) });
  });

  // From its end to its beginning: the first bad record is another one each time.
  it.each([
    // Auth goes on in a new segment, and the gap is seen where that begins.
    ['a truncation', KEPT + 1, /00041\.jsonl:1: records 31 to \d+ are missing/, (all: readonly string[]) => all.slice(0, KEPT)],
    [
      'a reordering',
      20,
      /00001\.jsonl:20: record 20 is missing/,
      (all: readonly string[]) => all.with(19, all[20] ?? '').with(20, all[19] ?? ''),
    ],
    ['a deletion', 12, /00001\.jsonl:12: record 12 is missing/, (all: readonly string[]) => all.toSpliced(11, 1)],
    [
      'an edit',
      5,
      /00001\.jsonl:5: .*was changed/,
      (all: readonly string[]) => all.with(4, (all[4] ?? '').replace(/"success":true/, '"success":false')),
    ],
  ])('AU-05 %s: `tctl audit verify` fails and names the first bad record', async (_, line, named, how) => {
    await change((before) => {
      const after = how(before);
      expect(after).not.toEqual(before);
      return after;
    });
    const told = await verify();
    expect(told.code).toBe(1);
    expect(told.stdout).toContain(`broken after ${line - 1} good records`);
    expect(told.stderr).toMatch(named);
    expect(await verifyJson()).toMatchObject({ ok: false, records: line - 1 });
  });
});
