import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Listed, Roster } from '#session/roster.ts';

const members = (count: number): Listed[] => Array.from({ length: count }, () => ({ rosterAt: undefined }));

describe('a roster', () => {
  it('holds whoever was added and not removed, as a Set would, whatever the order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(7), { maxLength: 100 }), (steps) => {
        const all = members(8);
        const roster = new Roster<Listed>();
        const set = new Set<Listed>();
        for (const at of steps) {
          const member = all[at] ?? expect.fail();
          if (set.delete(member)) roster.remove(member);
          else {
            roster.add(member);
            set.add(member);
          }
          expect(new Set(roster.all())).toEqual(set);
          expect(roster.size).toBe(set.size);
        }
      }),
    );
  });

  it('lets be who is not in it, and who left twice', () => {
    const [one, two, stranger] = members(3) as [Listed, Listed, Listed];
    const roster = new Roster<Listed>();
    for (const member of [one, two]) roster.add(member);
    roster.remove(stranger);
    roster.remove(one);
    roster.remove(one);
    expect(roster.all()).toEqual([two]);
  });

  it('goes through those of now, though they leave meanwhile', () => {
    const all = members(20);
    const roster = new Roster<Listed>();
    for (const member of all) roster.add(member);
    const met: Listed[] = [];
    for (const member of roster.all()) {
      met.push(member);
      roster.remove(member);
    }
    expect(met).toEqual(all);
    expect(roster.size).toBe(0);
  });
});
