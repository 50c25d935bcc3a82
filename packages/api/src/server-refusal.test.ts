import { expect, it } from 'vitest';
import { serverRefusal } from '#server-refusal.ts';

it('tells a refused server from one that is served, of both kinds', () => {
  const of = (status?: object) => [{ spec: { app: { status } } }, { spec: { database: { status } } }].map(serverRefusal);
  expect(of({ origin: 'config', refused: 'its token does not bind it' })).toEqual([
    'its token does not bind it',
    'its token does not bind it',
  ]);
  expect(of({ origin: 'config' })).toEqual([undefined, undefined]);
  expect(of()).toEqual([undefined, undefined]);
  expect([{}, { spec: {} }, { kind: 'role', spec: { allow: {} } }].map(serverRefusal)).toEqual([undefined, undefined, undefined]);
});
