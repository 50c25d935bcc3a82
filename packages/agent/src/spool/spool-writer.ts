import type { Ballast } from '#spool/ballast.ts';
import { type Draft, writeFrame } from '#spool/frame.ts';
import type { OpenIntents } from '#spool/open-intents.ts';
import { isRefusal, type RefusalShares } from '#spool/refusal-shares.ts';
import type { Refusing } from '#spool/refusing.ts';
import { SegmentFile } from '#spool/segment-file.ts';
import type { SegmentList, TrackedSegment } from '#spool/segment-list.ts';
import { SpoolFull, SpoolUnavailable } from '#spool/spool.ts';

/** One frame on its way to disk. `write` may be refused; `later` and `carry` are tried until they are written. */
export interface Item {
  readonly kind: 'write' | 'later' | 'carry';
  readonly frame: Draft;
  readonly reservedBytes: number;
  readonly done?: (error: Error | undefined) => void;
}

const laterMs = 250;
/** Or once so much waits: who is refused 20 MB/s must not fill what may wait, and have the refusals of others counted. */
const eagerLaterBytes = 1024 * 1024;
/** A commit of more bytes than this gets memory of its own, and gives it back. */
const keptBufferBytes = 1024 * 1024;

/**
 * Group commit: all that was handed in while one commit was under way, and for the rest of that turn of the event loop, goes to
 * disk with the next, in one durable write, so that nobody waits for more than the commit under way and his own. What is
 * `later` rides along and starts no commit before its time.
 */
export class SpoolWriter {
  readonly #options: { readonly dir: string; readonly segmentBytes: number; readonly nowMs: () => number };
  readonly #segments: SegmentList;
  readonly #intents: OpenIntents;
  readonly #refusals: RefusalShares;
  readonly #ballast: Ballast;
  readonly #refusing: Refusing<SpoolFull | SpoolUnavailable>;
  readonly #onCommit: () => void;
  #waiting: Item[] = [];
  #urgent = 0;
  #waitingBytes = 0;
  #laterBytes = 0;
  #buffer = Buffer.allocUnsafe(64 * 1024);
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #active: { readonly file: SegmentFile; readonly tracked: TrackedSegment } | undefined;
  #nextNumber: number;
  #rollWanted = false;
  #flushWanted = false;
  /** The disk took not all of the last commit. */
  #stuck = false;

  constructor(
    options: { readonly dir: string; readonly segmentBytes: number; readonly nowMs: () => number; readonly nextNumber: number },
    parts: {
      readonly segments: SegmentList;
      readonly intents: OpenIntents;
      readonly refusals: RefusalShares;
      readonly ballast: Ballast;
      readonly refusing: Refusing<SpoolFull | SpoolUnavailable>;
      readonly onCommit: () => void;
    },
  ) {
    this.#options = options;
    this.#nextNumber = options.nextNumber;
    this.#segments = parts.segments;
    this.#intents = parts.intents;
    this.#refusals = parts.refusals;
    this.#ballast = parts.ballast;
    this.#refusing = parts.refusing;
    this.#onCommit = parts.onCommit;
  }

  /** Frames not on disk yet, with the room they keep. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** The same of what is not urgent. */
  get laterBytes(): number {
    return this.#laterBytes;
  }

  add(item: Item): void {
    this.#waiting.push(item);
    this.#waitingBytes += item.frame.bytes + item.reservedBytes;
    if (item.kind === 'later') {
      this.#laterBytes += item.frame.bytes;
      return this.#laterBytes < eagerLaterBytes || this.#stuck ? this.#startLater() : this.#start();
    }
    this.#urgent += 1;
    this.#start();
  }

  /** Ends the active segment with the next commit, so that it can be deleted once it is uploaded. */
  roll(): void {
    this.#rollWanted = true;
    this.#start();
  }

