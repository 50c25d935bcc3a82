import { randomUUID } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { type AuditEvent, PosternError } from '@postern/api';
import type { Anchor, FoundAnchor } from '#audit/anchor/anchor.ts';
import { AnchorKeeper } from '#audit/anchor/anchor-keeper.ts';
import type { AuditFilter, AuditLog, AuditLogOptions, AuditProblem, AuditQuery, Emitter, Verification } from '#audit/audit-log.ts';
import { CommitQueue } from '#audit/commit-queue.ts';
import { findRows } from '#audit/index/find-rows.ts';
import { Indexer, type NewRow } from '#audit/index/indexer.ts';
import { RecordReader, shares } from '#audit/index/read-records.ts';
import { type PreparedEvent, prepareEvent } from '#audit/record/prepare-event.ts';
import { LineStamper, type StampedRecord } from '#audit/record/stamp-lines.ts';
import { HeadFile } from '#audit/segments/head-file.ts';
import { recoverLog } from '#audit/segments/recover-log.ts';
import { firstEiOf } from '#audit/segments/segment-files.ts';
import { SegmentWriter } from '#audit/segments/segment-writer.ts';
import { verifyInThread } from '#audit/segments/verify-in-thread.ts';
import { isFull, unavailable } from '#audit/unavailable.ts';
import { matches, TailQueue } from '#audit/tail-queue.ts';
import { VolumeWatch, volumeText } from '#audit/volume-watch.ts';

const defaultMaxSegmentBytes = 64 * 1024 * 1024;
const maxEventsPerAppend = 10_000;
/** What auth adds to a line, or somewhat more. */
const maxStampBytes = 512;

interface Append {
  readonly events: readonly PreparedEvent[];
  /** Of their contents, about. */
  readonly bytes: number;
  readonly emitter: Emitter;
}
interface Appended {
  readonly stored: number;
  readonly duplicates: number;
}

export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { dir, nowMs, anchors, maxSegmentBytes = defaultMaxSegmentBytes } = options;
  let indexer: Indexer | undefined;
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await chmod(dir, 0o700);
    // First of all: its lock keeps a second process out.
    indexer = Indexer.open(dir);
    const headFile = await HeadFile.open(dir);
    const files = { dir, sealKey: anchors.key };
    const anchored = await anchors.read();
    const { head, problems } = await recoverLog(files, headFile.found, anchored);
    if (head.ei > (headFile.found?.ei ?? 0)) await headFile.write(head);
    const damaged = await indexer.catchUp(files, head);
    const writer = new SegmentWriter({ dir, headFile, maxSegmentBytes, head });
    const log = new SegmentedAuditLog(options, {
      indexer,
      headFile,
      writer,
      revision: anchored?.revision,
      problems: [...problems, ...damaged],
    });
    // Cutting a torn tail or going on behind a gap is itself an act that the log has to show.
    const found = problems.map((problem) => problemEvent(problem, nowMs()));
    if (found.length > 0) await log.append(found, itself);
    // After them: a chain that had to be broken has an end again once they stand behind the break.
    await log.start();
    return log;
  } catch (error) {
    indexer?.close();
    throw unavailable(error, ` in ${dir}`);
  }
}

const itself: Emitter = { hostId: 'audit-log', kind: 'auth' };

const problemEvent = ({ kind, segment, detail }: AuditProblem, timeMs: number): AuditEvent => ({
  id: randomUUID(),
  kind: 'audit.log.problem',
  code: 'TAL00W',
  timeMs,
  user: '',
  resource: '',
  sessionId: '',
  success: false,
  fieldsJson: Buffer.from(JSON.stringify({ problem: kind, segment, detail })),
});

function rowsOf(records: readonly StampedRecord[], { segment, offset }: { readonly segment: number; readonly offset: number }): NewRow[] {
  return records.map(({ event, ei, hash, timeMs, at, length }) => {
    const { digest, user, kind, resource, sessionId } = event;
    return { row: { ei, digest, timeMs, user, kind, resource, sessionId, segment, offset: offset + at, length }, hash };
  });
}

