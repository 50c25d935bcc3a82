import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { AppendEventsRequest, type AuditEvent } from '@postern/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventFields, EventHead, type SpoolEvent } from '#spool/event.ts';
import { draftFrame, writeFrame } from '#spool/frame.ts';
import { openSpool } from '#spool/open-spool.ts';
import { type Spool, SpoolFull, SpoolUnavailable } from '#spool/spool.ts';

const startMs = Date.UTC(2030, 0, 1);
const texts = { kind: 'db.session.dynamodb.request', user: 'alice', resource: 'db/example', sessionId: 's-1' };
const head = new EventHead(texts);
const eventOf = (fields: Record<string, unknown> = {}, more: Partial<SpoolEvent> = {}): SpoolEvent => {
  return { head, id: randomUUID(), code: 'TDY01I', timeMs: startMs, success: true, fields: EventFields.of(fields), ...more };
};
const intent = (requestId: string, more: Record<string, unknown> = {}): SpoolEvent =>
  eventOf(more, { phase: { phase: 'intent', requestId } });
const outcome = (requestId: string, more: Record<string, unknown> = {}): SpoolEvent =>
  eventOf(more, { phase: { phase: 'outcome', requestId } });
const fieldsOf = (event: AuditEvent): Record<string, unknown> => JSON.parse(event.fieldsJson.toString()) as Record<string, unknown>;
/** What auth is to get of an event without a phase. */
const sentAs = ({ id, code, timeMs, success, fields }: SpoolEvent): AuditEvent => {
  return { id, ...texts, code, timeMs, success, fieldsJson: Buffer.from(`${fields.open}}`) };
};
const eventsIn = (message: Buffer): AuditEvent[] =>
  AppendEventsRequest.decode(message).events.map((event) => ({ ...event, fieldsJson: Buffer.from(event.fieldsJson) }));

const frameOf = (event: SpoolEvent): Buffer => {
  const draft = draftFrame('event', event);
  const frame = Buffer.alloc(draft.bytes);
  writeFrame(frame, 0, draft);
  return frame;
};
const nested = (depth: number): Record<string, unknown> => (depth === 1 ? {} : { a: nested(depth - 1) });

