import { limits } from '@postern/limits';
import { Ballast } from '#spool/ballast.ts';
import { type DirectoryLock, lockDirectory } from '#spool/directory-lock.ts';
import { checkEvent, type SpoolEvent } from '#spool/event.ts';
import { type Draft, draftFrame } from '#spool/frame.ts';
import { OpenIntents, reserveForIntent } from '#spool/open-intents.ts';
import { isRefusal, RefusalShares } from '#spool/refusal-shares.ts';
import { Refusing } from '#spool/refusing.ts';
import { scanSegments } from '#spool/scan-segments.ts';
import { prepareDirectory } from '#spool/segment-file.ts';
import { SegmentList } from '#spool/segment-list.ts';
import {
  type DrainOptions,
  type Spool,
  SpoolFull,
  type SpoolOptions,
  type SpoolReport,
  type SpoolStats,
  SpoolUnavailable,
} from '#spool/spool.ts';
import { SpoolWriter } from '#spool/spool-writer.ts';
import { Unrecorded } from '#spool/unrecorded.ts';
import { Uploader } from '#spool/uploader.ts';

const defaultMaxBytes = limits.spoolBytes;
const maxSegmentBytes = 8 * 1024 * 1024;
const maxLaterBytes = 8 * 1024 * 1024;
/** On a disk that stalls refusals give way before outcomes and sessions do. */
const maxLaterWithRefusalBytes = maxLaterBytes / 2;
/** How soon it is tried to say how many events were not recorded. */
const tellMs = 1000;
const maxOpenIntents = 100_000;

