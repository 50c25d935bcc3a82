import { expect, it } from 'vitest';
import { TicketLimit } from '#tcp/ticket-limit.ts';

function stand(limit: number) {
  const tickets = new TicketLimit(limit);
  const closed: string[] = [];
  let count = 0;
  const come = (nowMs: number, ip = '203.0.113.1', ticket = 't') => {
    const name = `${ip}#${count++}`;
    return tickets.admit(ticket, { address: ip, nowMs, close: () => closed.push(name) });
  };
  return { come, closed };
}

it('lets no more of one ticket wait than the limit, and those of another ticket in', () => {
  const { come, closed } = stand(2);
  expect([come(0), come(0), come(0)].map((admitted) => admitted !== undefined)).toEqual([true, true, false]);
  expect(come(0, '203.0.113.1', 'another')).toBeDefined();
  expect(closed).toEqual([]);
});

it('gives a place back once the handshake is over', () => {
  const { come } = stand(1);
  come(0)?.();
  const [held, refused] = [come(0), come(0)];
  expect([held !== undefined, refused]).toEqual([true, undefined]);
});

it('has the oldest give way after it has had time', () => {
  const { come, closed } = stand(2);
  come(0);
  come(100);
  expect(come(249)).toBeUndefined();
  expect(come(250)).toBeDefined();
  expect(closed).toEqual(['203.0.113.1#0']);
});

it('lets an attacker drive out nobody of another network, and be driven out by him at once', () => {
  const { come, closed } = stand(8);
  for (let i = 0; i < 8; i++) come(0, '198.51.100.9');
  expect(come(1, '203.0.113.1')).toBeDefined();
  for (let ms = 2; ms < 500; ms++) come(ms, '198.51.100.9');
  expect(closed.filter((name) => name.startsWith('203.'))).toEqual([]);
  expect(closed[0]).toBe('198.51.100.9#0');
});
