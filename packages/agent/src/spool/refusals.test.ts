import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppendEventsRequest, type AuditEvent } from '@postern/api';
import { limits } from '@postern/limits';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventFields, EventHead, type SpoolEvent } from '#spool/event.ts';
import { draftFrame } from '#spool/frame.ts';
import { openSpool } from '#spool/open-spool.ts';
import type { Spool } from '#spool/spool.ts';

const MIB = 1024 * 1024;
const startMs = Date.UTC(2030, 0, 1);
const headOf = (user: string, kind = 'db.session.dynamodb.request') =>
  new EventHead({ kind, user, resource: 'db/orders', sessionId: `session of ${user}` });
const refusal = (user: string, fieldBytes = 200, more: Partial<SpoolEvent> = {}): SpoolEvent => {
  const fields = EventFields.of({ a: 'x'.repeat(fieldBytes) });
  return { head: headOf(user), id: randomUUID(), code: 'TDY01E', timeMs: startMs, success: false, fields, ...more };
};
const granted = (phase: 'intent' | 'outcome', requestId: string): SpoolEvent =>
  refusal('bob', 200, { code: 'TDY01I', success: true, phase: { phase, requestId } });
const sessionEnd = (user: string): SpoolEvent =>
  refusal(user, 200, { head: headOf(user, 'db.session.end'), code: 'TDB01I', success: true });
const bytesOf = (event: SpoolEvent): number => draftFrame('event', event).bytes;
const fieldsOf = ({ fieldsJson }: AuditEvent) => JSON.parse(fieldsJson.toString()) as Record<string, unknown>;

/**
 * One user whose requests were refused (operations that do not exist, as fast as a tunnel takes them) filled the spool in 13 s while auth was
 * away: after that everybody was refused, and nothing was left of his refusals, nor of how many there were.
 */
