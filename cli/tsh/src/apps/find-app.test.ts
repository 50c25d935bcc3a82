import { expect, it } from 'vitest';
import { closest } from '#apps/find-app.ts';

it.each([
  ['asw', ['aws', 'billing'], 'aws'],
  ['AWS', ['aws'], 'aws'],
  ['biling', ['aws', 'billing'], 'billing'],
  ['kubernetes', ['aws', 'billing'], undefined],
  ['aws', [], undefined],
])('of %s and %j what was meant is %s', (name, names, meant) => expect(closest(name, names)).toBe(meant));
