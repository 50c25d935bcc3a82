import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTicket } from '@postern/pki';
import { openSqliteStore, type Store } from '@postern/store';
import { Sealer } from '#seal/sealer.ts';
import { RouteKeys } from '#tickets/route-keys.ts';

const HOUR = 3_600_000;
let dir: string;
let store: Store;
let now: number;
const sealer = new Sealer(Buffer.alloc(32, 7));
const open = () => RouteKeys.open({ store, sealer, nowMs: () => now });
const verifies = (ring: RouteKeys, ticket: string) =>
  readTicket({ ticket, keys: ring.current().map(({ key }) => key), nowMs: now }) !== undefined;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'postern-route-keys-'));
  now = 1_800_000_000_000;
  store = await openSqliteStore({ path: join(dir, 'state.sqlite'), nowMs: () => now });
});
afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true });
});

describe('route keys', () => {
  it('are one for all auths that start at once, and rotate once a day between them', async () => {
    const rings = await Promise.all([open(), open(), open()]);
    const keysOf = (ring: RouteKeys) => ring.current().map(({ key }) => key.toString('hex'));
    expect(new Set(rings.map((ring) => keysOf(ring).join()))).toHaveProperty('size', 1);
    now += 25 * HOUR;
    await Promise.all(rings.map((ring) => ring.rotateIfDue()));
    expect(keysOf(rings[0])).toHaveLength(2);
    expect(keysOf(rings[1])).toEqual(keysOf(rings[0]));
  });

  it('verify a ticket of thirty hours to its end, over rotations and restarts, and are gone a while after', async () => {
    const ring = await open();
    now += 23 * HOUR;
    const ticket = ring.ticketFor({ kind: 'db', name: 'orders', expiresMs: now + 30 * HOUR });
    for (let hour = 0; hour < 29; hour += 6) {
      now += 6 * HOUR - 1;
      await ring.rotateIfDue();
      expect(verifies(await open(), ticket)).toBe(true);
      if (hour === 18) break;
    }
    now += 10 * HOUR;
    expect(verifies(await open(), ticket)).toBe(false);
    now += 60 * HOUR;
    const late = await open();
    expect(late.current().every(({ notAfterMs }) => notAfterMs > now)).toBe(true);
  });

  it('sign with a new key only after proxies have had five minutes to hear of it', async () => {
    const ring = await open();
    const [first] = ring.current();
    now += 24 * HOUR;
    await ring.rotateIfDue();
    const early = ring.ticketFor({ kind: 'db', name: 'orders', expiresMs: now + HOUR });
    expect(readTicket({ ticket: early, keys: [first?.key ?? Buffer.alloc(32)], nowMs: now })).toBeDefined();
    now += 5 * 60_000;
    const later = ring.ticketFor({ kind: 'db', name: 'orders', expiresMs: now + HOUR });
    expect(readTicket({ ticket: later, keys: [first?.key ?? Buffer.alloc(32)], nowMs: now })).toBeUndefined();
    expect(verifies(ring, later)).toBe(true);
  });

  it('lie in the store sealed', async () => {
    const ring = await open();
    const stored = await store.get('route_keys/current');
    const key = ring.current()[0]?.key ?? Buffer.alloc(0);
    expect(stored?.value).not.toContain(key.toString('base64').slice(0, 20));
    await expect(RouteKeys.open({ store, sealer: new Sealer(Buffer.alloc(32, 8)), nowMs: () => now })).rejects.toThrow(/sealed with key/);
  });
});
