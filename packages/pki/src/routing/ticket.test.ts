import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBase32, toBase32 } from '#routing/base32.ts';
import { resourceId } from '#routing/resource-id.ts';
import { makeTicket, readTicket, TICKET_LENGTH } from '#routing/ticket.ts';

const NOW_MS = Date.UTC(2026, 5, 1);
const key = Buffer.alloc(32, 1);
const other = Buffer.alloc(32, 2);
const id = resourceId('db', 'orders');
const make = (over: Partial<Parameters<typeof makeTicket>[0]> = {}) =>
  makeTicket({ resourceId: id, expiresMs: NOW_MS + 60_000, key, ...over });

describe('a ticket', () => {
  it('is one DNS label of 58 characters that names a resource until it expires', () => {
    const ticket = make();
    expect(ticket).toMatch(/^[a-z2-7]{58}$/);
    expect(readTicket({ ticket, keys: [other, key], nowMs: NOW_MS })).toEqual({ resourceId: id, expiresMs: NOW_MS + 60_000 });
    expect(make()).not.toBe(ticket);
  });

  it('comes back for every resource, time and key', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 8, maxLength: 8 }),
        fc.integer({ min: 1, max: 0xffffffff }),
        fc.uint8Array({ minLength: 16, maxLength: 64 }),
        (resource, seconds, secret) => {
          const [bytes, own] = [Buffer.from(resource), Buffer.from(secret)];
          const ticket = makeTicket({ resourceId: bytes, expiresMs: seconds * 1000, key: own });
          expect(readTicket({ ticket, keys: [own], nowMs: seconds * 1000 - 1 })).toEqual({ resourceId: bytes, expiresMs: seconds * 1000 });
          expect(readTicket({ ticket, keys: [own], nowMs: seconds * 1000 })).toBeUndefined();
        },
      ),
    );
  });

  it('is signed as the design says, and for nothing else', () => {
    const bytes = fromBase32(make()) ?? Buffer.alloc(0);
    const signed = bytes.subarray(0, 20);
    expect(bytes.subarray(20)).toEqual(
      createHmac('sha256', key)
        .update(Buffer.concat([Buffer.from('postern route ticket 1\0'), signed]))
        .digest()
        .subarray(0, 16),
    );
  });

  it.each([
    ['with another key', () => ({ keys: [other] })],
    ['without a key', () => ({ keys: [] })],
    ['with a key too short to be one', () => ({ keys: [Buffer.alloc(0)] })],
    ['at its end', () => ({ nowMs: NOW_MS + 60_000 })],
    ['at no time', () => ({ nowMs: Number.NaN })],
    ['cut short', () => ({ ticket: make().slice(0, -1) })],
    ['with a character more', () => ({ ticket: `${make()}a` })],
    ['in capitals', () => ({ ticket: make().toUpperCase() })],
    ['as nothing', () => ({ ticket: '' })],
  ])('is not read %s', (_what, over) => {
    expect(readTicket({ ticket: make(), keys: [key], nowMs: NOW_MS, ...over() })).toBeUndefined();
  });

  it('is not read with any character changed', () => {
    const ticket = make();
    fc.assert(
      fc.property(fc.nat(TICKET_LENGTH - 1), fc.constantFrom(...Array.from('abcdefghijklmnopqrstuvwxyz234567018-_.Aé')), (at, letter) => {
        const forged = ticket.slice(0, at) + letter + ticket.slice(at + 1);
        const read = readTicket({ ticket: forged, keys: [key], nowMs: NOW_MS });
        expect(read === undefined || forged === ticket).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('is not made of any text', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 58, maxLength: 58, unit: fc.constantFrom(...Array.from('abcdefghijklmnopqrstuvwxyz234567')) }),
        (ticket) => readTicket({ ticket, keys: [key], nowMs: 0 }) === undefined,
      ),
    );
  });

  it.each([
    ['an id of another length', { resourceId: Buffer.alloc(7) }],
    ['an end that does not fit', { expiresMs: 2 ** 32 * 1000 }],
    ['an end that is no number', { expiresMs: Number.NaN }],
    ['a key that is too short', { key: Buffer.alloc(15) }],
  ])('is not made with %s', (_what, over) => {
    expect(() => make(over)).toThrow();
  });
});

describe('base32', () => {
  it.each([
    ['', ''],
    ['f', 'my'],
    ['fo', 'mzxq'],
    ['foo', 'mzxw6'],
    ['foob', 'mzxw6yq'],
    ['fooba', 'mzxw6ytb'],
    ['foobar', 'mzxw6ytboi'],
  ])('writes %j as RFC 4648 does', (plain, text) => {
    expect(toBase32(Buffer.from(plain))).toBe(text);
    expect(fromBase32(text)).toEqual(Buffer.from(plain));
  });

  it('has one text for each byte string', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12, unit: fc.constantFrom(...Array.from('abcdefghijklmnopqrstuvwxyz234567')) }), (text) => {
        const bytes = fromBase32(text);
        expect(bytes === undefined || toBase32(bytes) === text).toBe(true);
      }),
    );
  });
});

describe('a resource id', () => {
  it('differs by kind and name', () => {
    expect(id).toHaveLength(8);
    expect(resourceId('app', 'orders')).not.toEqual(id);
    expect(resourceId('db', 'orders')).toEqual(id);
  });
});
