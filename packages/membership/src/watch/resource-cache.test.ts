import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@grpc/grpc-js';
import { caPin } from '@postern/pki';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { enterCluster } from '#member/enter-cluster.ts';
import type { HostMember } from '#member/host-member.ts';
import { heartbeat, put, remove, synced, TestAuth, TOKEN } from '#testing/test-auth.ts';
import { ResourceCache, type ResourceCacheOptions, type ResourceChange } from '#watch/resource-cache.ts';

let auth: TestAuth;
let member: HostMember;
const caches: ResourceCache[] = [];
beforeEach(async () => {
  auth = await TestAuth.start();
  const dir = mkdtempSync(join(tmpdir(), 'watch-'));
  member = await enterCluster({
    authServer: auth.address,
    caPins: [caPin(auth.host.certificatePem)],
    dataDir: dir,
    token: TOKEN,
    role: 'db',
    nodeName: 'n',
    version: '0.1.0',
  });
  return async () => {
    await member.stop();
    await auth.stop();
    rmSync(dir, { recursive: true, force: true });
  };
});
afterEach(async () => {
  for (const cache of caches.splice(0)) await cache.stop();
});

function watch(over: Partial<ResourceCacheOptions> = {}) {
  const cache = new ResourceCache({ client: () => member.client(), kinds: ['role', 'lock'], random: () => 0, ...over });
  caches.push(cache);
  const changes: string[] = [];
  const waiting: { readonly wanted: string; readonly resolve: () => void }[] = [];
  const say = (change: ResourceChange) =>
    change.type === 'put'
      ? `put ${change.resource.kind}/${change.resource.name}@${change.resource.revision}`
      : `delete ${change.kind}/${change.name}`;
  cache.onChange((change) => {
    changes.push(say(change));
    for (const { wanted, resolve } of waiting) if (wanted === changes.at(-1)) resolve();
  });
  const until = (wanted: string) =>
    changes.includes(wanted) ? Promise.resolve() : new Promise<void>((resolve) => waiting.push({ wanted, resolve }));
  return { cache, changes, until };
}

