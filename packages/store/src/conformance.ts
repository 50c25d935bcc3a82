import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Entry, type Operation, type Store, StoreError, type StoreEvent } from '#store.ts';

/** A store to be tried, with a clock that the test moves by hand. */
export interface StoreUnderTest {
  readonly open: () => Promise<Store>;
  readonly clock: { nowMs: number };
  readonly discard: () => Promise<void>;
}

const codeOf = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise;
    return 'resolved';
  } catch (error) {
    return error instanceof StoreError ? error.code : error;
  }
};

/** What every Store promises; one call per implementation. */
export function describeStore(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} keeps what every store promises`, () => {
    let under: StoreUnderTest;
    let store: Store;
    let stop: AbortController;
    beforeEach(async () => {
      under = await make();
      store = await under.open();
      stop = new AbortController();
    });
    afterEach(async () => {
      stop.abort();
      await store.close();
      await under.discard();
    });

    const collect = (prefix: string, until: (events: StoreEvent[]) => boolean): Promise<StoreEvent[]> => {
      const events: StoreEvent[] = [];
      const run = async (): Promise<StoreEvent[]> => {
        for await (const event of store.watch(prefix, { signal: stop.signal })) {
          events.push(event);
          if (until(events)) break;
        }
        return events;
      };
      return run();
    };

    it('creates once and refuses the second time', async () => {
      const entry = await store.create('roles/access', '{"a":1}');
      expect(await store.get('roles/access')).toEqual(entry);
      expect(await codeOf(store.create('roles/access', 'other'))).toBe('exists');
      expect((await store.get('roles/access'))?.value).toBe('{"a":1}');
    });

    it('keeps values byte for byte, with any character that unicode has', async () => {
      const value = 'line\nbreak \0 \u{1F600} "quoted" ' + 'x'.repeat(100_000);
      await store.put('a/1', value);
      expect((await store.get('a/1'))?.value).toBe(value);
      await store.put('a/2', '');
      expect((await store.get('a/2'))?.value).toBe('');
    });

    it('takes a value at the limit and refuses one byte more', async () => {
      const most = 'x'.repeat(1024 * 1024);
      expect((await store.put('a/big', most)).value).toHaveLength(most.length);
      expect(await codeOf(store.put('a/big', `${most}x`))).toBeInstanceOf(RangeError);
      const longKey = 'k'.repeat(1024);
      expect((await store.put(longKey, '')).key).toBe(longKey);
      expect(await codeOf(store.put(`${longKey}k`, ''))).toBeInstanceOf(RangeError);
    });

    it('takes a batch at the limit and refuses one operation more', async () => {
      const batch = Array.from({ length: 1000 }, (_, i): Operation => ({ kind: 'put', key: `batch/${i}`, value: '' }));
      expect(await store.atomically(batch)).toHaveLength(1000);
      expect(await codeOf(store.atomically([...batch, { kind: 'put', key: 'one', value: '' }]))).toBeInstanceOf(RangeError);
    });

    it.each(['', '/', 'a//b', 'a/', '/a', 'a\0b', 'a\u{10FFFF}', '\uD800'])('refuses the key %j', async (key) => {
      expect(await codeOf(store.put(key, 'v'))).toBeInstanceOf(RangeError);
      expect(await codeOf(store.get(key))).toBeInstanceOf(RangeError);
    });

    it('updates at the expected revision and at no other', async () => {
      const first = await store.create('k', '1');
      const second = await store.update('k', '2', first.revision);
      expect(second.revision).not.toBe(first.revision);
      expect(await codeOf(store.update('k', '3', first.revision))).toBe('conflict');
      expect(await codeOf(store.update('k', '3', 'nonsense'))).toBe('conflict');
      expect(await codeOf(store.update('none', '3', first.revision))).toBe('absent');
      expect((await store.get('k'))?.value).toBe('2');
    });

    it('deletes, says whether there was something, and refuses at another revision', async () => {
      const first = await store.create('k', '1');
      await store.put('k', '2');
      expect(await codeOf(store.delete('k', first.revision))).toBe('conflict');
      expect(await store.delete('k')).toBe(true);
      expect(await store.delete('k')).toBe(false);
      expect(await store.delete('k', first.revision)).toBe(false);
      expect(await store.get('k')).toBeUndefined();
    });

    it('never uses a revision again, not even for a key deleted and made anew or after a restart', async () => {
      const seen = new Set<string>();
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 5; i++) {
          seen.add((await store.put('k', `${i}`)).revision);
          await store.delete('k');
          seen.add((await store.create('k', `${i}`)).revision);
        }
        await store.close();
        store = await under.open();
      }
      expect(seen.size).toBe(30);
    });

    it('keeps everything over a restart', async () => {
      const entry = await store.put('users/alice', 'v', { expiresMs: under.clock.nowMs + 60_000 });
      await store.close();
      store = await under.open();
      expect(await store.get('users/alice')).toEqual(entry);
    });

    it('lists a prefix in key order, in pages, and nothing beside it', async () => {
      const keys = ['a', 'roles/a', 'roles/a/b', 'roles/b', 'roles/é', 'roles/\u{FFFD}', 'roles/\u{1F600}', 'roles0', 'role'];
      for (const key of keys.toReversed()) await store.put(key, key);
      const inOrder = (list: readonly Entry[]): string[] => list.map((entry) => entry.key);
      const expected = keys.filter((key) => key.startsWith('roles/')).sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
      expect(inOrder(await store.list('roles/'))).toEqual(expected);
      expect(inOrder(await store.list('roles/', { limit: 2 }))).toEqual(expected.slice(0, 2));
      expect(inOrder(await store.list('roles/', { after: expected[1] ?? '', limit: 2 }))).toEqual(expected.slice(2, 4));
      expect(await store.list('')).toHaveLength(keys.length);
      expect(await store.list('nothing/')).toEqual([]);
    });

    it('lists more entries than fit a page of its own', async () => {
      const batch = Array.from(
        { length: 1000 },
        (_, i): Operation => ({ kind: 'put', key: `many/${String(i).padStart(5, '0')}`, value: `${i}` }),
      );
      await store.atomically(batch);
      const all = await store.list('many/');
      expect(all.map((entry) => entry.value)).toEqual(batch.map((_, i) => `${i}`));
      expect(await store.list('many/', { limit: 700 })).toHaveLength(700);
    });

    it('lets exactly one of fifty parallel updates of one revision win', async () => {
      const first = await store.create('token', 'fresh');
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, i) => codeOf(store.update('token', `used by ${i}`, first.revision))),
      );
      expect(outcomes.filter((outcome) => outcome === 'resolved')).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'conflict')).toHaveLength(49);
    });

    it('lets exactly one of fifty parallel creates win', async () => {
      const outcomes = await Promise.all(Array.from({ length: 50 }, () => codeOf(store.create('invite', 'x'))));
      expect(outcomes.filter((outcome) => outcome === 'resolved')).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'exists')).toHaveLength(49);
    });

    it('applies a batch whole', async () => {
      const kept = await store.create('kept', '1');
      const results = await store.atomically([
        { kind: 'check', key: 'kept', expectedRevision: kept.revision },
        { kind: 'check', key: 'new', expectedRevision: undefined },
        { kind: 'create', key: 'new', value: 'a' },
        { kind: 'update', key: 'kept', value: '2', expectedRevision: kept.revision },
        { kind: 'delete', key: 'absent' },
      ]);
      expect(results.map((entry) => entry?.value)).toEqual([undefined, undefined, 'a', '2', undefined]);
      expect((await store.get('kept'))?.revision).toBe(results[3]?.revision);
    });

    it('sees within a batch what the batch did before', async () => {
      const outcome = store.atomically([
        { kind: 'create', key: 'k', value: '1' },
        { kind: 'delete', key: 'k' },
        { kind: 'create', key: 'k', value: '2' },
      ]);
      expect((await outcome)[2]?.value).toBe('2');
      expect((await store.get('k'))?.value).toBe('2');
    });

    it.each([
      ['exists', { kind: 'create', key: 'there', value: 'x' }],
      ['absent', { kind: 'update', key: 'missing', value: 'x', expectedRevision: '1' }],
      ['conflict', { kind: 'update', key: 'there', value: 'x', expectedRevision: '0' }],
      ['conflict', { kind: 'delete', key: 'there', expectedRevision: '0' }],
      ['conflict', { kind: 'check', key: 'there', expectedRevision: undefined }],
      ['conflict', { kind: 'check', key: 'missing', expectedRevision: '1' }],
    ] as const)('leaves nothing of a batch whose second operation fails with %s, and names it', async (code, failing) => {
      const there = await store.create('there', '1');
      const batch: Operation[] = [{ kind: 'put', key: 'before', value: 'x' }, failing, { kind: 'put', key: 'after', value: 'x' }];
      await expect(store.atomically(batch)).rejects.toMatchObject({ code, index: 1 });
      expect(await store.list('')).toEqual([there]);
    });

    it('moves money between two keys without ever losing any, under racing batches', async () => {
      await store.put('account/a', '100');
      await store.put('account/b', '0');
      const move = async (): Promise<void> => {
        for (;;) {
          const [a, b] = await Promise.all([store.get('account/a'), store.get('account/b')]);
          if (a === undefined || b === undefined) throw new Error('an account is gone');
          const outcome = await codeOf(
            store.atomically([
              { kind: 'update', key: 'account/a', value: `${Number(a.value) - 1}`, expectedRevision: a.revision },
              { kind: 'update', key: 'account/b', value: `${Number(b.value) + 1}`, expectedRevision: b.revision },
            ]),
          );
          if (outcome === 'resolved') return;
          expect(outcome).toBe('conflict');
        }
      };
      await Promise.all(Array.from({ length: 10 }, move));
      expect((await store.list('account/')).map((entry) => entry.value)).toEqual(['90', '10']);
    });

    it('hides an entry from its expiry on, and lets its key be created again', async () => {
      await store.put('lock/1', 'x', { expiresMs: under.clock.nowMs + 1000 });
      under.clock.nowMs += 999;
      expect(await store.get('lock/1')).toBeDefined();
      under.clock.nowMs += 1;
      expect(await store.get('lock/1')).toBeUndefined();
      expect(await store.list('lock/')).toEqual([]);
      expect(await store.delete('lock/1')).toBe(false);
      expect((await store.create('lock/1', 'again')).value).toBe('again');
      expect((await store.get('lock/1'))?.expiresMs).toBeUndefined();
    });

    it('tells watchers of an expiry', async () => {
      await store.put('lock/1', 'x', { expiresMs: under.clock.nowMs + 1000 });
      const watching = collect('lock/', (events) => events.at(-1)?.type === 'delete');
      await store.put('lock/2', 'stays', { expiresMs: under.clock.nowMs + 100_000 });
      under.clock.nowMs += 1000;
      expect((await watching).at(-1)).toEqual({ type: 'delete', key: 'lock/1' });
      expect((await store.list('lock/')).map((entry) => entry.key)).toEqual(['lock/2']);
    });

    it('watches the state first, then each change in commit order, of its prefix alone', async () => {
      const before = await store.put('roles/a', '1');
      await store.put('users/a', '1');
      const events: StoreEvent[] = [];
      const synced = Promise.withResolvers<void>();
      const done = Promise.withResolvers<void>();
      const run = async (): Promise<void> => {
        for await (const event of store.watch('roles/', { signal: stop.signal })) {
          events.push(event);
          if (event.type === 'synced') synced.resolve();
          if (event.type === 'delete') break;
        }
        done.resolve();
      };
      void run();
      await synced.promise;
      const second = await store.put('roles/b', '2');
      await store.put('users/b', '2');
      const third = await store.update('roles/a', '3', before.revision);
      await store.delete('roles/b');
      await done.promise;
      expect(events).toEqual([
        { type: 'put', entry: before },
        { type: 'synced' },
        { type: 'put', entry: second },
        { type: 'put', entry: third },
        { type: 'delete', key: 'roles/b' },
      ]);
    });

    it('loses no event and tells none twice while many write during the snapshot', async () => {
      const seeds = Array.from({ length: 900 }, (_, i): Operation => ({ kind: 'put', key: `load/${i}`, value: '0' }));
      await store.atomically(seeds);
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        for (let i = 0; i < 60; i++) {
          const key = `load/${(writer * 131 + i * 17) % 900}`;
          if (i % 7 === 3) await store.delete(key);
          else await store.put(key, `${writer}-${i}`);
        }
      });
      const watchers = [0, 1, 2].map(async (delay) => {
        for (let i = 0; i < delay * 5; i++) await store.get('load/1');
        const state = new Map<string, Entry>();
        const revisions: number[] = [];
        let synced = false;
        for await (const event of store.watch('load/', { signal: stop.signal })) {
          if (event.type === 'synced') synced = true;
          else if (event.type === 'delete') {
            if (event.key === 'load/end') break;
            expect(state.delete(event.key), `${event.key} deleted twice`).toBe(true);
          } else {
            if (synced) revisions.push(Number(event.entry.revision));
            else expect(state.has(event.entry.key)).toBe(false);
            state.set(event.entry.key, event.entry);
          }
        }
        state.delete('load/end');
        return { state, revisions };
      });
      await Promise.all(writers);
      await store.put('load/end', '');
      const expected = (await store.list('load/')).filter((entry) => entry.key !== 'load/end');
      // The sentinel is deleted until each watcher has seen it: a watcher that starts late finds it in its snapshot or not at all.
      const ended = Promise.all(watchers);
      const finished = new AbortController();
      const finish = (): void => finished.abort();
      void ended.then(finish, finish);
      while (!finished.signal.aborted) {
        await store.delete('load/end');
        await store.put('load/end', '');
      }
      for (const { state, revisions } of await ended) {
        expect([...state.values()].sort((x, y) => Buffer.compare(Buffer.from(x.key), Buffer.from(y.key)))).toEqual(expected);
        expect(revisions).toEqual([...new Set(revisions)].sort((x, y) => x - y));
      }
    });

    it('ends a watcher that falls too far behind with an error, and serves the others', async () => {
      const slow = store.watch('k/', { signal: stop.signal, maxBehind: 3 })[Symbol.asyncIterator]();
      expect((await slow.next()).value).toEqual({ type: 'synced' });
      const quick = collect('k/', (events) => events.length === 6);
      for (let i = 0; i < 5; i++) await store.put(`k/${i}`, 'x');
      await quick;
      expect(await codeOf(slow.next())).toBe('behind');
    });

    it('ends a watch quietly when its signal aborts', async () => {
      const watching = collect('k/', () => false);
      await store.put('k/1', 'x');
      stop.abort();
      expect((await watching).every((event) => event.type !== 'delete')).toBe(true);
    });

    it('ends watches with an error when it is closed, and refuses every call after', async () => {
      const watching = codeOf(collect('k/', () => false));
      await store.get('k/1');
      await new Promise((resolve) => setImmediate(resolve));
      await store.close();
      expect(await watching).toBe('unavailable');
      expect(await codeOf(store.get('k/1'))).toBe('unavailable');
      expect(await codeOf(store.put('k/1', 'x'))).toBe('unavailable');
    });
  });
}
