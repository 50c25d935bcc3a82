import { limits } from '@postern/limits';
import { expect, it } from 'vitest';
import { anonymousLimit } from '#tcp/anonymous-limit.ts';

it('counts connections without a certificate by network, and has the oldest give way after five seconds [limit socketsPerAddress]', () => {
  let nowMs = 0;
  const admit = anonymousLimit({ nowMs: () => nowMs });
  const ended: number[] = [];
  const leave: (() => void)[] = [];
  const come = (i: number, remoteAddress = `2001:db8::${(i + 1).toString(16)}`) =>
    admit({
      certificateDer: undefined,
      remoteAddress,
      destroy: () => {
        ended.push(i);
        leave[i]?.();
      },
      onClose: (listener) => void (leave[i] = listener),
    });
  for (let i = 0; i < limits.socketsPerAddress; i++) expect(come(i)).toBe(true);
  expect(come(200)).toBe(false);
  expect(come(200, '2001:db8:0:1::1')).toBe(true);
  nowMs = 5_000;
  expect(come(201)).toBe(true);
  expect(come(202)).toBe(true);
  expect(ended).toEqual([0, 1]);
  for (let i = 203; i < 401; i++) expect(come(i)).toBe(true);
  expect(come(401)).toBe(false);
  leave[300]?.();
  expect(come(402)).toBe(true);
});
