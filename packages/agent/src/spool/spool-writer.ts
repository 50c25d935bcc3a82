import type { Ballast } from '#spool/ballast.ts';
import type { Phase } from '#spool/check-event.ts';
import type { OpenIntents } from '#spool/open-intents.ts';
import { SegmentFile } from '#spool/segment-file.ts';
import type { SegmentList, TrackedSegment } from '#spool/segment-list.ts';
import { type SpoolEvent, SpoolFull, SpoolUnavailable } from '#spool/spool.ts';

/** One frame on its way to disk. `write` may be refused; `later` and `carry` are tried until they are written. */
export interface Item {
  readonly kind: 'write' | 'later' | 'carry';
  readonly frame: Buffer;
  readonly event: SpoolEvent;
  readonly phase: Phase | undefined;
  readonly reservedBytes: number;
  readonly done?: (error?: Error) => void;
}

const laterMs = 250;
const order = { carry: 0, write: 1, later: 2 } as const;

/**
 * Group commit: all that was handed in while one commit was under way goes to disk with the next, in one write and one
 * fdatasync, so that nobody waits for more than the commit under way and his own.
 */
export class SpoolWriter {
  readonly #options: { readonly dir: string; readonly segmentBytes: number; readonly nowMs: () => number };
  readonly #segments: SegmentList;
  readonly #intents: OpenIntents;
  readonly #ballast: Ballast;
  readonly #onCommit: () => void;
  #waiting: Item[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #active: { readonly file: SegmentFile; readonly tracked: TrackedSegment } | undefined;
  #nextNumber: number;
  #rollWanted = false;

  constructor(
    options: { readonly dir: string; readonly segmentBytes: number; readonly nowMs: () => number; readonly nextNumber: number },
    parts: { readonly segments: SegmentList; readonly intents: OpenIntents; readonly ballast: Ballast; readonly onCommit: () => void },
  ) {
    this.#options = options;
    this.#nextNumber = options.nextNumber;
    this.#segments = parts.segments;
    this.#intents = parts.intents;
    this.#ballast = parts.ballast;
    this.#onCommit = parts.onCommit;
  }

  /** Frames not on disk yet, with the room they keep. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  add(item: Item): void {
    this.#waiting.push(item);
    this.#waitingBytes += item.frame.length + item.reservedBytes;
    if (item.kind === 'later') this.#startLater();
    else this.#start();
  }

  /** Ends the active segment with the next commit, so that it can be deleted once it is uploaded. */
  roll(): void {
    this.#rollWanted = true;
    this.#start();
  }

  /** Writes everything that waits; rejects where the disk still refuses some of it. */
  async flush(): Promise<void> {
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
    // Calls made in the same turn share the first commit.
    await Promise.resolve();
    let refused: readonly Item[] = [];
    while (this.#waiting.length > 0 || this.#rollWanted) {
      const items = [...refused, ...this.#waiting];
      this.#waiting = [];
      refused = await this.#commit(items);
    }
    this.#waiting = [...refused];
    this.#running = undefined;
    if (refused.length > 0) this.#startLater();
  }

  /** Answers what has to be tried again. */
  async #commit(items: readonly Item[]): Promise<readonly Item[]> {
    // An intent whose outcome is already on disk is not carried: behind its outcome it would count as open again.
    const isNeeded = ({ kind, phase }: Item): boolean => kind !== 'carry' || (phase !== undefined && this.#intents.has(phase.requestId));
    for (const item of items) if (!isNeeded(item)) this.#finish(item);
    const ordered = items.filter(isNeeded).sort((a, b) => order[a.kind] - order[b.kind]);
    const writes = ordered.filter((item) => item.kind === 'write');
    const others = ordered.filter((item) => item.kind !== 'write');
    if (writes.length > 0 && !this.#ballast.held && !(await this.#ballast.take())) {
      for (const item of writes) this.#finish(item, diskFull(this.#options.dir));
      return this.#commitOthers(others);
    }
    try {
      await this.#store(ordered);
      return [];
    } catch (error) {
      const refusal = isFull(error) ? diskFull(this.#options.dir, error) : diskRefuses(this.#options.dir, error);
      for (const item of writes) this.#finish(item, refusal);
      if (others.length === 0 || !isFull(error) || !this.#ballast.held) return others;
      await this.#ballast.release();
      return this.#commitOthers(others);
    }
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
    const bytes = Buffer.concat(items.map((item) => item.frame));
    const full =
      this.#active !== undefined && this.#active.file.bytes > 0 && this.#active.file.bytes + bytes.length > this.#options.segmentBytes;
    const ends = full || this.#rollWanted;
    this.#rollWanted = false;
    if (ends) await this.#closeActive();
    if (bytes.length === 0) return this.#onCommit();
    this.#active ??= await this.#begin();
    const { file, tracked } = this.#active;
    await file.append(bytes);
    tracked.bytes = file.bytes;
    this.#segments.stored(items.filter((item) => item.kind !== 'carry').length, this.#options.nowMs());
    for (const item of items) {
      this.#note(item, tracked.number);
      this.#finish(item);
    }
    this.#onCommit();
  }

  #finish(item: Item, error?: Error): void {
    this.#waitingBytes -= item.frame.length + item.reservedBytes;
    item.done?.(error);
  }

  #note({ kind, event, phase, reservedBytes }: Item, segment: number): void {
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
const diskFull = (dir: string, cause?: unknown): SpoolFull =>
  new SpoolFull(`audit unavailable: the disk that holds the audit spool ${dir} is full`, { cause });
const diskRefuses = (dir: string, cause: unknown): SpoolUnavailable =>
  new SpoolUnavailable(`audit unavailable: the audit spool ${dir} cannot be written`, { cause });
