import { expect, it } from 'vitest';
import { codeOf, type Trial } from '#conformance/trial.ts';
import { type Entry, type Operation } from '#store.ts';

/** Single entries: create, update, delete, list, limits, restarts. */
export function describeEntries(trial: Trial): void {
  it('creates once and refuses the second time', async () => {
    const entry = await trial.store.create('roles/access', '{"a":1}');
    expect(await trial.store.get('roles/access')).toEqual(entry);
    expect(await codeOf(trial.store.create('roles/access', 'other'))).toBe('exists');
    expect((await trial.store.get('roles/access'))?.value).toBe('{"a":1}');
  });

  it('keeps values byte for byte, with any character that unicode has', async () => {
    const value = 'line\nbreak \0 \u{1F600} "quoted" ' + 'x'.repeat(100_000);
    await trial.store.put('a/1', value);
    expect((await trial.store.get('a/1'))?.value).toBe(value);
    await trial.store.put('a/2', '');
    expect((await trial.store.get('a/2'))?.value).toBe('');
  });

  it('takes a value at the limit and refuses one byte more', async () => {
    const most = 'x'.repeat(1024 * 1024);
    expect((await trial.store.put('a/big', most)).value).toHaveLength(most.length);
    expect(await codeOf(trial.store.put('a/big', `${most}x`))).toBeInstanceOf(RangeError);
    const longKey = 'k'.repeat(1024);
    expect((await trial.store.put(longKey, '')).key).toBe(longKey);
    expect(await codeOf(trial.store.put(`${longKey}k`, ''))).toBeInstanceOf(RangeError);
  });

  it('takes a batch at the limit and refuses one operation more', async () => {
    const batch = Array.from({ length: 1000 }, (_, i): Operation => ({ kind: 'put', key: `batch/${i}`, value: '' }));
    expect(await trial.store.atomically(batch)).toHaveLength(1000);
    expect(await codeOf(trial.store.atomically([...batch, { kind: 'put', key: 'one', value: '' }]))).toBeInstanceOf(RangeError);
  });

  it.each(['', '/', 'a//b', 'a/', '/a', 'a\0b', 'a\u{10FFFF}', '\uD800'])('refuses the key %j', async (key) => {
    expect(await codeOf(trial.store.put(key, 'v'))).toBeInstanceOf(RangeError);
    expect(await codeOf(trial.store.get(key))).toBeInstanceOf(RangeError);
  });

  it('updates at the expected revision and at no other', async () => {
    const first = await trial.store.create('k', '1');
    const second = await trial.store.update('k', '2', first.revision);
    expect(second.revision).not.toBe(first.revision);
    expect(await codeOf(trial.store.update('k', '3', first.revision))).toBe('conflict');
    expect(await codeOf(trial.store.update('k', '3', 'nonsense'))).toBe('conflict');
    expect(await codeOf(trial.store.update('none', '3', first.revision))).toBe('absent');
    expect((await trial.store.get('k'))?.value).toBe('2');
  });

  it('deletes, says whether there was something, and refuses at another revision', async () => {
    const first = await trial.store.create('k', '1');
    await trial.store.put('k', '2');
    expect(await codeOf(trial.store.delete('k', first.revision))).toBe('conflict');
    expect(await trial.store.delete('k')).toBe(true);
    expect(await trial.store.delete('k')).toBe(false);
    expect(await trial.store.delete('k', first.revision)).toBe(false);
    expect(await trial.store.get('k')).toBeUndefined();
  });

  it('never uses a revision again, not even for a key deleted and made anew or after a restart', async () => {
    const seen = new Set<string>();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 5; i++) {
        seen.add((await trial.store.put('k', `${i}`)).revision);
        await trial.store.delete('k');
        seen.add((await trial.store.create('k', `${i}`)).revision);
      }
      await trial.store.close();
      trial.store = await trial.under.open();
    }
    expect(seen.size).toBe(30);
  });

  it('keeps everything over a restart', async () => {
    const entry = await trial.store.put('users/alice', 'v', { expiresMs: trial.under.clock.nowMs + 60_000 });
    await trial.store.close();
    trial.store = await trial.under.open();
    expect(await trial.store.get('users/alice')).toEqual(entry);
  });

  it('lists a prefix in key order, in pages, and nothing beside it', async () => {
    const keys = ['a', 'roles/a', 'roles/a/b', 'roles/b', 'roles/é', 'roles/\u{FFFD}', 'roles/\u{1F600}', 'roles0', 'role'];
    for (const key of keys.toReversed()) await trial.store.put(key, key);
    const inOrder = (list: readonly Entry[]): string[] => list.map((entry) => entry.key);
    const expected = keys.filter((key) => key.startsWith('roles/')).sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
    expect(inOrder(await trial.store.list('roles/'))).toEqual(expected);
    expect(inOrder(await trial.store.list('roles/', { limit: 2 }))).toEqual(expected.slice(0, 2));
    expect(inOrder(await trial.store.list('roles/', { after: expected[1] ?? '', limit: 2 }))).toEqual(expected.slice(2, 4));
    expect(await trial.store.list('')).toHaveLength(keys.length);
    expect(await trial.store.list('nothing/')).toEqual([]);
  });

  it('lists more entries than fit a page of its own', async () => {
    const batch = Array.from(
      { length: 1000 },
      (_, i): Operation => ({ kind: 'put', key: `many/${String(i).padStart(5, '0')}`, value: `${i}` }),
    );
    await trial.store.atomically(batch);
    const all = await trial.store.list('many/');
    expect(all.map((entry) => entry.value)).toEqual(batch.map((_, i) => `${i}`));
    expect(await trial.store.list('many/', { limit: 700 })).toHaveLength(700);
  });
}
