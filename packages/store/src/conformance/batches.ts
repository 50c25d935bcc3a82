import { expect, it } from 'vitest';
import { codeOf, type Trial } from '#conformance/trial.ts';
import { type Operation } from '#store.ts';

/** Races and batches: one winner, all or nothing. */
export function describeBatches(trial: Trial): void {
  it('lets exactly one of fifty parallel updates of one revision win', async () => {
    const first = await trial.store.create('token', 'fresh');
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, i) => codeOf(trial.store.update('token', `used by ${i}`, first.revision))),
    );
    expect(outcomes.filter((outcome) => outcome === 'resolved')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'conflict')).toHaveLength(49);
  });

  it('lets exactly one of fifty parallel creates win', async () => {
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => codeOf(trial.store.create('invite', 'x'))));
    expect(outcomes.filter((outcome) => outcome === 'resolved')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'exists')).toHaveLength(49);
  });

  it('applies a batch whole', async () => {
    const kept = await trial.store.create('kept', '1');
    const results = await trial.store.atomically([
      { kind: 'check', key: 'kept', expectedRevision: kept.revision },
      { kind: 'check', key: 'new', expectedRevision: undefined },
      { kind: 'create', key: 'new', value: 'a' },
      { kind: 'update', key: 'kept', value: '2', expectedRevision: kept.revision },
      { kind: 'delete', key: 'absent' },
    ]);
    expect(results.map((entry) => entry?.value)).toEqual([undefined, undefined, 'a', '2', undefined]);
    expect((await trial.store.get('kept'))?.revision).toBe(results[3]?.revision);
  });

  it('sees within a batch what the batch did before', async () => {
    const outcome = trial.store.atomically([
      { kind: 'create', key: 'k', value: '1' },
      { kind: 'delete', key: 'k' },
      { kind: 'create', key: 'k', value: '2' },
    ]);
    expect((await outcome)[2]?.value).toBe('2');
    expect((await trial.store.get('k'))?.value).toBe('2');
  });

  it.each([
    ['exists', { kind: 'create', key: 'there', value: 'x' }],
    ['absent', { kind: 'update', key: 'missing', value: 'x', expectedRevision: '1' }],
    ['conflict', { kind: 'update', key: 'there', value: 'x', expectedRevision: '0' }],
    ['conflict', { kind: 'delete', key: 'there', expectedRevision: '0' }],
    ['conflict', { kind: 'check', key: 'there', expectedRevision: undefined }],
    ['conflict', { kind: 'check', key: 'missing', expectedRevision: '1' }],
  ] as const)('leaves nothing of a batch whose second operation fails with %s, and names it', async (code, failing) => {
    const there = await trial.store.create('there', '1');
    const batch: Operation[] = [{ kind: 'put', key: 'before', value: 'x' }, failing, { kind: 'put', key: 'after', value: 'x' }];
    await expect(trial.store.atomically(batch)).rejects.toMatchObject({ code, index: 1 });
    expect(await trial.store.list('')).toEqual([there]);
  });

  it('moves money between two keys without ever losing any, under racing batches', async () => {
    await trial.store.put('account/a', '100');
    await trial.store.put('account/b', '0');
    const move = async (): Promise<void> => {
      for (;;) {
        const [a, b] = await Promise.all([trial.store.get('account/a'), trial.store.get('account/b')]);
        if (a === undefined || b === undefined) throw new Error('an account is gone');
        const outcome = await codeOf(
          trial.store.atomically([
            { kind: 'update', key: 'account/a', value: `${Number(a.value) - 1}`, expectedRevision: a.revision },
            { kind: 'update', key: 'account/b', value: `${Number(b.value) + 1}`, expectedRevision: b.revision },
          ]),
        );
        if (outcome === 'resolved') return;
        expect(outcome).toBe('conflict');
      }
    };
    await Promise.all(Array.from({ length: 10 }, move));
    expect((await trial.store.list('account/')).map((entry) => entry.value)).toEqual(['90', '10']);
  });
}
