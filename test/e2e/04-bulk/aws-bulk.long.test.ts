import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { AwsBulkStage, type WayName } from './aws-bulk-stage.ts';
import { contentSha256, uploads } from './bodies.ts';
import { growthOf } from './growth.ts';
import type { Transferred } from './s3-transfer.ts';

const cannot = lacking('openssl', 'nginx');
const MIB = 2 ** 20;
/** The most that S3 takes in one request. */
const BYTES = 5 * 2 ** 30;
/** Before and after, through nginx: a rate needs no more. */
const BESIDE_BYTES = 2 ** 30;
const WARM_BYTES = 64 * MIB;
const MOST_GROWTH_MIB = 96;
/** Of the rate through nginx; see README. Two runs of one thing differ by a tenth. */
const LEAST_SHARE = 0.5;
const RUNS = 3;
const modes = [...Object.entries(uploads), ['download', undefined] as const];

describe.skipIf(cannot !== undefined)('5 GiB to S3 and from it', () => {
  const stage = new AwsBulkStage();

  beforeAll(async () => {
    await stage.open();
    for (const bytes of [BYTES, BESIDE_BYTES, WARM_BYTES]) await stage.object(`of-${bytes}`, bytes);
    // Code is compiled and pools fill: the growth that counts begins after that.
    for (const way of ['nginx', 'endpoint', 'door'] as const) for (const [, body] of modes) await move(way, WARM_BYTES, body);
  });
  afterAll(() => stage.stop());

  /** One transfer, whole at both ends. */
  async function move(way: WayName, bytes: number, body: (typeof modes)[number][1]): Promise<Transferred> {
    const done = await stage.transfer(way, body === undefined ? `of-${bytes}` : 'uploaded', body?.(bytes));
    expect(done, `${done.head}\n${done.body}`).toMatchObject({ status: 200 });
    if (body === undefined) {
      expect(done.bytes).toBe(bytes);
      expect(done.wrongAt).toBeUndefined();
    } else {
      const [last] = stage.cluster.rawLog().slice(-1);
      expect(last).toMatchObject({ operation: 'PutObject', verified: true, bodyBytes: bytes, bodySha256: contentSha256(bytes) });
    }
    return done;
  }
  const rateOf = (bytes: number, ...runs: readonly Transferred[]) =>
    (bytes * runs.length) / MIB / runs.reduce((sum, { seconds }) => sum + seconds, 0);
  const none = (growth: Readonly<Record<string, number>>) => {
    for (const [name, mib] of Object.entries(growth)) expect(mib, `${name} grew`).toBeLessThanOrEqual(MOST_GROWTH_MIB);
  };

  it.each(modes)('%s: whole, held by nobody, at a rate that stands beside that of one hop of nginx', async (name, body) => {
    const shares: number[] = [];
    while (shares.length < RUNS && Math.max(0, ...shares) < LEAST_SHARE) {
      const before = await move('nginx', BESIDE_BYTES, body);
      let done = before;
      const growth = await growthOf(stage.daemons, async () => {
        done = await move('endpoint', BYTES, body);
      });
      const after = await move('nginx', BESIDE_BYTES, body);
      const [ours, nginx] = [rateOf(BYTES, done), rateOf(BESIDE_BYTES, before, after)];
      shares.push(ours / nginx);
      console.info(
        `${name}: ${Math.round(ours)} MiB/s, nginx ${Math.round(nginx)} MiB/s, ${(ours / nginx).toFixed(2)}; growth in MiB ${JSON.stringify(growth)}`,
      );
      none(growth);
    }
    expect(Math.max(...shares)).toBeGreaterThanOrEqual(LEAST_SHARE);
  });

  it.each(modes)('%s: through tsh proxy aws as well', async (_, body) => {
    none(await growthOf(stage.daemons, () => move('door', BESIDE_BYTES, body)));
  });

  it('an upload that AWS refuses at once is answered so, and the rest of it is kept by nobody', async () => {
    await stage.cluster.awsFault('PutObject', { status: 404, code: 'NoSuchBucket' });
    none(
      await growthOf(stage.daemons, async () => {
        const done = await stage.transfer('endpoint', 'refused', { payload: 'UNSIGNED-PAYLOAD', bytes: BYTES });
        expect(done).toMatchObject({ status: 404, body: expect.stringContaining('NoSuchBucket') as unknown });
      }),
    );
    await stage.cluster.awsFault('PutObject', { discard: true });
  });

  it('a client that leaves in the middle leaves nothing behind: AWS has no whole request of his, and nobody keeps the half', async () => {
    const uploaded = () => stage.cluster.rawLog().filter(({ operation }) => operation === 'PutObject');
    const before = uploaded().length;
    none(
      await growthOf(stage.daemons, async () => {
        await stage.transfer('endpoint', 'left', { payload: 'UNSIGNED-PAYLOAD', bytes: BYTES, leavesAfter: BESIDE_BYTES });
        await until('AWS to see the request cut', 10_000, () => (uploaded().length > before ? true : undefined));
      }),
    );
    expect(uploaded().slice(before)).toMatchObject([{ verified: false, refusal: 'IncompleteBody' }]);
  });
});