/** The store may be ahead of what this process knows to be written, and never behind. */
function anchorFault(found: FoundAnchor | undefined, known: Anchor | undefined): string | undefined {
  if (known === undefined) return undefined;
  if (found === undefined) return `the anchor of record ${known.ei} is gone from the store`;
  if (found.anchor === undefined) return 'the anchor in the store was forged';
  return found.anchor.ei < known.ei ? `the anchor in the store was set back from record ${known.ei} to ${found.anchor.ei}` : undefined;
}

class SegmentedAuditLog implements AuditLog {
  readonly problems: readonly AuditProblem[];
  readonly #options: AuditLogOptions;
  readonly #indexer: Indexer;
  readonly #headFile: HeadFile;
  readonly #writer: SegmentWriter;
  readonly #queue: CommitQueue<Append, Appended>;
  readonly #anchor: AnchorKeeper;
  readonly #tails = new Set<TailQueue>();
  #verifying: Promise<unknown> = Promise.resolve();
  readonly #volume: VolumeWatch;
  #refusing: { readonly reason: string; readonly full: boolean } | undefined;
  readonly #closing = new AbortController();
  #closed = false;

  constructor(
    options: AuditLogOptions,
    parts: {
      readonly indexer: Indexer;
      readonly headFile: HeadFile;
      readonly writer: SegmentWriter;
      readonly revision: string | undefined;
      readonly problems: readonly AuditProblem[];
    },
  ) {
    this.#options = options;
    this.#indexer = parts.indexer;
    this.#headFile = parts.headFile;
    this.#writer = parts.writer;
    this.problems = parts.problems;
    this.#queue = new CommitQueue((appends) => this.#commit(appends));
    this.#volume = new VolumeWatch(options.dir, {
      onChange: (alarm) => options.onVolume?.(alarm),
      onSpace: () => {
        // Nobody may ask for anything until auth is said to be ready again.
        if (this.#refusing?.full === true) this.#refusing = undefined;
      },
    });
    this.#anchor = new AnchorKeeper({
      anchors: options.anchors,
      revision: parts.revision,
      endOfLog: () => this.#writer.head,
      onProblem: (problem) => this.#tell({ ...problem, segment: this.#writer.head.segment }),
    });
  }

  /** From here on the store knows that records may follow. */
  async start(): Promise<void> {
    await this.#anchor.open();
    await this.#volume.check();
  }

  async append(events: readonly AuditEvent[], emitter: Emitter): Promise<Appended> {
    this.#refuseWhenClosed();
    if (events.length > maxEventsPerAppend) {
      throw new PosternError('limit_exceeded', `${events.length} audit events in one call are more than ${maxEventsPerAppend}`);
    }
    const prepared = events.map(prepareEvent);
    if (prepared.length === 0) return { stored: 0, duplicates: 0 };
    const bytes = prepared.reduce((sum, event) => sum + event.content.length + maxStampBytes, 0);
    return this.#queue.add({ events: prepared, bytes, emitter }, bytes);
  }

  async *query(query: AuditQuery): AsyncGenerator<string, void, undefined> {
    this.#refuseWhenClosed();
    await this.#indexer.flush().catch((error: unknown) => {
      throw unavailable(error);
    });
    const reader = new RecordReader(this.#options.dir);
    try {
      const order = { oldestFirst: query.oldestFirst ?? false, limit: query.limit || Number.MAX_SAFE_INTEGER };
      for await (const rows of findRows(this.#indexer.database, query, order)) {
        for (const together of shares(rows)) {
          this.#refuseWhenClosed();
          yield* await reader.read(together);
        }
      }
    } finally {
      await reader.close();
    }
  }

  async *tail(filter: AuditFilter, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    this.#refuseWhenClosed();
    const queue = new TailQueue(filter);
    this.#tails.add(queue);
    try {
      yield* queue.follow(signal);
    } finally {
      this.#tails.delete(queue);
    }
  }

  verify(options: Parameters<AuditLog['verify']>[0] = {}): Promise<Verification> {
    const verified = this.#verifying.then(() => this.#verify(options));
    this.#verifying = verified.catch(() => undefined);
    return verified;
  }

  async #verify({ signal, onProgress }: NonNullable<Parameters<AuditLog['verify']>[0]>): Promise<Verification> {
    this.#refuseWhenClosed();
    const { dir, anchors } = this.#options;
    const known = this.#anchor.written;
    const found = await anchors.read();
    const { head } = this.#writer;
    const expected = { head, onDisk: await this.#headFile.read(), anchor: found?.anchor };
    const closing = this.#closing.signal;
    const verified = await verifyInThread({ dir, sealKey: anchors.key }, expected, {
      signal: signal === undefined ? closing : AbortSignal.any([signal, closing]),
      onRecords: (records) => onProgress?.({ records, ofRecords: head.ei }),
    });
    const reason = verified.ok ? anchorFault(found, known) : undefined;
    return reason === undefined ? verified : { ...verified, ok: false, segment: head.segment, line: 0, reason };
  }

  #tell(problem: AuditProblem): void {
    this.#options.onProblem?.(problem);
    // What keeps it from being recorded is told by everything else that cannot be.
    this.append([problemEvent(problem, this.#options.nowMs())], itself).catch(() => undefined);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#closing.abort();
    this.#volume.stop();
    await this.#queue.idle();
    await this.#anchor.close();
    for (const tail of this.#tails) tail.fail(new PosternError('unavailable', 'the audit log was closed'));
    // What a full disk keeps out of the index is read from the segments when the log is opened again.
    await this.#indexer.flush().catch(() => undefined);
    this.#indexer.close();
    await this.#writer.close();
    await this.#headFile.close();
  }

  alarms(): readonly string[] {
    const { alarm } = this.#volume;
    return [...(this.#refusing === undefined ? [] : [this.#refusing.reason]), ...(alarm === undefined ? [] : [volumeText(alarm)])];
  }

  refusing(): string | undefined {
    return this.#refusing?.reason;
  }

  /** One group, all or nothing. */
  async #commit(appends: readonly Append[]): Promise<readonly Appended[]> {
    try {
      await this.#indexer.relieve();
      const results = await this.#write(appends);
      this.#refusing = undefined;
      return results;
    } catch (error) {
      const refusal = unavailable(error);
      this.#refusing = { reason: refusal.message, full: isFull(error) };
      void this.#volume.check();
      throw refusal;
    }
  }

  /** Stamped in order, written and synced at once. A failure leaves the log as it was before. */
  async #write(appends: readonly Append[]): Promise<readonly Appended[]> {
    const { cluster, nowMs, anchors } = this.#options;
    const expectedBytes = appends.reduce((sum, { bytes }) => sum + bytes, 0);
    const stamper = new LineStamper({ cluster, receivedMs: nowMs(), after: this.#writer.head, expectedBytes });
    const inGroup = new Set<string>();
    const results: Appended[] = [];
    for (const { events, emitter } of appends) {
      const before = stamper.records.length;
      for (const event of events) {
        // Looked up here and not in append: a copy of an event whose commit is under way is durable only when that is.
        if (inGroup.has(event.digest) || this.#indexer.has(event.digest)) continue;
        inGroup.add(event.digest);
        stamper.add(event, emitter);
      }
      const stored = stamper.records.length - before;
      results.push({ stored, duplicates: events.length - stored });
    }
    if (stamper.records.length === 0) return results;
    const { segment, offset } = await this.#writer.append(stamper.finish(anchors.key), stamper.last);
    this.#anchor.touch();
    this.#indexer.add(rowsOf(stamper.records, { segment: firstEiOf(segment), offset }));
    for (const tail of this.#tails) {
      for (const record of stamper.records) {
        if (matches(tail.filter, { ...record.event, timeMs: record.timeMs })) tail.push(stamper.lineOf(record));
      }
    }
    return results;
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new PosternError('unavailable', `the audit log in ${this.#options.dir} was closed`);
  }
}
