import { describe, expect, it } from 'vitest';
import { nothingListed } from '#sessions/nothing-listed.ts';

const stale = { because: 'cannot connect', asOf: '2026-01-01T00:00:00.000Z' };
const listed = (kind: 'db' | 'app', known: { resources: readonly string[]; stale?: typeof stale }) =>
  nothingListed(kind, { known, user: 'alice' });

describe('a list without a row', () => {
  // With no agent at all it blamed the roles.
  it('names both reasons that it may have', () => {
    expect(listed('db', { resources: [] })).toMatch(
      /^none of the roles of alice reaches a database here, or no agent serves one now: .*--db=/,
    );
    expect(listed('app', { resources: [] })).toMatch(/ reaches an application here, or no agent serves one now: .*--app=/);
  });

  it('claims nothing of now where it is of an earlier time', () => {
    expect(listed('db', { resources: [], stale })).toBe(
      'no database was listed then: tsh db ls shows what there is once the cluster answers',
    );
  });

  it('points at the labels and words that were asked for where there is something else', () => {
    expect(listed('db', { resources: ['orders'] })).toBe('no database here has these labels and words: tsh db ls shows all');
  });
});
