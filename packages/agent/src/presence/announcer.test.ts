import { AnnounceServersResponse, type AnnounceServersRequest } from '@postern/api';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ANNOUNCE_EVERY_MS, Announcer } from '#presence/announcer.ts';
import type { ServedResource } from '#presence/served-resource.ts';

const db = (name: string, labels: Record<string, string> = {}): ServedResource => ({
  kind: 'db',
  name,
  protocol: 'dynamodb',
  uri: '',
  description: '',
  labels,
  awsRegion: 'us-east-1',
  awsAccountId: '111122223333',
  dynamic: false,
});

let announcer: Announcer | undefined;
afterEach(() => {
  announcer = undefined;
});

function make(
  answer: (request: AnnounceServersRequest) => Promise<AnnounceServersResponse>,
  wanted: () => readonly ServedResource[],
  quietMs = 0,
) {
  const told = { admitted: 0, refused: [] as string[], failed: 0 };
  announcer = new Announcer({
    version: '1.0.0',
    nodeName: 'node',
    announce: answer,
    wanted,
    onAdmitted: () => (told.admitted += 1),
    onRefused: ({ name, reason }) => told.refused.push(`${name}: ${reason}`),
    onFailed: () => (told.failed += 1),
    quietMs: () => quietMs,
    backoff: () => 60_000,
  });
  return { announcer, told };
}

const answerOf = (labels: Record<string, Record<string, string>>, refusals: { name: string; reason: string }[] = []) =>
  AnnounceServersResponse.fromPartial({
    effectiveLabels: Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, { labels: value }])),
    refusals,
  });

describe('an announcement', () => {
  it('is answered with the labels that count, which are not the agent’s own', async () => {
    const { announcer, told } = make(
      () => Promise.resolve(answerOf({ orders: { env: 'prod' } })),
      () => [db('orders', { env: 'dev' })],
    );
    expect(announcer.labelsOf('orders')).toBeUndefined();
    await announcer.announce();
    expect(announcer.labelsOf('orders')).toEqual({ env: 'prod' });
    await announcer.announce();
    expect(told.admitted).toBe(1);
  });

  it('that is refused says so once and serves nothing', async () => {
    const refusals = [{ name: 'orders', reason: 'orders is not a name that this agent may serve' }];
    const { announcer, told } = make(
      () => Promise.resolve(answerOf({ pets: {} }, refusals)),
      () => [db('orders'), db('pets')],
    );
    await announcer.announce();
    await announcer.announce();
    expect(told.refused).toEqual(['orders: orders is not a name that this agent may serve']);
    expect(announcer.labelsOf('orders')).toBeUndefined();
    expect(announcer.labelsOf('pets')).toEqual({});
    expect([...announcer.refusals.keys()]).toEqual(['orders']);
  });

  it('that auth says nothing about admits nothing', async () => {
    const { announcer } = make(
      () => Promise.resolve(answerOf({})),
      () => [db('orders')],
    );
    await announcer.announce();
    expect(announcer.labelsOf('orders')).toBeUndefined();
    expect(announcer.refusals.get('orders')).toMatch(/no labels/);
  });

  it('that fails leaves the last answer standing', async () => {
    let down = false;
    const { announcer, told } = make(
      () => (down ? Promise.reject(new Error('auth is away')) : Promise.resolve(answerOf({ orders: {} }))),
      () => [db('orders')],
    );
    await announcer.announce();
    down = true;
    await announcer.announce();
    expect(told.failed).toBe(1);
    expect(announcer.failing).toBe(true);
    expect(announcer.labelsOf('orders')).toEqual({});
  });

  it('that falls into another one is made again with what is wanted then', async () => {
    const seen: string[][] = [];
    const wanted = [db('orders')];
    let answer: (value: AnnounceServersResponse) => void = () => undefined;
    const { announcer } = make(
      (request) => {
        seen.push(request.servers.map(({ name }) => name));
        return new Promise((resolve) => (answer = resolve));
      },
      () => wanted,
    );
    const first = announcer.announce();
    wanted.push(db('pets'));
    void announcer.announce();
    answer(answerOf({ orders: {} }));
    await new Promise((resolve) => setImmediate(resolve));
    answer(answerOf({ orders: {}, pets: {} }));
    await first;
    expect(seen).toEqual([['orders'], ['orders', 'pets']]);
    expect(announcer.labelsOf('pets')).toEqual({});
    const stopped = announcer.stop();
    await new Promise((resolve) => setImmediate(resolve));
    answer(answerOf({}));
    await stopped;
    expect(seen.at(-1)).toEqual([]);
  });

  it.each([
    [0, ANNOUNCE_EVERY_MS],
    [20_000, ANNOUNCE_EVERY_MS + 100_000],
  ])('says the same again, the less often the quieter auth wants its watchers: %i ms', async (quietMs, everyMs) => {
    vi.useFakeTimers();
    try {
      let announced = 0;
      const { announcer: made } = make(
        () => {
          announced += 1;
          return Promise.resolve(answerOf({ one: {} }));
        },
        () => [db('one')],
        quietMs,
      );
      await made.announce();
      await vi.advanceTimersByTimeAsync(everyMs - 1);
      expect(announced).toBe(1);
      await vi.advanceTimersByTimeAsync(1);
      expect(announced).toBe(2);
      await made.stop();
    } finally {
      vi.useRealTimers();
    }
  });
});