describe('the cache', () => {
  it('holds the whole state once it is complete, then each change', async () => {
    auth.state = [put('role', 'access', '1'), put('lock', 'l1', '2'), synced];
    const { cache, changes, until } = watch();
    expect(cache.ageMs()).toBe(Number.POSITIVE_INFINITY);
    await cache.synced();
    expect(changes).toEqual(['put role/access@1', 'put lock/l1@2']);
    expect(cache.get('role', 'access')).toEqual({
      kind: 'role',
      name: 'access',
      revision: '1',
      json: { kind: 'role', metadata: { name: 'access' } },
    });
    auth.send(put('role', 'access', '3'));
    auth.send(remove('lock', 'l1'));
    await until('delete lock/l1');
    expect(cache.list('role').map(({ revision }) => revision)).toEqual(['3']);
    expect(cache.list('lock')).toEqual([]);
    expect(() => cache.list('user')).toThrow('kind user is not watched here');
  });

  it('counts its age from what it last heard, heartbeats included', async () => {
    let nowMs = 1000;
    auth.state = [synced];
    const { cache, until } = watch({ nowMs: () => nowMs });
    await cache.synced();
    expect(cache).toMatchObject({ syncedAtMs: 1000, lastHeardMs: 1000 });
    nowMs = 61_000;
    expect(cache.ageMs()).toBe(60_000);
    auth.send(heartbeat);
    auth.send(put('role', 'x', '1'));
    await until('put role/x@1');
    expect(cache.ageMs()).toBe(0);
    expect(cache.syncedAtMs).toBe(1000);
  });

  it('keeps what it knows while auth is away, comes back, and notices what went in between', async () => {
    auth.state = [put('role', 'a', '1'), put('role', 'b', '1'), put('lock', 'l', '1'), synced];
    const problems: unknown[] = [];
    const { cache, changes, until } = watch({ onProblem: (error) => problems.push(error) });
    await cache.synced();
    auth.state = [put('role', 'a', '1'), put('role', 'b', '2'), put('role', 'c', '1'), synced];
    auth.cut();
    await until('delete lock/l');
    expect(problems.length).toBeGreaterThan(0);
    expect(cache.list('role').map(({ name, revision }) => `${name}@${revision}`)).toEqual(['a@1', 'b@2', 'c@1']);
    // What did not change is not told again.
    expect(changes.filter((change) => change === 'put role/a@1')).toHaveLength(1);
  });

  it('forgets nothing while the state is told again and is not complete', async () => {
    auth.state = [put('lock', 'l', '1'), synced];
    const { cache, until } = watch();
    await cache.synced();
    auth.state = [put('role', 'new', '1')];
    auth.cut();
    await until('put role/new@1');
    expect(cache.get('lock', 'l')).toBeDefined();
  });

  it('counts a watch without a word for too long as lost', async () => {
    auth.state = [synced];
    let lost: (error: unknown) => void = () => {};
    const problem = new Promise((resolve) => {
      lost = resolve;
    });
    const { cache } = watch({ silenceMs: 200, onProblem: (error) => lost(error) });
    await cache.synced();
    expect(await problem).toMatchObject({ code: 'unavailable', message: 'auth has been silent on the watch for too long' });
  });

  it('waits longer for the word of an auth that has told thousands to take their time', async () => {
    auth.state = [{ ...synced, spreadMs: 800, quietMs: 800 }];
    const lost = Promise.withResolvers<number>();
    const { cache } = watch({ silenceMs: 200, onProblem: () => lost.resolve(performance.now()) });
    await cache.synced();
    const startedMs = performance.now();
    expect((await lost.promise) - startedMs).toBeGreaterThan(1_300);
  });

  it('has the channel given up that was silent, and is told the state over another', async () => {
    auth.state = [synced];
    const silent: Client[] = [];
    const onSilent = () => {
      silent.push(member.client());
      member.redial();
    };
    const { cache, until } = watch({ silenceMs: 300, onSilent });
    await cache.synced();
    expect(cache.spreadMs).toBe(0);
    const first = member.client();
    auth.state = [put('role', 'later', '1'), synced];
    await until('put role/later@1');
    expect(silent[0]).toBe(first);
    expect(member.client()).not.toBe(first);
  });

  it('comes back when its share of the time is over that auth wanted', async () => {
    auth.state = [{ ...synced, spreadMs: 1_200, quietMs: 300 }];
    const { cache, until } = watch({ random: () => 0.5 });
    await cache.synced();
    expect(cache.spreadMs).toBe(1_200);
    expect(cache.quietMs).toBe(300);
    auth.state = [put('role', 'later', '1'), synced];
    const startedMs = performance.now();
    auth.cut();
    await until('put role/later@1');
    expect(performance.now() - startedMs).toBeGreaterThan(590);
  });

  it('takes no more time than there may be at most, whatever auth says', async () => {
    auth.state = [{ ...synced, spreadMs: 2 ** 31 - 1, quietMs: 2 ** 31 - 1 }];
    const { cache, until } = watch({ silenceMs: 1_000 });
    await cache.synced();
    expect([cache.spreadMs, cache.quietMs, cache.patienceMs]).toEqual([45_000, 30_000, 76_000]);
    auth.state = [put('role', 'later', '1'), { ...synced, spreadMs: -1, quietMs: -(2 ** 31) }];
    auth.cut();
    await until('put role/later@1');
    await expect.poll(() => [cache.spreadMs, cache.quietMs, cache.patienceMs]).toEqual([0, 0, 1_000]);
  });

  it('waits for the way to auth, at the least for its share of the time, and stops without either', async () => {
    auth.state = [{ ...synced, spreadMs: 800 }];
    const way = Promise.withResolvers<void>();
    let asked = 0;
    const beforeDial = () => {
      asked += 1;
      return way.promise;
    };
    const { cache, changes, until } = watch({ random: () => 0.5, beforeDial });
    await cache.synced();
    expect(asked).toBe(0);
    auth.state = [put('role', 'later', '1'), synced];
    const startedMs = performance.now();
    auth.cut();
    await expect.poll(() => asked, { timeout: 3_000 }).toBe(1);
    expect(changes).toEqual([]);
    way.resolve();
    await until('put role/later@1');
    expect(performance.now() - startedMs).toBeGreaterThan(390);
    const late = Promise.withResolvers<void>();
    const waiting = watch({ random: () => 0, beforeDial: () => late.promise });
    await waiting.cache.synced();
    auth.state = [put('role', 'last', '1'), synced];
    auth.cut();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(waiting.changes).not.toContain('put role/last@1');
    late.resolve();
    await waiting.until('put role/last@1');
    const never = watch({ beforeDial: () => new Promise(() => undefined) });
    await never.cache.synced();
    auth.cut();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await never.cache.stop();
  });

  it('delivers what is no JSON without its content, so that a lock that cannot be read still counts', async () => {
    auth.state = [put('lock', 'broken', '1', '{not json'), synced];
    const problems: unknown[] = [];
    const { cache } = watch({ onProblem: (error) => problems.push(error) });
    await cache.synced();
    expect(cache.get('lock', 'broken')).toEqual({ kind: 'lock', name: 'broken', revision: '1', json: undefined });
    expect(problems).toEqual([expect.objectContaining({ message: 'lock/broken came as something other than JSON' })]);
  });

  it('survives a listener that throws', async () => {
    auth.state = [put('role', 'a', '1'), synced];
    const problems: unknown[] = [];
    const { cache } = watch({ onProblem: (error) => problems.push(error) });
    cache.onChange(() => {
      throw new Error('listener');
    });
    await cache.synced();
    expect(problems).toHaveLength(1);
  });

  it('ends its wait for the first state where it is stopped or the waiting is given up', async () => {
    auth.state = [];
    const { cache } = watch();
    await expect(cache.synced(AbortSignal.abort())).rejects.toMatchObject({ code: 'unavailable' });
    const waiting = cache.synced();
    await cache.stop();
    await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('holds what auth holds, after any changes and cuts', async () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const act = fc.oneof(
      fc.record({ act: fc.constant('put' as const), name }),
      fc.record({ act: fc.constant('remove' as const), name }),
      fc.constant({ act: 'cut' as const, name: '' }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 12 }), async (acts) => {
        const held = new Map<string, string>();
        let revision = 0;
        const tell = () => {
          auth.state = [...[...held].map(([key, value]) => put('role', key, value)), synced];
        };
        tell();
        const { cache, until } = watch();
        await cache.synced();
        for (const step of acts) {
          if (step.act === 'cut') auth.cut();
          else if (step.act === 'put') {
            held.set(step.name, String(++revision));
            tell();
            auth.send(put('role', step.name, String(revision)));
          } else {
            held.delete(step.name);
            tell();
            auth.send(remove('role', step.name));
          }
        }
        held.set('end', String(++revision));
        tell();
        auth.send(put('role', 'end', String(revision)));
        await until(`put role/end@${revision}`);
        // Behind the last change stands a complete state: after a cut the missing ones are forgotten with SYNCED.
        while (cache.list('role').length !== held.size) await new Promise((resolve) => setTimeout(resolve, 5));
        expect(new Map(cache.list('role').map(({ name: key, revision: value }) => [key, value]))).toEqual(held);
        await cache.stop();
      }),
      { numRuns: 15 },
    );
  });
});
