import { spawn } from 'node:child_process';
import { hash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { AuditEvent } from '@postern/api';
import { limits } from '@postern/limits';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditLog, AuditQuery, Emitter } from '#audit/audit-log.ts';
import { openAuditLog } from '#audit/open-audit-log.ts';
import { openTestAnchors, type TestAnchors } from '#testing/test-anchors.ts';

const startMs = Date.UTC(2030, 0, 1);
const agent: Emitter = { hostId: 'agent-1', kind: 'db_agent' };

const eventOf = (more: Partial<AuditEvent> & { readonly fields?: unknown } = {}): AuditEvent => {
  const { fields = { phase: 'intent' }, ...rest } = more;
  const event = {
    id: randomUUID(),
    kind: 'db.session.dynamodb.request',
    code: 'TDY01I',
    timeMs: startMs,
    user: 'alice',
    resource: 'db/example',
  };
  return { ...event, sessionId: 's-1', success: true, fieldsJson: Buffer.from(JSON.stringify(fields)), ...rest };
};

describe('the audit log', () => {
  let dir: string;
  let nowMs: number;
  let log: AuditLog;
  let kept: TestAnchors;
  const open = async (maxSegmentBytes?: number): Promise<AuditLog> => {
    log = await openAuditLog({
      dir,
      nowMs: () => nowMs,
      cluster: 'example.com',
      anchors: kept.anchors,
      ...(maxSegmentBytes === undefined ? {} : { maxSegmentBytes }),
    });
    return log;
  };
  const found = async (query: AuditQuery = {}): Promise<Record<string, unknown>[]> => {
    const records: Record<string, unknown>[] = [];
    for await (const line of log.query({ oldestFirst: true, ...query })) records.push(JSON.parse(line) as Record<string, unknown>);
    return records;
  };
  const segments = (): string[] =>
    readdirSync(dir)
      .filter((name) => name.endsWith('.jsonl'))
      .sort()
      .map((name) => join(dir, name));
  const fill = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await log.append([eventOf({ timeMs: startMs + i, fields: { i } })], agent);
  };

  beforeEach(async () => {
    dir = join(mkdtempSync(join(tmpdir(), 'postern-audit-')), 'audit');
    kept = await openTestAnchors(join(dir, '..'));
    nowMs = startMs + 5000;
  });
  afterEach(async () => {
    await log.close();
    await kept.store.close();
    rmSync(join(dir, '..'), { recursive: true, force: true });
  });

  describe('append', () => {
    it('stores an event in the shape that Teleport gives it, stamped by auth', async () => {
      await open();
      const event = eventOf({ fields: { phase: 'intent', request_id: 'r-1', target: 'DynamoDB_20120810.ListTables' } });
      expect(await log.append([event], agent)).toEqual({ stored: 1, duplicates: 0 });
      const [record] = await found();
      expect(record).toEqual({
        ei: 1,
        event: 'db.session.dynamodb.request',
        uid: event.id,
        code: 'TDY01I',
        time: '2030-01-01T00:00:00.000Z',
        cluster_name: 'example.com',
        user: 'alice',
        sid: 's-1',
        success: true,
        resource: 'db/example',
        server_id: 'agent-1',
        server_kind: 'db_agent',
        received: '2030-01-01T00:00:05.000Z',
        phase: 'intent',
        request_id: 'r-1',
        target: 'DynamoDB_20120810.ListTables',
        prev: '0'.repeat(64),
        seal: expect.stringMatching(/^[0-9a-f]{32}$/),
        hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
    });

    it('chains each line to the one before by a hash over its very bytes', async () => {
      await open();
      await fill(20);
      const lines = readFileSync(segments()[0] ?? '', 'utf8')
        .trimEnd()
        .split('\n');
      let prev = '0'.repeat(64);
      for (const [at, line] of lines.entries()) {
        const record = JSON.parse(line) as { ei: number; prev: string; hash: string };
        expect(record).toMatchObject({ ei: at + 1, prev });
        expect(record.hash).toBe(hash('sha256', line.slice(0, line.lastIndexOf(',"hash":'))));
        prev = record.hash;
      }
      expect((await log.verify()).head).toBe(prev);
    });

    it('lets no field of an event override what auth stamps', async () => {
      await open();
      const forged = {
        ei: 99,
        prev: 'x',
        hash: 'x',
        server_id: 'other',
        received: 'never',
        user: 'bob',
        uid: 'x',
        event: 'user.login',
        success: false,
        ['__proto__']: 1,
        mine: 2,
      };
      const text = JSON.stringify(forged).replace('"mine":2', '"__proto__":{"user":"bob"},"user":"carol","mine":2');
      await log.append([eventOf({ fieldsJson: Buffer.from(text) })], agent);
      const [record] = await found();
      expect(record).toMatchObject({
        ei: 1,
        server_id: 'agent-1',
        user: 'alice',
        event: 'db.session.dynamodb.request',
        success: true,
        mine: 2,
      });
      expect(record?.['ignored_fields']).toEqual(['ei', 'prev', 'hash', 'server_id', 'received', 'user', 'uid', 'event', 'success']);
      expect((await log.verify()).ok).toBe(true);
    });

    it('stores an event once however often it is delivered: in one call, side by side, later, and after a restart', async () => {
      await open();
      const event = eventOf();
      expect(await log.append([event, event], agent)).toEqual({ stored: 1, duplicates: 1 });
      expect(await Promise.all([log.append([event], agent), log.append([event], agent)])).toEqual([
        { stored: 0, duplicates: 1 },
        { stored: 0, duplicates: 1 },
      ]);
      const second = eventOf();
      const racing = await Promise.all(Array.from({ length: 10 }, () => log.append([second], agent)));
      expect(racing.reduce((sum, { stored }) => sum + stored, 0)).toBe(1);
      await log.close();
      await open();
      expect(await log.append([second, event], agent)).toEqual({ stored: 0, duplicates: 2 });
      await log.close();
      rmSync(join(dir, 'index.sqlite'));
      await open();
      expect(await log.append([event, second], agent)).toEqual({ stored: 0, duplicates: 2 });
      expect(await found()).toHaveLength(2);
    });

    it('does not let a known id hide an event that says something else', async () => {
      await open();
      const event = eventOf();
      await log.append([event], agent);
      expect(await log.append([{ ...event, user: 'mallory' }], { hostId: 'agent-2', kind: 'db_agent' })).toEqual({
        stored: 1,
        duplicates: 0,
      });
    });

    it('takes fields at the limit and refuses one byte more, the whole call with it [limit auditFieldsBytes]', async () => {
      await open();
      const padding = limits.auditFieldsBytes - '{"a":""}'.length;
      expect((await log.append([eventOf({ fields: { a: 'x'.repeat(padding) } })], agent)).stored).toBe(1);
      const tooLong = eventOf({ fields: { a: 'x'.repeat(padding + 1) } });
      await expect(log.append([eventOf(), tooLong], agent)).rejects.toMatchObject({
        code: 'limit_exceeded',
        message: expect.stringContaining(tooLong.id),
      });
      expect(await found()).toHaveLength(1);
    });

    it('takes fields 64 levels deep and refuses 65 [limit nestingDepth]', async () => {
      await open();
      const nested = (depth: number): Buffer => Buffer.from(`${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`);
      expect((await log.append([eventOf({ fieldsJson: nested(64) })], agent)).stored).toBe(1);
      await expect(log.append([eventOf({ fieldsJson: nested(65) })], agent)).rejects.toMatchObject({ code: 'limit_exceeded' });
    });

    it('takes 4,096 characters in a name and refuses one more', async () => {
      await open();
      expect((await log.append([eventOf({ user: 'u'.repeat(4096) })], agent)).stored).toBe(1);
      await expect(log.append([eventOf({ user: 'u'.repeat(4097) })], agent)).rejects.toMatchObject({ code: 'limit_exceeded' });
    });

    it('takes 10,000 events in a call and refuses one more', async () => {
      await open();
      const many = Array.from({ length: 10_001 }, () => eventOf());
      expect((await log.append(many.slice(1), agent)).stored).toBe(10_000);
      await expect(log.append(many, agent)).rejects.toMatchObject({ code: 'limit_exceeded' });
    });

    it.each([
      ['an id that is not one', { id: 'a b' }],
      ['an id longer than 64 characters', { id: 'a'.repeat(65) }],
      ['no kind', { kind: '' }],
      ['no time', { timeMs: Number.NaN }],
      ['a time after the year 9999', { timeMs: 253_402_300_800_000 }],
      ['a negative time', { timeMs: -1 }],
      ['fields that are no json', { fieldsJson: Buffer.from('{') }],
      ['fields that are a list', { fieldsJson: Buffer.from('[]') }],
      ['fields that are null', { fieldsJson: Buffer.from('null') }],
      ['fields that are not utf-8', { fieldsJson: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) }],
    ])('refuses an event with %s', async (_, bad) => {
      await open();
      await expect(log.append([eventOf(bad)], agent)).rejects.toMatchObject({ code: 'bad_request' });
      expect((await log.verify()).records).toBe(0);
    });

    it('keeps one line per event, and a chain that verifies, whatever the fields hold', async () => {
      await open();
      let records = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()),
          fc.string({ unit: 'binary' }),
          async (fields, user) => {
            await log.append([eventOf({ fields, user })], agent);
            records += 1;
            const lines = readFileSync(segments()[0] ?? '', 'utf8')
              .trimEnd()
              .split('\n');
            expect(lines).toHaveLength(records);
            expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ ei: records, user: user.toWellFormed(), server_id: 'agent-1' });
          },
        ),
        { numRuns: 60 },
      );
      expect(await log.verify()).toMatchObject({ ok: true, records });
    });

    it('puts what waits together: a thousand events at once cost a few commits, in the order given', async () => {
      await open();
      const events = Array.from({ length: 1000 }, (_, i) => eventOf({ timeMs: startMs + i, fields: { i } }));
      await Promise.all(events.map((event) => log.append([event], agent)));
      const head = readFileSync(join(dir, 'head'), 'utf8');
      const generations = [...head.matchAll(/"generation":(\d+)/g)].map(([, generation]) => Number(generation));
      expect(Math.max(...generations)).toBeLessThan(5);
      expect((await found()).map((record) => record['i'])).toEqual(events.map((_, i) => i));
    });

    it('is refused to a second process while the first has it', async () => {
      await open();
      await expect(openAuditLog({ dir, nowMs: Date.now, cluster: 'c', anchors: kept.anchors })).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('another process'),
      });
    });

    it('is readable by its owner alone', async () => {
      await open();
      await fill(1);
      expect(statSync(dir).mode & 0o777).toBe(0o700);
      for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o077, name).toBe(0);
    });

    it('refuses everything once it is closed', async () => {
      await open();
      await log.close();
      await expect(log.append([eventOf()], agent)).rejects.toMatchObject({ code: 'unavailable' });
      await expect(log.verify()).rejects.toMatchObject({ code: 'unavailable' });
    });
  });

  describe('query and tail', () => {
    it('finds by user, kind, resource and time, in either order, up to a limit', async () => {
      await open(2000);
      for (let i = 0; i < 40; i++) {
        const [user, resource] = [i % 2 === 0 ? 'alice' : 'bob', i % 3 === 0 ? 'db/a' : 'db/b'];
        await log.append([eventOf({ timeMs: startMs + i, user, resource, kind: i % 5 === 0 ? 'user.login' : 'x', fields: { i } })], agent);
      }
      expect(segments().length).toBeGreaterThan(3);
      const numbers = async (query: AuditQuery): Promise<unknown[]> => (await found(query)).map((record) => record['i']);
      const all = Array.from({ length: 40 }, (_, i) => i);
      expect(await numbers({})).toEqual(all);
      expect(await numbers({ oldestFirst: false })).toEqual(all.toReversed());
      expect(await numbers({ user: 'bob' })).toEqual(all.filter((i) => i % 2 === 1));
      expect(await numbers({ user: 'alice', resource: 'db/a', kind: 'user.login' })).toEqual([0, 30]);
      expect(await numbers({ fromMs: startMs + 10, toMs: startMs + 13 })).toEqual([10, 11, 12]);
      expect(await numbers({ limit: 3 })).toEqual([0, 1, 2]);
      expect(await numbers({ limit: 3, oldestFirst: false, user: 'alice' })).toEqual([38, 36, 34]);
      expect(await numbers({ user: "alice' OR 1=1" })).toEqual([]);
    });

    it('pages through more records than it reads at a time, with equal times, none lost and none twice', async () => {
      await open();
      await log.append(
        Array.from({ length: 1300 }, (_, i) => eventOf({ timeMs: startMs + Math.floor(i / 700), fields: { i } })),
        agent,
      );
      const numbers = (await found({ oldestFirst: false })).map((record) => record['i']);
      expect(numbers).toEqual(Array.from({ length: 1300 }, (_, i) => 1299 - i));
    });

    it('finds an event the moment it was acknowledged', async () => {
      await open();
      for (let i = 0; i < 20; i++) {
        const event = eventOf();
        await log.append([event], agent);
        expect((await found()).at(-1)?.['uid']).toBe(event.id);
      }
    });

    it('tails what becomes durable and matches, until the signal aborts', async () => {
      await open();
      await fill(3);
      const stop = new AbortController();
      const lines = log.tail({ user: 'bob' }, stop.signal)[Symbol.asyncIterator]();
      const first = lines.next();
      await log.append([eventOf({ user: 'alice' }), eventOf({ user: 'bob', fields: { n: 1 } })], agent);
      await log.append([eventOf({ user: 'bob', fields: { n: 2 } })], agent);
      expect(JSON.parse(String((await first).value))).toMatchObject({ user: 'bob', n: 1 });
      expect(JSON.parse(String((await lines.next()).value))).toMatchObject({ user: 'bob', n: 2 });
      const pending = lines.next();
      stop.abort();
      expect((await pending).done).toBe(true);
    });

    it('ends a tail that is a mebibyte behind, and goes on storing', async () => {
      await open();
      const lines = log.tail({}, new AbortController().signal)[Symbol.asyncIterator]();
      const first = lines.next();
      await fill(1);
      await first;
      for (let i = 0; i < 20; i++) await log.append([eventOf({ fields: { a: 'x'.repeat(60_000) } })], agent);
      const drain = async (): Promise<void> => {
        while ((await lines.next()).done !== true);
      };
      await expect(drain()).rejects.toMatchObject({ code: 'limit_exceeded' });
      expect((await log.verify()).records).toBe(21);
    });
  });

  describe('verify', () => {
    const rewrite = (file: string, change: (lines: string[]) => string[]): void => {
      const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
      writeFileSync(file, `${change(lines).join('\n')}\n`);
    };

    it('passes over several segments, while others write', async () => {
      await open(3000);
      await fill(30);
      const [verified] = await Promise.all([log.verify(), fill(5)]);
      expect(verified).toMatchObject({ ok: true, reason: '' });
      expect(verified.records).toBeGreaterThanOrEqual(30);
      expect(await log.verify()).toMatchObject({ ok: true, records: 35 });
    });

    it.each([
      ['an edited record', 1, 3, 'was changed', (lines: string[]) => lines.with(2, (lines[2] ?? '').replace('alice', 'malic'))],
      ['a deleted record', 1, 3, 'missing', (lines: string[]) => lines.toSpliced(2, 1)],
      ['two records in each other’s place', 1, 3, 'missing', (lines: string[]) => lines.with(2, lines[3] ?? '').with(3, lines[2] ?? '')],
      ['a record twice', 1, 4, 'repeated', (lines: string[]) => lines.toSpliced(2, 0, lines[2] ?? '')],
      ['a segment cut at its end', 2, 1, 'missing', (lines: string[]) => lines.slice(0, -1)],
      ['a line that is no record', 1, 3, 'not a record', (lines: string[]) => lines.toSpliced(2, 0, '{"ei":3}')],
      ['a line break in a record', 1, 3, 'not a record', (lines: string[]) => lines.with(2, (lines[2] ?? '').replace('alice', 'al\nice'))],
    ])('finds %s', async (...[, badSegment, badLine, reason, change]) => {
      await open(3000);
      await fill(30);
      const files = segments();
      rewrite(files[0] ?? '', change);
      const result = await log.verify();
      expect(result).toMatchObject({
        ok: false,
        segment: readdirSync(dir)
          .filter((name) => name.endsWith('.jsonl'))
          .sort()[badSegment - 1],
        line: badLine,
      });
      expect(result.reason).toContain(reason);
    });

    it('finds a deleted segment, the first, one in the middle and the last', async () => {
      await open(3000);
      await fill(30);
      const files = segments();
      for (const file of [files[0], files[1], files.at(-1)]) {
        const kept = readFileSync(file ?? '');
        rmSync(file ?? '');
        expect((await log.verify()).ok, file).toBe(false);
        writeFileSync(file ?? '', kept);
      }
      expect((await log.verify()).ok).toBe(true);
    });

    it('finds a tail cut off at a record’s end, before and after a restart, and for good', async () => {
      await open();
      await fill(10);
      const file = segments()[0] ?? '';
      const whole = readFileSync(file, 'utf8');
      const cut = whole.slice(0, whole.trimEnd().lastIndexOf('\n') + 1);
      truncateSync(file, cut.length);
      expect(await log.verify()).toMatchObject({ ok: false, reason: expect.stringContaining('cut off') });
      await log.close();
      truncateSync(file, cut.length);
      await open();
      expect(log.problems).toMatchObject([{ kind: 'tail_missing' }]);
      await fill(5);
      expect(await log.verify()).toMatchObject({ ok: false, records: 9, reason: 'record 10 is missing' });
      expect(await found({ kind: 'audit.log.problem' })).toMatchObject([{ problem: 'tail_missing' }]);
    });

    it('finds a last record replaced by one with a good hash of its own', async () => {
      await open();
      await fill(3);
      await log.close();
      const file = segments()[0] ?? '';
      rewrite(file, (lines) => {
        const forged = (lines[2] ?? '').replace('alice', 'mallo').replace(/,"hash":.*/, '');
        return lines.with(2, `${forged},"hash":"${hash('sha256', forged)}"}`);
      });
      await open();
      expect(log.problems).toMatchObject([{ kind: 'head_mismatch' }, { kind: 'record_damaged' }]);
      expect(await log.verify()).toMatchObject({ ok: false, line: 3, reason: expect.stringContaining('its seal is forged') });
    });

    it('finds a head that was set back or deleted', async () => {
      await open();
      await fill(3);
      copyFileSync(join(dir, 'head'), join(dir, 'old-head'));
      await fill(3);
      copyFileSync(join(dir, 'old-head'), join(dir, 'head'));
      expect(await log.verify()).toMatchObject({ ok: false, reason: expect.stringContaining('head file') });
      await log.close();
      rmSync(join(dir, 'head'));
      await open();
      expect(log.problems).toMatchObject([{ kind: 'head_unreadable' }]);
      expect(await found({ kind: 'audit.log.problem' })).toHaveLength(1);
    });
  });

  describe('after a crash', () => {
    it('cuts a torn last line off, says so in the log, and keeps what was acknowledged', async () => {
      await open();
      await fill(5);
      await log.close();
      appendFileSync(segments()[0] ?? '', '{"ei":6,"cluster_name":"exam');
      await open();
      expect(log.problems).toMatchObject([{ kind: 'torn_tail_cut' }]);
      expect(await found({ kind: 'audit.log.problem' })).toMatchObject([{ ei: 6, problem: 'torn_tail_cut' }]);
      expect(await log.verify()).toMatchObject({ ok: true, records: 6 });
    });

    it('keeps whole records that were written and not yet acknowledged', async () => {
      await open();
      await fill(5);
      copyFileSync(join(dir, 'head'), join(dir, 'old-head'));
      await fill(2);
      await log.close();
      copyFileSync(join(dir, 'old-head'), join(dir, 'head'));
      await open();
      expect(log.problems).toEqual([]);
      expect(await log.verify()).toMatchObject({ ok: true, records: 7 });
    });

    it('survives a head of which one slot was torn', async () => {
      await open();
      await fill(5);
      await log.close();
      const head = readFileSync(join(dir, 'head'));
      const newer = head.subarray(512).toString().includes('"ei":5') ? 512 : 0;
      head.fill(0, newer + 20, newer + 60);
      writeFileSync(join(dir, 'head'), head);
      await open();
      expect(log.problems).toEqual([]);
      expect(await log.verify()).toMatchObject({ ok: true, records: 5 });
    });

    it('builds a damaged, foreign or missing index anew from the segments', async () => {
      await open(3000);
      await fill(30);
      const index = join(dir, 'index.sqlite');
      await log.close();
      const foreign = readFileSync(index);
      for (const spoil of [() => rmSync(index), () => writeFileSync(index, 'nonsense '.repeat(1000)), () => truncateSync(index, 0)]) {
        spoil();
        await open();
        expect(await found({ user: 'alice' })).toHaveLength(30);
        await log.close();
      }
      rmSync(dir, { recursive: true });
      await open();
      await fill(2);
      await log.close();
      writeFileSync(index, foreign);
      await open();
      expect(await found({ user: 'alice' })).toHaveLength(2);
    });

    it('holds every acknowledged event when its process is killed in the middle of writing, none twice', async () => {
      const program = `
        import { openAuditLog } from ${JSON.stringify(join(import.meta.dirname, 'open-audit-log.ts'))};
        import { randomUUID } from 'node:crypto';
        import { openTestAnchors } from ${JSON.stringify(join(import.meta.dirname, '../testing/test-anchors.ts'))};
        const { anchors } = await openTestAnchors(process.argv[1] + '/..');
        const log = await openAuditLog({ dir: process.argv[1], nowMs: Date.now, cluster: 'c', maxSegmentBytes: 20000, anchors });
        const event = (id) => ({ id, kind: 'x', code: '', timeMs: Date.now(), user: 'u', resource: '', sessionId: '', success: true, fieldsJson: Buffer.alloc(0) });
        const write = async () => { for (;;) { const id = randomUUID(); await log.append([event(id)], { hostId: 'h', kind: 'proxy' }); process.stdout.write(id + '\\n'); } };
        for (let i = 0; i < 8; i++) void write();`;
      const acknowledged: string[] = [];
      // A store is one process's: the children have it first.
      await kept.store.close();
      for (let round = 1; round <= 3; round++) {
        const child = spawn(process.execPath, ['--input-type=module', '-e', program, dir], {
          stdio: ['ignore', 'pipe', 'inherit'],
          cwd: join(import.meta.dirname, '../..'),
        });
        const exited = once(child, 'exit');
        for await (const line of createInterface({ input: child.stdout })) {
          acknowledged.push(line);
          if (acknowledged.length >= round * 300) child.kill('SIGKILL');
        }
        await exited;
      }
      kept = await openTestAnchors(join(dir, '..'));
      await open();
      expect(log.problems.filter(({ kind }) => kind !== 'torn_tail_cut')).toEqual([]);
      expect(acknowledged.length).toBeGreaterThanOrEqual(900);
      const ids = (await found({ kind: 'x' })).map((record) => String(record['uid']));
      expect(new Set(ids).size).toBe(ids.length);
      const stored = new Set(ids);
      expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
      expect((await log.verify()).ok).toBe(true);
    });
  });
});
