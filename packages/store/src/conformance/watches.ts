import { limits } from '@postern/limits';
import { expect, it } from 'vitest';
import { codeOf, type Trial } from '#conformance/trial.ts';
import { type Entry, type Operation, type StoreEvent } from '#store.ts';

/** Expiry and watches: the state first, then every change, none lost and none twice. */
export function describeWatches(trial: Trial): void {
  it('hides an entry from its expiry on, and lets its key be created again', async () => {
    await trial.store.put('lock/1', 'x', { expiresMs: trial.under.clock.nowMs + 1000 });
    trial.under.clock.nowMs += 999;
    expect(await trial.store.get('lock/1')).toBeDefined();
    trial.under.clock.nowMs += 1;
    expect(await trial.store.get('lock/1')).toBeUndefined();
    expect(await trial.store.list('lock/')).toEqual([]);
    expect(await trial.store.delete('lock/1')).toBe(false);
    expect((await trial.store.create('lock/1', 'again')).value).toBe('again');
    expect((await trial.store.get('lock/1'))?.expiresMs).toBeUndefined();
  });

  it('tells watchers of an expiry', async () => {
    await trial.store.put('lock/1', 'x', { expiresMs: trial.under.clock.nowMs + 1000 });
    const watching = trial.collect('lock/', (events) => events.at(-1)?.type === 'delete');
    await trial.store.put('lock/2', 'stays', { expiresMs: trial.under.clock.nowMs + 100_000 });
    trial.under.clock.nowMs += 1000;
    expect((await watching).at(-1)).toEqual({ type: 'delete', key: 'lock/1' });
    expect((await trial.store.list('lock/')).map((entry) => entry.key)).toEqual(['lock/2']);
  });

  it('watches the state first, then each change in commit order, of its prefix alone', async () => {
    const before = await trial.store.put('roles/a', '1');
    await trial.store.put('users/a', '1');
    const events: StoreEvent[] = [];
    const synced = Promise.withResolvers<void>();
    const done = Promise.withResolvers<void>();
    const run = async (): Promise<void> => {
      for await (const event of trial.store.watch('roles/', { signal: trial.stop.signal })) {
        events.push(event);
        if (event.type === 'synced') synced.resolve();
        if (event.type === 'delete') break;
      }
      done.resolve();
    };
    void run();
    await synced.promise;
    const second = await trial.store.put('roles/b', '2');
    await trial.store.put('users/b', '2');
    const third = await trial.store.update('roles/a', '3', before.revision);
    await trial.store.delete('roles/b');
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
    await trial.store.atomically(seeds);
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let i = 0; i < 60; i++) {
        const key = `load/${(writer * 131 + i * 17) % 900}`;
        if (i % 7 === 3) await trial.store.delete(key);
        else await trial.store.put(key, `${writer}-${i}`);
      }
    });
    const watchers = [0, 1, 2].map(async (delay) => {
      for (let i = 0; i < delay * 5; i++) await trial.store.get('load/1');
      const state = new Map<string, Entry>();
      const revisions: number[] = [];
      let synced = false;
      for await (const event of trial.store.watch('load/', { signal: trial.stop.signal })) {
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
    await trial.store.put('load/end', '');
    const expected = (await trial.store.list('load/')).filter((entry) => entry.key !== 'load/end');
    // The sentinel is deleted until each watcher has seen it: a watcher that starts late finds it in its snapshot or not at all.
    const ended = Promise.all(watchers);
    const finished = new AbortController();
    const finish = (): void => finished.abort();
    void ended.then(finish, finish);
    while (!finished.signal.aborted) {
      await trial.store.delete('load/end');
      await trial.store.put('load/end', '');
    }
    for (const { state, revisions } of await ended) {
      expect([...state.values()].sort((x, y) => Buffer.compare(Buffer.from(x.key), Buffer.from(y.key)))).toEqual(expected);
      expect(revisions).toEqual([...new Set(revisions)].sort((x, y) => x - y));
    }
  });

  it('ends a watcher that falls too far behind with an error, and serves the others', async () => {
    const slow = trial.store.watch('k/', { signal: trial.stop.signal, maxBehind: 3 })[Symbol.asyncIterator]();
    expect((await slow.next()).value).toEqual({ type: 'synced' });
    const quick = trial.collect('k/', (events) => events.length === 6);
    for (let i = 0; i < 5; i++) await trial.store.put(`k/${i}`, 'x');
    await quick;
    expect(await codeOf(slow.next())).toBe('behind');
  });

  it('keeps a mebibyte for a watcher that does not read, and ends it one byte past that [limit slowConsumerBytes]', async () => {
    const key = 'k/12345678';
    const half = 'x'.repeat(limits.slowConsumerBytes / 2 - key.length);
    for (const [past, outcome] of [
      ['', 'kept'],
      ['y', 'behind'],
    ] as const) {
      const slow = trial.store.watch('k/', { signal: trial.stop.signal })[Symbol.asyncIterator]();
      while ((await slow.next()).value?.type !== 'synced');
      for (const value of [half, `${half}${past}`]) await trial.store.put(key, value);
      const after = await trial.store.put('other/1', 'x');
      await trial.collect('other/', (events) => events.some((event) => event.type === 'put' && event.entry.revision >= after.revision));
      expect(
        await slow.next().then(
          () => 'kept',
          (error: unknown) => (error as { code?: string }).code,
        ),
      ).toBe(outcome);
      await slow.return?.();
    }
  });

  it('ends a watch quietly when its signal aborts', async () => {
    const watching = trial.collect('k/', () => false);
    await trial.store.put('k/1', 'x');
    trial.stop.abort();
    expect((await watching).every((event) => event.type !== 'delete')).toBe(true);
  });

  it('ends watches with an error when it is closed, and refuses every call after', async () => {
    const watching = codeOf(trial.collect('k/', () => false));
    await trial.store.get('k/1');
    await new Promise((resolve) => setImmediate(resolve));
    await trial.store.close();
    expect(await watching).toBe('unavailable');
    expect(await codeOf(trial.store.get('k/1'))).toBe('unavailable');
    expect(await codeOf(trial.store.put('k/1', 'x'))).toBe('unavailable');
  });
}