/** The folder is this process's alone until the spool is closed. */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const lock = lockDirectory(options.dir);
  try {
    return await openLocked(options, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function openLocked(options: SpoolOptions, lock: DirectoryLock): Promise<Spool> {
  const { dir, maxBytes = defaultMaxBytes, nowMs } = options;
  const segments = new SegmentList();
  const intents = new OpenIntents();
  const ballast = new Ballast(dir);
  const share = maxBytes / defaultMaxBytes;
  const refusals = new RefusalShares({
    bytes: limits.spoolRefusalsBytes * share,
    bytesPerUser: limits.spoolRefusalsPerUserBytes * share,
  });
  const refusing = new Refusing(options.onRefusing ?? (() => undefined));
  const counting = new Refusing(options.onUnrecorded ?? (() => undefined));
  let numbers: readonly number[];
  let unreadable: SpoolReport['unreadable'];
  try {
    numbers = await prepareDirectory(dir);
    unreadable = await scanSegments(dir, numbers, { segments, intents, refusals });
  } catch (cause) {
    throw new SpoolUnavailable(`the audit spool ${dir} cannot be read`, { cause });
  }
  const nextNumber = (numbers.at(-1) ?? 0) + 1;
  const parts = { segments, intents, refusals, ballast, lock, refusing, counting };
  const spool = new FileSpool({ dir, maxBytes, nowMs, nextNumber }, parts, unreadable);
  await ballast.take();
  await spool.closeUnknown();
  return spool;
}

class FileSpool implements Spool {
  readonly report: SpoolReport;
  readonly #options: { readonly dir: string; readonly maxBytes: number; readonly nowMs: () => number };
  readonly #segments: SegmentList;
  readonly #intents: OpenIntents;
  readonly #writer: SpoolWriter;
  readonly #uploader: Uploader;
  readonly #lock: DirectoryLock;
  readonly #refusals: RefusalShares;
  readonly #refusing: Refusing<SpoolFull | SpoolUnavailable>;
  readonly #counting: Refusing<SpoolEvent>;
  readonly #unrecorded = new Unrecorded();
  #tellTimer: NodeJS.Timeout | undefined;
  #replacedOutcomes = 0;
  #draining = false;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(
    options: { readonly dir: string; readonly maxBytes: number; readonly nowMs: () => number; readonly nextNumber: number },
    parts: {
      readonly segments: SegmentList;
      readonly intents: OpenIntents;
      readonly ballast: Ballast;
      readonly lock: DirectoryLock;
      readonly refusals: RefusalShares;
      readonly refusing: Refusing<SpoolFull | SpoolUnavailable>;
      readonly counting: Refusing<SpoolEvent>;
    },
    unreadable: SpoolReport['unreadable'],
  ) {
    this.#options = options;
    this.#segments = parts.segments;
    this.#intents = parts.intents;
    this.#lock = parts.lock;
    this.#refusals = parts.refusals;
    this.#refusing = parts.refusing;
    this.#counting = parts.counting;
    this.report = { closedUnknown: parts.intents.size, unreadable };
    const segmentBytes = Math.min(maxSegmentBytes, Math.ceil(options.maxBytes / 16));
    this.#writer = new SpoolWriter({ ...options, segmentBytes }, { ...parts, onCommit: () => this.#wake?.() });
    this.#uploader = new Uploader(options.dir, { ...parts, writer: this.#writer });
  }

  write(event: SpoolEvent, done: (error: Error | undefined) => void): void {
    try {
      const frame = this.#drafted(event);
      const { phase } = event;
      const reservedBytes = phase?.phase === 'intent' ? reserveForIntent(frame.bytes, frame.fieldsBytes, phase.requestId) : 0;
      if (!this.#fits(frame.bytes + reservedBytes) || this.#intents.size >= maxOpenIntents) throw this.#full();
      this.#writer.add({ kind: 'write', frame, reservedBytes, done });
    } catch (error) {
      queueMicrotask(() => done(error as Error));
    }
  }

  writeLater(event: SpoolEvent): void {
    let frame: Draft;
    try {
      frame = this.#drafted(event);
    } catch {
      return this.#replace(event, 'the outcome could not be recorded as it was');
    }
    if (isRefusal(event)) return this.#addRefusal(frame) ? undefined : this.#count(event);
    const kept = event.phase?.phase === 'outcome' ? this.#intents.reservedFor(event.phase.requestId) : 0;
    if (this.#writer.laterBytes + frame.bytes <= maxLaterBytes && this.#fits(frame.bytes - kept)) this.#addLater(frame);
    else this.#replace(event, 'there was no room for the outcome in the audit spool');
  }

  async drain(options: DrainOptions): Promise<void> {
    if (this.#draining) throw new Error('the audit spool is already being drained');
    this.#draining = true;
    try {
      await this.#uploader.run(options, (signal) => this.#committed(signal));
    } finally {
      this.#draining = false;
    }
  }

  stats(): SpoolStats {
    return {
      bytes: this.#segments.bytes,
      waiting: this.#segments.waiting,
      oldestMs: this.#segments.oldestMs,
      replacedOutcomes: this.#replacedOutcomes,
      unrecorded: this.#unrecorded.total,
    };
  }

  flush(): Promise<void> {
    // A process that ends has no other chance to say it: a line a user beyond the share does no harm.
    for (const event of this.#unrecorded.events(this.#options.nowMs())) {
      const frame = draftFrame('event', event);
      if (!this.#fits(frame.bytes)) continue;
      this.#takeRefusal(frame);
      this.#unrecorded.told(event);
    }
    return this.#writer.flush();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#finish().finally(() => {
      this.#lock.release();
    });
  }

  async #finish(): Promise<void> {
    try {
      await this.flush();
    } finally {
      clearInterval(this.#tellTimer);
      await this.#writer.close();
    }
    if (!this.#draining && this.#intents.size === 0) await this.#uploader.tidy();
  }

  /** After a crash nobody knows what became of an open intent, and the log says so. */
  async closeUnknown(): Promise<void> {
    for (const requestId of this.#intents.requestIds()) this.#addUnknown(requestId, 'the agent stopped before the answer was recorded');
    // On a full disk they stay in memory and are tried again; the intents stay on disk meanwhile.
    await this.#writer.flush().catch(() => undefined);
  }

  #fits(bytes: number): boolean {
    const taken = this.#segments.bytes + this.#writer.waitingBytes + this.#intents.reservedBytes;
    return taken + bytes <= this.#options.maxBytes;
  }

  #drafted(event: SpoolEvent): Draft {
    if (this.#closed) throw new SpoolUnavailable('audit unavailable: the agent is stopping');
    const frame = draftFrame('event', event);
    checkEvent(event, frame.fieldsBytes);
    return frame;
  }

  #full(): SpoolFull {
    const { dir, maxBytes } = this.#options;
    const where = `the audit spool ${dir}, of at most ${maxBytes} bytes`;
    const refusal = new SpoolFull('audit unavailable: this agent holds as many records as it may, until auth takes them', { where });
    this.#refusing.refused(refusal);
    return refusal;
  }

  #replace(event: SpoolEvent, reason: string): void {
    const { phase } = event;
    if (phase?.phase === 'outcome' && this.#addUnknown(phase.requestId, reason)) this.#replacedOutcomes += 1;
    else this.#count(event);
  }

  /** False where refusals, or those of this user, have what they may have. */
  #addRefusal(frame: Draft): boolean {
    const mayWait = this.#writer.laterBytes + frame.bytes <= maxLaterWithRefusalBytes;
    if (!mayWait || !this.#refusals.fits(frame.event.head.user, frame.bytes) || !this.#fits(frame.bytes)) return false;
    this.#takeRefusal(frame);
    return true;
  }

  #takeRefusal(frame: Draft): void {
    this.#refusals.took(frame.event.head.user, frame.bytes);
    this.#addLater(frame);
  }

  #count(event: SpoolEvent): void {
    this.#unrecorded.count(event, this.#options.nowMs());
    this.#counting.refused(event);
    if (!this.#closed) this.#tellTimer ??= setInterval(() => this.#tellUnrecorded(), tellMs).unref();
  }

  /** By a timer and not with each commit: while there is no room for it, requests that are granted must not pay for it. */
  #tellUnrecorded(): void {
    for (const event of this.#unrecorded.events(this.#options.nowMs()))
      if (this.#addRefusal(draftFrame('event', event))) this.#unrecorded.told(event);
    if (this.#unrecorded.size > 0 || !this.#counting.taken()) return;
    clearInterval(this.#tellTimer);
    this.#tellTimer = undefined;
  }

  #addUnknown(requestId: string, reason: string): boolean {
    const event = this.#intents.unknownOutcome(requestId, { reason, timeMs: this.#options.nowMs() });
    if (event === undefined) return false;
    this.#addLater(draftFrame('event', event));
    return true;
  }

  #addLater(frame: Draft): void {
    this.#writer.add({ kind: 'later', frame, reservedBytes: 0 });
  }

  async #committed(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    signal.addEventListener('abort', wake, { once: true });
    try {
      if (!signal.aborted && this.#segments.nextToUpload() === undefined) await promise;
    } finally {
      signal.removeEventListener('abort', wake);
      this.#wake = undefined;
    }
  }
}
