import { open, rename, rm } from 'node:fs/promises';
import { draftFrame } from '#spool/frame.ts';
import type { OpenIntents } from '#spool/open-intents.ts';
import { packEvents } from '#spool/pack-events.ts';
import type { RefusalShares } from '#spool/refusal-shares.ts';
import { segmentPath } from '#spool/segment-file.ts';
import type { SegmentList, TrackedSegment } from '#spool/segment-list.ts';
import type { DrainOptions, UploadBatch } from '#spool/spool.ts';
import type { SpoolWriter } from '#spool/spool-writer.ts';

/** As many as auth takes at once. */
const maxBatchEvents = 1000;
/**
 * Fewer events than a batch holds are left to gather for so long: sent as they come, they cost an agent more than the
 * requests they tell of, and auth a commit each. A clean stop gives the spool longer than this to empty itself.
 */
const gatherMs = 250;
/** Under the 4 MiB that a gRPC message may have, and above the longest frame. */
const maxBatchBytes = 1024 * 1024;
/** An active segment that is wholly uploaded is ended once it is worth deleting. */
const worthDeletingBytes = 256 * 1024;

interface Batch extends UploadBatch {
  readonly segment: TrackedSegment;
  /** Where the segment has been read up to. */
  readonly end: number;
}

/** Uploads oldest first and deletes segments, oldest first, once all of them is acknowledged. */
export class Uploader {
  readonly #dir: string;
  readonly #segments: SegmentList;
  readonly #intents: OpenIntents;
  readonly #refusals: RefusalShares;
  readonly #writer: SpoolWriter;
  /** One for all batches: a megabyte of its own for each makes V8 collect its whole heap every few of them. */
  #buffer: Buffer | undefined;

  constructor(
    dir: string,
    parts: {
      readonly segments: SegmentList;
      readonly intents: OpenIntents;
      readonly refusals: RefusalShares;
      readonly writer: SpoolWriter;
    },
  ) {
    this.#dir = dir;
    this.#segments = parts.segments;
    this.#intents = parts.intents;
    this.#refusals = parts.refusals;
    this.#writer = parts.writer;
  }

  async run({ send, signal, backoff, onFailure }: DrainOptions, committed: (signal: AbortSignal) => Promise<void>): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        const mayGather = failures === 0 && this.#segments.nextToUpload()?.active === true;
        if (mayGather && this.#segments.waiting < maxBatchEvents) await pause(gatherMs, signal);
        if (signal.aborted) return;
        const batch = await this.#nextBatch();
        if (batch === undefined) await this.tidy();
        else if (await this.#upload(batch, send, signal)) failures = 0;
        if (batch === undefined && this.#segments.nextToUpload() === undefined) await committed(signal);
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        onFailure?.(error, failures);
        await pause(backoff(failures), signal);
      }
    }
  }

  async #upload({ segment, count, message, end }: Batch, send: DrainOptions['send'], signal: AbortSignal): Promise<boolean> {
    const buffer = this.#buffer;
    // Whoever was given it may still read it where he does not say that he is done.
    this.#buffer = undefined;
    if (count > 0 && !(await settlesBefore(signal, send({ count, message })))) return false;
    this.#buffer = buffer;
    segment.offset = end;
    this.#segments.acknowledged(count);
    await this.tidy();
    return true;
  }

  /** Deletes what is acknowledged; an intent still open is written again first, so that a later start can close it. */
  async tidy(): Promise<void> {
    for (let first = this.#segments.first; first !== undefined && first.offset >= first.bytes; first = this.#segments.first) {
      if (first.active) {
        if (first.bytes >= worthDeletingBytes) this.#writer.roll();
        return;
      }
      await this.#carry(first.number);
      const path = segmentPath(this.#dir, first.number);
      if (first.damagedBytes > 0) await rename(path, `${path}.damaged`);
      else await rm(path, { force: true });
      this.#segments.removeFirst();
      this.#refusals.deleted(first.number);
    }
  }

  async #carry(segment: number): Promise<void> {
    const carried = this.#intents.provedBy(segment).map((event) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#writer.add({ kind: 'carry', frame: draftFrame('carried', event), reservedBytes: 0, done: () => resolve() });
      return promise;
    });
    await Promise.all(carried);
  }

  async #nextBatch(): Promise<Batch | undefined> {
    const segment = this.#segments.nextToUpload();
    if (segment === undefined) return undefined;
    const handle = await open(segmentPath(this.#dir, segment.number), 'r');
    try {
      const wanted = Math.min(maxBatchBytes, segment.bytes - segment.offset);
      this.#buffer ??= Buffer.allocUnsafeSlow(maxBatchBytes);
      const { bytesRead } = await handle.read(this.#buffer, 0, wanted, segment.offset);
      const { count, message, end, stopped } = packEvents(this.#buffer.subarray(0, bytesRead), maxBatchEvents);
      if (stopped === 'damaged' || end === 0)
        throw new Error(`the spool segment ${segment.number} was changed after it was written, at byte ${segment.offset + end}`);
      return { segment, count, message, end: segment.offset + end };
    } finally {
      await handle.close();
    }
  }
}

/** False where the signal came first; the upload may still arrive, and is sent again by the next drain. */
async function settlesBefore(signal: AbortSignal, sending: Promise<void>): Promise<boolean> {
  const aborted = Promise.withResolvers<false>();
  const stop = (): void => aborted.resolve(false);
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    return await Promise.race([sending.then(() => true), aborted.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
    sending.catch(() => undefined);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = (): void => resolve();
  const timer = setTimeout(end, ms);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  });
}
