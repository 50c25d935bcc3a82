import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '@postern/limits';
import { expect, it } from 'vitest';
import { EventFields, EventHead, type SpoolEvent } from '#spool/event.ts';
import { draftFrame } from '#spool/frame.ts';
import { openSpool } from '#spool/open-spool.ts';
import { SpoolFull } from '#spool/spool.ts';

const head = new EventHead({ kind: 'db.session.dynamodb.request', user: 'alice', resource: 'db/orders', sessionId: 's-1' });
let made = 0;
const eventOf = (fieldBytes: number): SpoolEvent => {
  const fields = EventFields.of({ a: 'x'.repeat(fieldBytes) });
  return { head, id: `00000000-0000-4000-8000-${String(made++).padStart(12, '0')}`, code: 'TDY01I', timeMs: 1, success: true, fields };
};
const LARGE = eventOf(60_000);
const bytesOf = (event: SpoolEvent): number => draftFrame('event', event).bytes;

it('keeps 256 MiB until auth has them, and refuses the event that would be a byte past that [limit spoolBytes]', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-spool-'));
  const spool = await openSpool({ dir, nowMs: () => 1 });
  const write = (event: SpoolEvent) =>
    new Promise<void>((resolve, reject) => spool.write(event, (error) => (error === undefined ? resolve() : reject(error))));
  try {
    const room = () => limits.spoolBytes - spool.stats().bytes;
    while (room() > 4 * bytesOf(LARGE)) {
      const many = Math.min(100, Math.floor(room() / bytesOf(LARGE)) - 2);
      await Promise.all(Array.from({ length: many }, () => write(eventOf(60_000))));
    }
    while (room() > bytesOf(LARGE)) await write(eventOf(30_000));
    const bare = bytesOf(eventOf(20_000)) - 20_000;
    const [fits, tooMuch] = [eventOf(room() - bare), eventOf(room() - bare + 1)];
    expect([bytesOf(fits), bytesOf(tooMuch)]).toEqual([room(), room() + 1]);
    await expect(write(tooMuch)).rejects.toBeInstanceOf(SpoolFull);
    await write(fits);
    expect(spool.stats().bytes).toBe(256 * 1024 * 1024);
    await expect(write(eventOf(1))).rejects.toBeInstanceOf(SpoolFull);
  } finally {
    await spool.close();
    rmSync(dir, { recursive: true });
  }
}, 60_000);