describe('the spool', () => {
  let dir: string;
  let spool: Spool;
  let nowMs: number;
  let told: unknown[];
  const open = async (maxBytes?: number): Promise<Spool> => {
    const onRefusing = (refusal: Error | undefined): unknown => told.push(refusal);
    spool = await openSpool({ dir, nowMs: () => nowMs, onRefusing, ...(maxBytes === undefined ? {} : { maxBytes }) });
    return spool;
  };
  const segments = (): string[] =>
    readdirSync(dir)
      .filter((name) => name.includes('.spool'))
      .sort()
      .map((name) => join(dir, name));

  const write = (event: SpoolEvent): Promise<void> =>
    new Promise((resolve, reject) => spool.write(event, (error) => (error === undefined ? resolve() : reject(error))));

  /** What auth would have got: everything that waits, uploaded and acknowledged. */
  const drainAll = async (from: Spool = spool): Promise<AuditEvent[]> => {
    const received: AuditEvent[] = [];
    const stop = new AbortController();
    const draining = from.drain({
      send: async ({ message }) => void received.push(...eventsIn(message)),
      signal: stop.signal,
      backoff: () => 1,
    });
    await expect.poll(() => from.stats().waiting).toBe(0);
    stop.abort();
    await draining;
    return received;
  };

  beforeEach(() => {
    dir = join(mkdtempSync(join(tmpdir(), 'postern-spool-')), 'spool');
    nowMs = startMs;
    told = [];
  });
  afterEach(async () => {
    await spool.close();
    rmSync(join(dir, '..'), { recursive: true });
  });

  it('uploads what was written, in order and as it was', async () => {
    await open();
    const events = Array.from({ length: 20 }, (_, i) => eventOf({ i, text: '\u{1F600}\n' }));
    for (const event of events) await write(event);
    expect(spool.stats()).toMatchObject({ waiting: 20, oldestMs: startMs });
    expect(await drainAll()).toEqual(events.map(sentAs));
    expect(spool.stats()).toMatchObject({ waiting: 0, oldestMs: undefined });
  });

  it('has an event on disk when write resolves', async () => {
    await open();
    for (let i = 0; i < 5; i++) {
      const event = eventOf();
      await write(event);
      expect(readFileSync(segments().at(-1) ?? '').includes(event.id)).toBe(true);
    }
  });

  it('puts what waits together: two thousand writes at once need one segment and few commits, in order', async () => {
    await open();
    const events = Array.from({ length: 2000 }, (_, i) => eventOf({ i }));
    await Promise.all(events.map((event) => write(event)));
    expect((await drainAll()).map((event) => fieldsOf(event)['i'])).toEqual(events.map((_, i) => i));
  });

  it('lets nobody wait for more than the commit under way and his own', async () => {
    await open();
    let turn = 0;
    let ticking = setImmediate(function tick() {
      turn += 1;
      ticking = setImmediate(tick);
    });
    const first = write(eventOf()).then(() => turn);
    await new Promise((resolve) => setImmediate(resolve));
    // The first commit is under way. Were each of these a commit of its own, they would end in turns of their own.
    const behind = await Promise.all(Array.from({ length: 50 }, () => write(eventOf()).then(() => turn)));
    clearImmediate(ticking);
    expect(new Set(behind).size).toBe(1);
    expect(await first).toBeLessThan(behind[0] ?? 0);
  });

  it('makes an outcome durable within a second though nothing else is written', async () => {
    await open();
    await write(intent('r-1'));
    const event = outcome('r-1');
    spool.writeLater(event);
    await expect.poll(() => readFileSync(segments()[0] ?? '').includes(event.id), { timeout: 1000 }).toBe(true);
  });

  it('makes an outcome durable with the next intent, in one commit', async () => {
    await open();
    await write(intent('r-1'));
    const event = outcome('r-1');
    spool.writeLater(event);
    await write(intent('r-2'));
    expect(readFileSync(segments()[0] ?? '').includes(event.id)).toBe(true);
    spool.writeLater(outcome('r-2'));
  });

  it('keeps everything over a restart, and sends again what was not acknowledged', async () => {
    await open();
    const events = Array.from({ length: 5 }, (_, i) => eventOf({ i }));
    for (const event of events) await write(event);
    const stop = new AbortController();
    let sent = 0;
    const draining = spool.drain({
      send: async ({ count }) => {
        sent += count;
        throw new Error('auth is away');
      },
      signal: stop.signal,
      backoff: () => 1,
    });
    await expect.poll(() => sent).toBeGreaterThan(5);
    stop.abort();
    await draining;
    await spool.close();
    await open();
    expect(spool.stats().waiting).toBe(5);
    expect(await drainAll()).toEqual(events.map(sentAs));
  });

  it('sends events that come one by one in few uploads', async () => {
    await open();
    let uploads = 0;
    let sent = 0;
    const stop = new AbortController();
    const draining = spool.drain({
      send: async ({ count }) => {
        uploads += 1;
        sent += count;
      },
      signal: stop.signal,
      backoff: () => 1,
    });
    for (let i = 0; i < 50; i += 1) await write(eventOf({ i }));
    await expect.poll(() => sent).toBe(50);
    // One for each quarter of a second that the writes took; before, one for nearly every event.
    expect(uploads).toBeLessThan(15);
    stop.abort();
    await draining;
  });

  it('tries again with the given waits until auth takes the events, and tells each failure', async () => {
    await open();
    await write(eventOf());
    const stop = new AbortController();
    const waits: number[] = [];
    const failures: unknown[] = [];
    let left = 3;
    const draining = spool.drain({
      send: async () => {
        if (left-- > 0) throw new Error('auth is away');
      },
      signal: stop.signal,
      backoff: (attempt) => waits.push(attempt),
      onFailure: (error) => failures.push(error),
    });
    await expect.poll(() => spool.stats().waiting).toBe(0);
    stop.abort();
    await draining;
    expect(waits).toEqual([1, 2, 3]);
    expect(failures).toHaveLength(3);
  });

  it('stops a drain at once though auth never answers, and lets no second one run beside it', async () => {
    await open();
    await write(eventOf());
    const stop = new AbortController();
    const draining = spool.drain({ send: () => new Promise(() => undefined), signal: stop.signal, backoff: () => 1 });
    await expect(spool.drain({ send: async () => undefined, signal: stop.signal, backoff: () => 1 })).rejects.toThrow('already');
    stop.abort();
    await draining;
    expect(spool.stats().waiting).toBe(1);
  });

  it('deletes segments once they are acknowledged, the folder’s size with them', async () => {
    await open(1024 * 1024);
    for (let i = 0; i < 300; i++) {
      await write(intent(`r-${i}`, { body: 'x'.repeat(1000) }));
      spool.writeLater(outcome(`r-${i}`));
    }
    expect(segments().length).toBeGreaterThan(3);
    // Or the last outcome comes behind the drain where the machine is slow.
    await spool.flush();
    await drainAll();
    await spool.close();
    expect(segments()).toEqual([]);
  });

  it('is readable by its owner alone', async () => {
    await open();
    await write(eventOf());
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o077, name).toBe(0);
  });

  it('is one process’s alone until it is closed', async () => {
    await open();
    await expect(openSpool({ dir, nowMs: () => nowMs })).rejects.toMatchObject({
      code: 'already_exists',
      message: expect.stringContaining('is in use by another agent'),
    });
    await spool.close();
    await open();
  });

  describe('limits', () => {
    it('refuses an intent when it is full, still takes outcomes, and takes intents again after a drain', async () => {
      await open(200_000);
      const accepted: string[] = [];
      let refused: unknown;
      for (let i = 0; refused === undefined; i++) {
        try {
          await write(intent(`r-${i}`, { body: 'x'.repeat(2000) }));
          accepted.push(`r-${i}`);
        } catch (error) {
          refused = error;
        }
      }
      expect(refused).toBeInstanceOf(SpoolFull);
      // The client is told what the message says, and the log where that is; once, and not for each request.
      expect(refused).toMatchObject({ message: expect.not.stringContaining(dir), where: expect.stringContaining(dir) });
      await expect(write(intent('once more', { body: 'x'.repeat(2000) }))).rejects.toBeInstanceOf(SpoolFull);
      expect(told).toEqual([refused]);
      expect(refused).toMatchObject({ message: expect.stringContaining('audit unavailable') });
      expect(accepted.length).toBeGreaterThan(20);
      for (const requestId of accepted) spool.writeLater(outcome(requestId, { body: 'y'.repeat(3000) }));
      await expect.poll(() => spool.stats().waiting).toBe(2 * accepted.length);
      expect(spool.stats().bytes).toBeLessThanOrEqual(200_000);
      expect(spool.stats().replacedOutcomes).toBeGreaterThan(0);
      expect(spool.stats().unrecorded).toBe(0);
      const received = (await drainAll()).map(fieldsOf);
      const closed = received.filter(({ phase }) => phase === 'outcome').map(({ request_id }) => request_id);
      expect(closed).toHaveLength(accepted.length);
      expect(new Set(closed)).toEqual(new Set(accepted));
      expect(received.filter((fields) => fields['outcome'] === 'unknown')).toHaveLength(spool.stats().replacedOutcomes);
      await write(intent('again'));
      spool.writeLater(outcome('again'));
    });

    it('takes fields of 64 KiB and refuses one byte more, as auth does', async () => {
      await open();
      const padding = 64 * 1024 - '{"a":""}'.length;
      await write(eventOf({ a: 'x'.repeat(padding) }));
      await expect(write(eventOf({ a: 'x'.repeat(padding + 1) }))).rejects.toMatchObject({ code: 'limit_exceeded' });
      expect(spool.stats().waiting).toBe(1);
    });

    it.each([
      ['an id that is not one', { id: 'a b' }],
      ['no kind', { head: new EventHead({ ...texts, kind: '' }) }],
      ['a user that is too long', { head: new EventHead({ ...texts, user: 'x'.repeat(4097) }) }],
      ['no time', { timeMs: 1.5 }],
      ['a code that is too long', { code: 'x'.repeat(4097) }],
      ['fields that no json can hold', { fields: EventFields.of({ a: 1n }) }],
      ['fields that are no object', { fields: EventFields.of([] as unknown as Record<string, unknown>) }],
      ['fields that are nested too deep', { fields: EventFields.of({ a: 1 }).and(nested(65)) }],
      ['a request without an id', { phase: { phase: 'intent', requestId: '' } as const }],
    ])('refuses an event with %s: it would stop the upload of all others', async (_, bad) => {
      await open();
      await expect(write(eventOf({}, bad))).rejects.toMatchObject({ code: expect.stringMatching(/^(?:bad_request|limit_exceeded)$/) });
      expect(spool.stats().bytes).toBe(0);
    });

    it('takes fields as deep as auth does', async () => {
      await open();
      await write(eventOf({}, { fields: EventFields.of({ a: 1 }).and(nested(64)) }));
      expect(await drainAll()).toHaveLength(1);
    });

    it('records an outcome that auth would refuse as unknown', async () => {
      await open();
      await write(intent('r-1'));
      spool.writeLater(outcome('r-1', { body: 'x'.repeat(70_000) }));
      await expect.poll(() => spool.stats().waiting).toBe(2);
      expect((await drainAll()).map(fieldsOf)[1]).toMatchObject({ phase: 'outcome', request_id: 'r-1', outcome: 'unknown' });
    });

    it('refuses writes once it is closed', async () => {
      await open();
      await spool.close();
      await expect(write(eventOf())).rejects.toBeInstanceOf(SpoolUnavailable);
    });

    it('is refused where its folder cannot be made', async () => {
      await open();
      writeFileSync(join(dir, 'file'), '');
      await expect(openSpool({ dir: join(dir, 'file', 'spool'), nowMs: Date.now })).rejects.toBeInstanceOf(SpoolUnavailable);
    });
  });

  describe('after a crash', () => {
    /** What the disk held when the process was killed: the spool that is open now goes on in the folder it has locked. */
    const reopened = async (): Promise<Spool> => {
      const after = join(dir, '..', 'after-the-crash');
      cpSync(dir, after, { recursive: true });
      dir = after;
      return openSpool({ dir, nowMs: () => nowMs });
    };

    it('closes each intent without outcome as unknown, once, and no other', async () => {
      await open();
      for (const requestId of ['r-1', 'r-2', 'r-3']) await write(intent(requestId, { target: 'PutItem' }));
      spool.writeLater(outcome('r-2'));
      await write(eventOf({ note: 'no request' }));
      nowMs += 60_000;
      const second = await reopened();
      expect(second.report).toEqual({ closedUnknown: 2, unreadable: [] });
      await second.close();
      const third = await openSpool({ dir, nowMs: () => nowMs });
      expect(third.report.closedUnknown).toBe(0);
      const received = await drainAll(third);
      await third.close();
      const unknown = received.filter((event) => fieldsOf(event)['outcome'] === 'unknown');
      expect(unknown.map((event) => fieldsOf(event)['request_id'])).toEqual(['r-1', 'r-3']);
      expect(unknown[0]).toMatchObject({
        kind: 'db.session.dynamodb.request',
        user: 'alice',
        resource: 'db/example',
        success: false,
        timeMs: nowMs,
      });
      expect(new Set(received.map((event) => event.id)).size).toBe(received.length);
    });

    it('says in an outcome that it makes up which service, host, region, role and operation the intent told, and nothing else of it', async () => {
      const told = {
        app_name: 'aws',
        aws_role_arn: 'arn:aws:iam::111122223333:role/Reader',
        aws_service: 'lambda',
        aws_region: 'eu-west-1',
        aws_host: 'lambda.eu-west-1.amazonaws.com',
        operation: 'Invoke',
      };
      await open();
      const written = intent('r-1', { ...told, path: '/x', app_labels: { env: 'dev' }, target: 7 });
      await write(written);
      const second = await reopened();
      const made = (await drainAll(second)).map(fieldsOf).at(-1);
      const reason = 'the agent stopped before the answer was recorded';
      expect(made).toEqual({ ...told, outcome: 'unknown', reason, intent_id: written.id, request_id: 'r-1', phase: 'outcome' });
      await second.close();
      // and in one for an outcome that auth would refuse, in the process that wrote the intent
      spool.writeLater(outcome('r-1', { body: 'x'.repeat(70_000) }));
      await expect.poll(() => spool.stats().waiting).toBe(2);
      expect((await drainAll(spool)).map(fieldsOf).at(-1)).toMatchObject({ ...told, outcome: 'unknown', intent_id: written.id });
    });

    it('keeps what it repeats of an intent within 1 KiB, and leaves out what does not fit', async () => {
      await open();
      const long = 'r'.repeat(1000);
      await write(intent('r-1', { aws_role_arn: long, operation: 'Invoke', aws_service: 'lambda' }));
      const second = await reopened();
      const made = (await drainAll(second)).map(fieldsOf).at(-1);
      expect(made).toMatchObject({ outcome: 'unknown', operation: 'Invoke', aws_service: 'lambda' });
      expect(made).not.toHaveProperty('aws_role_arn');
      await second.close();
    });

    it('closes an intent whose segment was uploaded and deleted before the crash', async () => {
      await open(1024 * 1024);
      const long = intent('long', { operation: 'PutItem' });
      await write(long);
      for (let i = 0; i < 200; i++) {
        await write(intent(`r-${i}`, { body: 'x'.repeat(1000) }));
        spool.writeLater(outcome(`r-${i}`));
      }
      await expect.poll(() => spool.stats().waiting).toBe(401);
      await drainAll();
      expect(segments().some((file) => readFileSync(file).includes(long.id) && file.includes('000000000001.spool'))).toBe(false);
      const second = await reopened();
      expect(second.report.closedUnknown).toBe(1);
      const unknown = (await drainAll(second)).filter((event) => fieldsOf(event)['outcome'] === 'unknown');
      expect(unknown.map(fieldsOf)).toMatchObject([{ request_id: 'long', intent_id: long.id, operation: 'PutItem' }]);
      await second.close();
      spool.writeLater(outcome('long'));
    });

    it.each([
      ['a torn frame', (): Buffer => frameOf(eventOf()).subarray(0, 50), true],
      ['a header cut short', (): Buffer => Buffer.from([1, 2, 3]), true],
      ['a torn frame', (): Buffer => frameOf(eventOf()).subarray(0, 50), false],
      ['a header cut short', (): Buffer => Buffer.from([1, 2, 3]), false],
    ])('reads up to %s, and reports it, with zeros behind it: %3$s', async (_, tail, hasZeros) => {
      await open();
      const events = [eventOf({ i: 1 }), eventOf({ i: 2 })];
      for (const event of events) await write(event);
      const torn = tail();
      const [file = ''] = segments();
      const bytes = readFileSync(file);
      const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
      expect(bytes.length).toBeGreaterThan(end + torn.length);
      writeFileSync(file, Buffer.concat([bytes.subarray(0, end), torn, ...(hasZeros ? [bytes.subarray(end + torn.length)] : [])]));
      const second = await reopened();
      expect(second.report.unreadable).toEqual([{ segment: '000000000001.spool', bytes: torn.length, kind: 'torn' }]);
      expect(await drainAll(second)).toEqual(events.map(sentAs));
      await second.close();
    });

    it('takes the zeros that a killed process left for the end, and leaves none where it ends itself', async () => {
      await open();
      const events = [eventOf({ i: 1 }), eventOf({ i: 2 })];
      for (const event of events) await write(event);
      const [file = ''] = segments();
      expect(statSync(file).size).toBeGreaterThan(100_000);
      const second = await reopened();
      expect(second.report.unreadable).toEqual([]);
      expect(await drainAll(second)).toEqual(events.map(sentAs));
      await second.close();
      await spool.close();
      expect(readFileSync(file).at(-1)).toBe('}'.charCodeAt(0));
    });

    it('keeps a segment with damage in its middle for a person to look at', async () => {
      await open();
      for (let i = 0; i < 3; i++) await write(eventOf({ i }));
      const file = segments()[0] ?? '';
      const bytes = readFileSync(file);
      const at = bytes.indexOf('"i":1');
      bytes[at + 1] = 0x7a;
      writeFileSync(file, bytes);
      const second = await reopened();
      expect(second.report.unreadable).toMatchObject([{ kind: 'damaged' }]);
      expect((await drainAll(second)).map(fieldsOf)).toEqual([{ i: 0 }]);
      await expect.poll(() => readdirSync(dir)).toContain('000000000001.spool.damaged');
      await second.close();
    });

    it('holds every acknowledged event when its process is killed between write and answer, none twice', async () => {
      const program = `
        import { openSpool } from ${JSON.stringify(join(import.meta.dirname, 'open-spool.ts'))};
        import { EventFields, EventHead } from ${JSON.stringify(join(import.meta.dirname, 'event.ts'))};
        import { randomUUID } from 'node:crypto';
        const spool = await openSpool({ dir: process.argv[1], nowMs: Date.now, maxBytes: 4 * 1024 * 1024 });
        const head = new EventHead({ kind: 'x', user: 'u', resource: '', sessionId: '' });
        const event = (phase, requestId) => ({ head, id: randomUUID(), code: '', timeMs: Date.now(), success: true, fields: EventFields.of({}), phase: { phase, requestId } });
        const write = (one) => new Promise((resolve, reject) => spool.write(one, (error) => error ? reject(error) : resolve()));
        const work = async () => { for (;;) { const id = randomUUID(); const one = event('intent', id); await write(one); process.stdout.write(one.id + ' ' + id + '\\n'); spool.writeLater(event('outcome', id)); } };
        for (let i = 0; i < 8; i++) void work();`;
      const acknowledged: string[] = [];
      const requests: string[] = [];
      for (let round = 1; round <= 3; round++) {
        const child = spawn(process.execPath, ['--input-type=module', '-e', program, dir], {
          stdio: ['ignore', 'pipe', 'inherit'],
          cwd: join(import.meta.dirname, '../..'),
        });
        const exited = once(child, 'exit');
        for await (const line of createInterface({ input: child.stdout })) {
          const [id = '', requestId = ''] = line.split(' ');
          acknowledged.push(id);
          requests.push(requestId);
          if (acknowledged.length >= round * 400) child.kill('SIGKILL');
        }
        await exited;
      }
      await open();
      const received = await drainAll();
      const ids = received.map((event) => event.id);
      expect(new Set(ids).size).toBe(ids.length);
      const stored = new Set(ids);
      expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
      const outcomes = received
        .map(fieldsOf)
        .filter(({ phase }) => phase === 'outcome')
        .map((fields) => fields['request_id']);
      const closed = new Set(outcomes);
      expect(closed.size).toBe(outcomes.length);
      expect(requests.filter((requestId) => !closed.has(requestId))).toEqual([]);
    });
  });
});

