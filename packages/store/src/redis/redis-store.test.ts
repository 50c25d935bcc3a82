import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeStore } from '#conformance/describe-store.ts';
import { openRedisStore } from '#redis/open-redis-store.ts';
import { missingRedis, type SpawnedRedis, spawnRedis } from '#redis/spawn-redis.ts';
import { type Store, StoreError } from '#store.ts';

const missing = missingRedis();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

const clusterId = 'cluster-1';
const nowMs = Date.now;

describe.skipIf(missing !== undefined)('redis', () => {
  describeStore('redis', async () => {
    const redis = await spawnRedis();
    const clock = { nowMs: Date.UTC(2030, 0, 1) };
    return {
      clock,
      open: () => openRedisStore({ url: redis.url, clusterId, nowMs: () => clock.nowMs, sweepEveryMs: 50 }),
      discard: () => redis.discard(),
    };
  });

  describe('settings', () => {
    let redis: SpawnedRedis;
    const opened: Store[] = [];
    const open = async (more: Partial<Parameters<typeof openRedisStore>[0]> = {}): Promise<Store> => {
      const store = await openRedisStore({ url: redis.url, clusterId, nowMs, ...more });
      opened.push(store);
      return store;
    };
    afterEach(async () => {
      for (const store of opened.splice(0)) await store.close();
      await redis.discard();
    });

    it.each([
      ['appendfsync', 'everysec', 'config set appendfsync always'],
      ['appendfsync', 'no', 'config set appendfsync always'],
      ['appendonly', 'no', 'config set appendonly yes'],
      ['no-appendfsync-on-rewrite', 'yes', 'config set no-appendfsync-on-rewrite no'],
      ['maxmemory-policy', 'allkeys-lru', 'config set maxmemory-policy noeviction'],
      ['maxmemory-policy', 'volatile-ttl', 'config set maxmemory-policy noeviction'],
    ])('refuses %s %s and says what mends it; mended, it opens', async (name, value, command) => {
      redis = await spawnRedis({ settings: [`--${name}`, value] });
      const refused = await open().catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'unsafe' });
      expect((refused as StoreError).message).toContain(`${name} ${value}`);
      expect((refused as StoreError).message).toContain(command);
      const words = command.split(' ');
      await redis.admin.config('SET', words[2] ?? '', words[3] ?? '');
      expect((await (await open()).put('k', 'v')).value).toBe('v');
    });

    it('refuses a replica', async () => {
      const primary = await spawnRedis();
      try {
        redis = await spawnRedis({ settings: ['--replicaof', '127.0.0.1', `${primary.port}`] });
        await expect(open()).rejects.toMatchObject({ code: 'unsafe', message: expect.stringContaining('primary') });
      } finally {
        await primary.discard();
      }
    });

    it('refuses a server whose settings may not be read', async () => {
      redis = await spawnRedis();
      await redis.admin.call('ACL', 'SETUSER', 'auth', 'on', '>secret-word', '~*', '+@all', '-config');
      const url = `redis://auth:secret-word@127.0.0.1:${redis.port}`;
      const refused = await open({ url }).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'unsafe', message: expect.stringContaining('acl setuser') });
      expect(JSON.stringify(refused) + String(refused)).not.toContain('secret-word');
    });

    it('notices settings that become unsafe while it is open, and that they were mended', async () => {
      redis = await spawnRedis();
      const store = await open({ checkEveryMs: 30 });
      await store.put('k', 'v');
      await redis.admin.config('SET', 'appendfsync', 'everysec');
      await expect.poll(() => store.put('k', 'w').catch((error: StoreError) => error.code)).toBe('unsafe');
      await redis.admin.config('SET', 'appendfsync', 'always');
      await expect.poll(() => store.put('k', 'x').then((entry) => entry.value, String)).toBe('x');
    });

    it('refuses another cluster, and names both', async () => {
      redis = await spawnRedis();
      await open();
      const refusal = { code: 'unsafe', message: expect.stringMatching(/cluster-1.*cluster-2/) };
      await expect(open({ clusterId: 'cluster-2' })).rejects.toMatchObject(refusal);
    });

    it('refuses an empty server where a cluster is expected, and begins a new one where none is', async () => {
      redis = await spawnRedis();
      await expect(open({ expectExisting: true })).rejects.toMatchObject({ code: 'unsafe', message: expect.stringContaining('empty') });
      await open();
      await (await open({ expectExisting: true })).put('k', 'v');
    });

    it('refuses data without a marker', async () => {
      redis = await spawnRedis();
      await (await open()).put('k', 'v');
      await redis.admin.del('{postern}:cluster', '{postern}:marker');
      await expect(open()).rejects.toMatchObject({ code: 'unsafe', message: expect.stringContaining('without the marker') });
    });

    it('answers nothing after FLUSHALL while it is open: an absent lock must not read as no lock', async () => {
      redis = await spawnRedis();
      const store = await open({ checkEveryMs: 60_000 });
      await store.put('locks/1', 'alice');
      await redis.admin.flushall();
      for (const asked of [
        () => store.get('locks/1'),
        () => store.list('locks/'),
        () => store.put('locks/2', 'x'),
        () => store.delete('locks/1'),
      ]) {
        await expect(asked()).rejects.toMatchObject({ code: 'unsafe', message: expect.stringContaining('lost the data') });
      }
      expect(await redis.admin.dbsize()).toBe(0);
    });
  });

  describe('what this host remembers', () => {
    let redis: SpawnedRedis;
    let dir: string;
    beforeEach(async () => {
      dir = mkdtempSync(join(tmpdir(), 'postern-fence-'));
      redis = await spawnRedis();
    });
    afterEach(async () => {
      await redis.discard();
      rmSync(dir, { recursive: true });
    });
    const open = (): Promise<Store> => openRedisStore({ url: redis.url, clusterId, nowMs, fencePath: join(dir, 'redis-fence.json') });

    it('tells an emptied server from a new one', async () => {
      await (await open()).close();
      await redis.admin.flushall();
      await expect(open()).rejects.toMatchObject({ code: 'unsafe', message: expect.stringContaining('lost the data') });
    });

    it('tells a server that went back in time, and opens once that is accepted', async () => {
      const first = await open();
      for (let i = 0; i < 5; i++) await first.put('k', `${i}`);
      await first.close();
      await redis.admin.set('{postern}:revision', '2');
      await expect(open()).rejects.toMatchObject({ code: 'unsafe', message: expect.stringContaining('from revision 5 to 2') });
      rmSync(join(dir, 'redis-fence.json'));
      await (await open()).close();
    });

    it('is refused where it is damaged or of another cluster', async () => {
      writeFileSync(join(dir, 'redis-fence.json'), '{');
      await expect(open()).rejects.toMatchObject({ code: 'unsafe', message: expect.stringContaining('damaged') });
      writeFileSync(join(dir, 'redis-fence.json'), '{"clusterId":"other","revision":1}');
      await expect(open()).rejects.toMatchObject({ code: 'unsafe', message: expect.stringContaining('remembers cluster other') });
    });
  });

  describe('a server that goes away', () => {
    it('is told at once where it never was', async () => {
      const redis = await spawnRedis();
      await redis.discard();
      await expect(openRedisStore({ url: redis.url, clusterId, nowMs })).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining(`${redis.port}`),
      });
    });

    it('holds every acknowledged write after kill -9, and the store and its watchers go on', async () => {
      let redis = await spawnRedis();
      const store = await openRedisStore({ url: redis.url, clusterId, nowMs });
      const stop = new AbortController();
      const seen: string[] = [];
      const watching = (async () => {
        for await (const event of store.watch('k/', { signal: stop.signal })) if (event.type === 'put') seen.push(event.entry.key);
      })();
      const acknowledged: string[] = [];
      const outcomes: string[] = [];
      let i = 0;
      const write = async (): Promise<void> => {
        const key = `k/${i++}`;
        try {
          await store.create(key, 'x');
          acknowledged.push(key);
        } catch (error) {
          outcomes.push(error instanceof StoreError ? error.code : String(error));
        }
      };
      while (acknowledged.length < 100) await write();
      const killed = redis.kill();
      await Promise.all(Array.from({ length: 20 }, write));
      await killed;
      redis = await spawnRedis({ port: redis.port, dir: redis.dir });
      const before = acknowledged.length;
      await expect.poll(() => write().then(() => acknowledged.length), { timeout: 10_000 }).toBeGreaterThan(before);
      expect(outcomes.filter((code) => code !== 'unavailable')).toEqual([]);
      const present = (await store.list('k/')).map((entry) => entry.key);
      expect(acknowledged.filter((key) => !present.includes(key))).toEqual([]);
      await expect.poll(() => new Set(seen), { timeout: 10_000 }).toEqual(new Set(present));
      expect(seen).toHaveLength(present.length);
      stop.abort();
      await watching;
      await store.close();
      await redis.discard();
    }, 30_000);

    it('is noticed within 15 s when it is silent, and used again when it is back', async () => {
      const redis = await spawnRedis();
      const store = await openRedisStore({ url: redis.url, clusterId, nowMs });
      await store.put('k', 'v');
      redis.process.kill('SIGSTOP');
      const begun = performance.now();
      await expect(store.get('k')).rejects.toMatchObject({ code: 'unavailable' });
      expect(performance.now() - begun).toBeLessThan(15_000);
      redis.process.kill('SIGCONT');
      await expect.poll(() => store.get('k').then((entry) => entry?.value, String), { timeout: 5000 }).toBe('v');
      await store.close();
      await redis.discard();
    }, 30_000);

    it('refuses writes at its memory limit and still answers reads', async () => {
      const redis = await spawnRedis();
      const store = await openRedisStore({ url: redis.url, clusterId, nowMs, checkEveryMs: 30 });
      await store.put('k', 'v');
      await redis.admin.config('SET', 'maxmemory', '1mb');
      await expect(store.put('k', 'w')).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('memory limit') });
      expect((await store.get('k'))?.value).toBe('v');
      await store.close();
      await redis.discard();
    });

    it('ends a watcher that missed trimmed events instead of passing over them', async () => {
      const redis = await spawnRedis();
      const store = await openRedisStore({ url: redis.url, clusterId, nowMs });
      const stop = new AbortController();
      const watch = store.watch('k/', { signal: stop.signal })[Symbol.asyncIterator]();
      expect((await watch.next()).value).toEqual({ type: 'synced' });
      await store.put('k/1', 'x');
      expect((await watch.next()).value).toMatchObject({ type: 'put' });
      // As after a long absence: events 2 and 3 were made and trimmed before this reader came to them.
      await redis.admin.multi().set('{postern}:revision', '3').xadd('{postern}:events', '4-0', 'put', 'k/2', 'entry', '4::x').exec();
      await expect(watch.next()).rejects.toMatchObject({ code: 'behind' });
      await store.close();
      await redis.discard();
    });
  });
});
