import { limits } from '@postern/limits';
import { Ballast } from '#spool/ballast.ts';
import { type DirectoryLock, lockDirectory } from '#spool/directory-lock.ts';
import { checkEvent, type SpoolEvent } from '#spool/event.ts';
import { type Draft, draftFrame } from '#spool/frame.ts';
import { OpenIntents, reserveForIntent } from '#spool/open-intents.ts';
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
import { Uploader } from '#spool/uploader.ts';

const defaultMaxBytes = limits.spoolBytes;
const maxSegmentBytes = 8 * 1024 * 1024;
const maxLaterBytes = 8 * 1024 * 1024;
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
  const refusing = new Refusing(options.onRefusing ?? (() => undefined));
  let numbers: readonly number[];
  let unreadable: SpoolReport['unreadable'];
  try {
    numbers = await prepareDirectory(dir);
    unreadable = await scanSegments(dir, numbers, { segments, intents });
  } catch (cause) {
    throw new SpoolUnavailable(`the audit spool ${dir} cannot be read`, { cause });
  }
  const nextNumber = (numbers.at(-1) ?? 0) + 1;
  const spool = new FileSpool({ dir, maxBytes, nowMs, nextNumber }, { segments, intents, ballast, lock, refusing }, unreadable);
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
  readonly #refusing: Refusing;
  #replacedOutcomes = 0;
  #dropped = 0;
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
      readonly refusing: Refusing;
    },
    unreadable: SpoolReport['unreadable'],
  ) {
    this.#options = options;
    this.#segments = parts.segments;
    this.#intents = parts.intents;
    this.#lock = parts.lock;
    this.#refusing = parts.refusing;
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
      dropped: this.#dropped,
    };
  }

  flush(): Promise<void> {
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
      await this.#writer.flush();
    } finally {
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

  #replace({ phase }: SpoolEvent, reason: string): void {
    if (phase?.phase === 'outcome' && this.#addUnknown(phase.requestId, reason)) this.#replacedOutcomes += 1;
    else this.#dropped += 1;
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