describe('refusals', () => {
  let dir: string;
  let spool: Spool;
  let nowMs: number;
  let told: (SpoolEvent | undefined)[];
  const open = async (maxBytes?: number) => {
    const onUnrecorded = (event: SpoolEvent | undefined): unknown => told.push(event);
    spool = await openSpool({ dir, nowMs: () => nowMs, onUnrecorded, ...(maxBytes === undefined ? {} : { maxBytes }) });
  };
  const write = (event: SpoolEvent): Promise<void> =>
    new Promise((resolve, reject) => spool.write(event, (error) => (error === undefined ? resolve() : reject(error))));
  /** Flushed after a few, or what waits in memory would be the limit. */
  const refuse = async (count: number, made: () => SpoolEvent) => {
    for (let at = 1; at <= count; at += 1) {
      spool.writeLater(made());
      if (at % 50 === 0) await write(granted('intent', `pace ${randomUUID()}`));
    }
    await write(granted('intent', `pace ${randomUUID()}`));
  };
  /** Refusals of this user up to so many bytes exactly. */
  const fill = async (user: string, bytes: number) => {
    const large = bytesOf(refusal(user, 60_000));
    const count = Math.floor(bytes / large) - 1;
    await refuse(count, () => refusal(user, 60_000));
    const bare = bytesOf(refusal(user, 20_000)) - 20_000;
    let left = bytes - count * large;
    for (; left > large; left -= bare + 30_000) await refuse(1, () => refusal(user, 30_000));
    await refuse(1, () => refusal(user, left - bare));
  };
  const drained = async (isEnough: (received: readonly AuditEvent[]) => boolean = () => spool.stats().waiting === 0) => {
    const received: AuditEvent[] = [];
    const stop = new AbortController();
    const draining = spool.drain({
      send: async ({ message }) =>
        void received.push(
          ...AppendEventsRequest.decode(message).events.map((event) => ({ ...event, fieldsJson: Buffer.from(event.fieldsJson) })),
        ),
      signal: stop.signal,
      backoff: () => 1,
    });
    await expect.poll(() => isEnough(received), { timeout: 10_000 }).toBe(true);
    stop.abort();
    await draining;
    return received;
  };
  const sums = (events: readonly AuditEvent[]) => events.filter(({ kind }) => kind === 'agent.events.not_recorded');

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'postern-spool-'));
    nowMs = startMs;
    told = [];
  });
  afterEach(async () => {
    await spool.close();
    rmSync(dir, { recursive: true });
  });

  it('leave room to requests that are granted, and their outcomes, however many there are', async () => {
    await open(MIB);
    await refuse(5000, () => refusal('mallory'));
    expect(spool.stats().bytes).toBeLessThan(MIB / 2);
    for (let at = 0; at < 100; at += 1) await write(granted('intent', `r-${at}`));
    for (let at = 0; at < 100; at += 1) spool.writeLater(granted('outcome', `r-${at}`));
    await spool.flush();
    expect(spool.stats().replacedOutcomes).toBe(0);
  });

  it('of one user take a quarter of their part to the byte, and leave the rest to others [limit spoolRefusalsPerUserBytes]', async () => {
    await open();
    await fill('mallory', limits.spoolRefusalsPerUserBytes);
    expect(spool.stats().unrecorded).toBe(0);
    await refuse(1, () => refusal('mallory', 1));
    expect(spool.stats().unrecorded).toBe(1);
    await refuse(10, () => refusal('alice'));
    expect(spool.stats().unrecorded).toBe(1);
    expect(limits.spoolRefusalsPerUserBytes).toBe(limits.spoolBytes / 16);
  }, 30_000);

  it('of all users take a quarter of the spool to the byte [limit spoolRefusalsBytes]', async () => {
    await open();
    for (const user of ['u1', 'u2', 'u3', 'u4']) await fill(user, limits.spoolRefusalsBytes / 4);
    expect(spool.stats().unrecorded).toBe(0);
    await refuse(1, () => refusal('alice', 1));
    expect(spool.stats().unrecorded).toBe(1);
    expect(limits.spoolRefusalsBytes).toBe(limits.spoolBytes / 4);
  }, 60_000);

  it('that find no room are counted, and one event of each user says how many, of which kind and from when to when', async () => {
    await open(MIB);
    const recorded = { mallory: 0, eve: 0 };
    for (const user of ['mallory', 'eve'] as const) {
      const before = spool.stats().unrecorded;
      await refuse(1000, () => refusal(user));
      nowMs += 60_000;
      spool.writeLater(refusal(user));
      recorded[user] = 1001 - (spool.stats().unrecorded - before);
    }
    expect(told.map((event) => event?.head.user)).toEqual(['mallory']);
    const received = await drained((events) => sums(events).length === 2);
    for (const user of ['mallory', 'eve'] as const) {
      const own = received.filter((event) => event.user === user);
      const count = 1001 - recorded[user];
      expect(own.filter(({ kind }) => kind === 'db.session.dynamodb.request')).toHaveLength(recorded[user]);
      const [sum, ...more] = sums(own);
      expect(more).toEqual([]);
      // With a session of his, or auth would not believe it of him.
      expect(sum).toMatchObject({ code: 'TAG00W', success: false, resource: 'db/orders', sessionId: `session of ${user}` });
      const fromMs = user === 'mallory' ? startMs : startMs + 60_000;
      expect(sum && fieldsOf(sum)).toMatchObject({
        not_recorded: count,
        by_code: { TDY01E: count },
        first_time: new Date(fromMs).toISOString(),
        last_time: new Date(fromMs + 60_000).toISOString(),
      });
    }
    await refuse(1, () => refusal('mallory'));
    expect((await drained()).filter(({ user }) => user === 'mallory')).toHaveLength(1);
    await expect.poll(() => told.length, { timeout: 5000 }).toBe(2);
    expect(told[1]).toBeUndefined();
  }, 30_000);

  it('have no more after a restart than before, and what was only counted is said before one', async () => {
    await open(MIB);
    await refuse(1000, () => refusal('mallory'));
    const { unrecorded } = spool.stats();
    expect(unrecorded).toBeGreaterThan(0);
    await spool.close();
    await open(MIB);
    await refuse(100, () => refusal('mallory'));
    expect(spool.stats().unrecorded).toBe(100);
    const [sum] = sums(await drained());
    expect(sum && fieldsOf(sum)).toMatchObject({ not_recorded: unrecorded });
  });

  it('that come fast do not wait for their time, where those of others would find no room', async () => {
    await open();
    // What waits for its time waits for ever.
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    try {
      for (let at = 0; at < 20; at += 1) spool.writeLater(refusal('mallory', 60_000));
      await expect.poll(() => spool.stats().waiting).toBeGreaterThan(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('give way to outcomes and sessions where all of them wait for the disk', async () => {
    await open();
    await write(granted('intent', 'r-1'));
    // Within one turn of the event loop nothing is committed, as on a disk that stalls.
    for (let at = 0; at < 200; at += 1) spool.writeLater(refusal(`u${at % 10}`, 60_000));
    const { unrecorded } = spool.stats();
    expect(unrecorded).toBeGreaterThan(100);
    for (let at = 0; at < 1000; at += 1) spool.writeLater(sessionEnd('alice'));
    spool.writeLater(granted('outcome', 'r-1'));
    expect(spool.stats()).toMatchObject({ unrecorded, replacedOutcomes: 0 });
  });

  it('of more users than are told apart are counted together, under nobody’s name', async () => {
    await open(MIB);
    await refuse(700, () => refusal('filler', 1000));
    for (let at = 0; at < 2000; at += 1) spool.writeLater(refusal(`user-${at}`, 60_000, { head: headOf(`user-${at}`) }));
    const { unrecorded } = spool.stats();
    await spool.flush();
    const found = sums(await drained());
    expect(found.map(fieldsOf).reduce((sum, fields) => sum + Number(fields['not_recorded']), 0)).toBe(unrecorded);
    expect(found).toHaveLength(1001);
    expect(found.at(-1)).toMatchObject({ user: '', resource: '', sessionId: '' });
  });
});