  /** Writes everything that waits; rejects where the disk still refuses some of it. */
  async flush(): Promise<void> {
    this.#flushWanted = true;
    this.#start();
    await this.#running;
    if (this.#waiting.length > 0)
      throw new SpoolUnavailable(`${this.#waiting.length} audit events could not be written to the spool in ${this.#options.dir}`);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#closeActive();
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running ??= this.#run();
  }

  #startLater(): void {
    if (this.#running === undefined) this.#timer ??= setTimeout(() => this.#start(), laterMs);
  }

  async #run(): Promise<void> {
    let refused: readonly Item[];
    do {
      await endOfTurn();
      const items = this.#waiting;
      this.#waiting = [];
      this.#urgent = 0;
      refused = await this.#commit(items);
      if (refused.length > 0) this.#waiting = [...refused, ...this.#waiting];
    } while (this.#urgent > 0 || this.#rollWanted || (this.#flushWanted && this.#waiting.length > refused.length));
    this.#stuck = refused.length > 0;
    this.#flushWanted = false;
    this.#running = undefined;
    if (this.#waiting.length > 0) this.#startLater();
  }

  /** Answers what has to be tried again. */
  async #commit(items: readonly Item[]): Promise<readonly Item[]> {
    const needed = items.some(isCarry) ? this.#carriedFirst(items) : items;
    const writes = needed.filter(isWrite);
    const others = needed.filter((item) => !isWrite(item));
    if (writes.length > 0 && !this.#ballast.held && !(await this.#ballast.take())) {
      this.#refuse(writes, diskFull(this.#options.dir));
      return this.#commitOthers(others);
    }
    try {
      await this.#store(needed);
      if (writes.length > 0) this.#refusing.taken();
      return [];
    } catch (error) {
      const refusal = isFull(error) ? diskFull(this.#options.dir, error) : diskRefuses(this.#options.dir, error);
      this.#refuse(writes, refusal);
      if (others.length === 0 || !isFull(error) || !this.#ballast.held) return others;
      await this.#ballast.release();
      return this.#commitOthers(others);
    }
  }

  #refuse(writes: readonly Item[], refusal: SpoolFull | SpoolUnavailable): void {
    if (writes.length > 0) this.#refusing.refused(refusal);
    for (const item of writes) this.#finish(item, refusal);
  }

  /**
   * An intent is carried before anything else is written, for behind its outcome it would count as open again; and where
   * the outcome is on disk already it is not carried at all.
   */
  #carriedFirst(items: readonly Item[]): readonly Item[] {
    const isOpen = ({ frame: { event } }: Item): boolean => event.phase !== undefined && this.#intents.has(event.phase.requestId);
    const carried = items.filter(isCarry);
    for (const item of carried) if (!isOpen(item)) this.#finish(item);
    return [...carried.filter(isOpen), ...items.filter((item) => !isCarry(item))];
  }

  async #commitOthers(items: readonly Item[]): Promise<readonly Item[]> {
    try {
      await this.#store(items);
      return [];
    } catch {
      return items;
    }
  }

  async #store(items: readonly Item[]): Promise<void> {
    const length = items.reduce((sum, { frame }) => sum + frame.bytes, 0);
    const full = this.#active !== undefined && this.#active.file.bytes > 0 && this.#active.file.bytes + length > this.#options.segmentBytes;
    const ends = full || this.#rollWanted;
    this.#rollWanted = false;
    if (ends) await this.#closeActive();
    if (length === 0) return this.#onCommit();
    this.#active ??= await this.#begin();
    const { file, tracked } = this.#active;
    await file.append(this.#encode(items, length));
    this.#segments.grown(tracked, length);
    let events = 0;
    for (const item of items) {
      if (item.kind !== 'carry') events += 1;
      this.#note(item, tracked.number);
    }
    this.#segments.stored(events, this.#options.nowMs());
    for (const item of items) this.#finish(item);
    this.#onCommit();
  }

  /** One buffer for all commits: no two are under way at once. */
  #encode(items: readonly Item[], length: number): Buffer {
    let buffer = this.#buffer;
    if (buffer.length < length) buffer = Buffer.allocUnsafe(Math.max(length, 2 * buffer.length));
    if (buffer.length <= keptBufferBytes) this.#buffer = buffer;
    let end = 0;
    for (const { frame } of items) end = writeFrame(buffer, end, frame);
    return buffer.subarray(0, end);
  }

  #finish(item: Item, error?: Error): void {
    this.#waitingBytes -= item.frame.bytes + item.reservedBytes;
    if (item.kind === 'later') this.#laterBytes -= item.frame.bytes;
    item.done?.(error);
  }

  #note({ kind, frame: { event, bytes }, reservedBytes }: Item, segment: number): void {
    const { phase } = event;
    if (kind === 'later' && isRefusal(event)) this.#refusals.stored(event.head.user, bytes, segment);
    if (phase === undefined) return;
    if (kind === 'carry') this.#intents.carriedTo(phase.requestId, segment);
    else if (phase.phase === 'intent') this.#intents.open(phase.requestId, event, { segment, reservedBytes });
    else this.#intents.close(phase.requestId);
  }

  async #begin(): Promise<{ readonly file: SegmentFile; readonly tracked: TrackedSegment }> {
    // Counted up first: a number whose file could be made but not synced is not tried again.
    const file = await SegmentFile.create(this.#options.dir, this.#nextNumber++);
    const tracked = { number: file.number, bytes: 0, damagedBytes: 0, offset: 0, active: true };
    this.#segments.add(tracked);
    return { file, tracked };
  }

  async #closeActive(): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    if (active === undefined) return;
    active.tracked.active = false;
    await active.file.close();
  }
}

const isFull = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
const isCarry = ({ kind }: Item): boolean => kind === 'carry';
const isWrite = ({ kind }: Item): boolean => kind === 'write';
const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const diskFull = (dir: string, cause?: unknown): SpoolFull =>
  new SpoolFull('audit unavailable: the disk on which this agent records requests is full', { where: `the audit spool ${dir}`, cause });
const diskRefuses = (dir: string, cause: unknown): SpoolUnavailable =>
  new SpoolUnavailable('audit unavailable: the disk on which this agent records requests refuses', {
    where: `the audit spool ${dir}`,
    cause,
  });