// A mount namespace of the child's own: the small disk is gone when the child is.
const unshare = [['-m'], ['-rm']].find((flags) => spawnSync('unshare', [...flags, 'true']).status === 0);
const reason = 'a disk of 4 MiB cannot be mounted: allow unshare -rm (kernel.unprivileged_userns_clone), or run as root';
if (unshare === undefined && (process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined)) throw new Error(reason);
if (unshare === undefined) console.warn(`skipped: ${reason}`);

describe.skipIf(unshare === undefined)('the spool on a full disk', () => {
  it('refuses intents, still records the outcomes of those under way, and goes on once auth has taken the events', () => {
    const dir = mkdtempSync(join(tmpdir(), 'postern-full-'));
    const program = `
      import { openSpool } from ${JSON.stringify(join(import.meta.dirname, 'open-spool.ts'))};
      import { EventFields, EventHead } from ${JSON.stringify(join(import.meta.dirname, 'event.ts'))};
      import { AppendEventsRequest } from '@postern/api';
      import { randomUUID } from 'node:crypto';
      const dir = process.argv[1] + '/spool';
      const spool = await openSpool({ dir, nowMs: Date.now });
      const head = new EventHead({ kind: 'x', user: 'u', resource: '', sessionId: '' });
      const event = (phase, requestId, body) => ({ head, id: randomUUID(), code: '', timeMs: Date.now(), success: true, fields: EventFields.of({ body }), phase: { phase, requestId } });
      const write = (one) => new Promise((resolve, reject) => spool.write(one, (error) => error ? reject(error) : resolve()));
      const until = async (test) => { const end = Date.now() + 8000; while (!test() && Date.now() < end) await new Promise((r) => setTimeout(r, 20)); return test(); };
      const accepted = [];
      let refused;
      for (let i = 0; refused === undefined; i++) {
        try { await write(event('intent', 'r' + i, 'x'.repeat(20000))); accepted.push('r' + i); } catch (error) { refused = error; }
      }
      for (const id of accepted) spool.writeLater(event('outcome', id, 'done'));
      const outcomesStored = await until(() => spool.stats().waiting === 2 * accepted.length);
      const still = await write(event('intent', 'again', 'x'.repeat(20000))).then(() => 'taken', (error) => error.constructor.name);
      const received = [];
      const stop = new AbortController();
      const draining = spool.drain({ send: async ({ message }) => { received.push(...AppendEventsRequest.decode(message).events); }, signal: stop.signal, backoff: () => 1 });
      await until(() => spool.stats().waiting === 0 && spool.stats().bytes < 1024 * 1024);
      let after = 'refused';
      await until(() => { void write(event('intent', 'after', 'x')).then(() => { after = 'taken'; }, () => undefined); return after === 'taken'; });
      stop.abort(); await draining;
      const intents = received.map((e) => JSON.parse(Buffer.from(e.fieldsJson).toString())).filter((f) => f.phase === 'intent').map((f) => f.request_id);
      console.log(JSON.stringify({ accepted: accepted.length, refused: refused.constructor.name, message: refused.message, outcomesStored, still, after, lost: accepted.filter((id) => !intents.includes(id)).length, stats: spool.stats() }));
      process.exit(0);`;
    const script = 'mount -t tmpfs -o size=4m tmpfs "$1" && exec "$0" --input-type=module -e "$2" "$1"';
    const child = spawnSync('unshare', [...(unshare ?? []), 'sh', '-c', script, process.execPath, dir, program], {
      encoding: 'utf8',
      cwd: join(import.meta.dirname, '../..'),
    });
    rmSync(dir, { recursive: true });
    expect(child.stderr).toBe('');
    const told = JSON.parse(child.stdout) as { readonly accepted: number };
    expect(told.accepted).toBeGreaterThan(50);
    expect(told).toMatchObject({
      refused: 'SpoolFull',
      message: expect.stringContaining('audit unavailable'),
      outcomesStored: true,
      still: 'SpoolFull',
      after: 'taken',
      lost: 0,
      stats: { replacedOutcomes: 0, unrecorded: 0 },
    });
  }, 30_000);
});
