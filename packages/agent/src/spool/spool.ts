import { PosternError } from '@postern/api';
import type { SpoolEvent } from '#spool/event.ts';

/** The spool holds as much as it may, or the disk is full: refuse the request. The client may read the message; `where` is for the log. */
export class SpoolFull extends PosternError {
  readonly where: string;
  constructor(message: string, options: { readonly where: string; readonly cause?: unknown }) {
    super('unavailable', message, options);
    this.where = options.where;
  }
}

/** The disk refuses: refuse the request. As with SpoolFull, a client may read the message where `where` is apart from it. */
export class SpoolUnavailable extends PosternError {
  readonly where: string | undefined;
  constructor(message: string, options: { readonly where?: string; readonly cause?: unknown } = {}) {
    super('unavailable', message, options);
    this.where = options.where;
  }
}

export interface SpoolStats {
  /** On disk, events already uploaded but not yet deleted included. */
  readonly bytes: number;
  /** Durable events that auth has not acknowledged. */
  readonly waiting: number;
  /** When the oldest waiting event became durable, in epoch ms; undefined where nothing waits. */
  readonly oldestMs: number | undefined;
  /** Outcomes that did not fit, or that auth would refuse, and were recorded as `unknown` instead. */
  readonly replacedOutcomes: number;
  /** Events given to writeLater that did not fit and close no intent: how many, one event of each user says once there is room. */
  readonly unrecorded: number;
}

/** What opening found after a crash. */
export interface SpoolReport {
  /** Intents that had no outcome and were closed with an outcome `unknown`. */
  readonly closedUnknown: number;
  /** Segments with bytes that could not be read: a torn last write, or damage (the file is then kept as *.damaged). */
  readonly unreadable: readonly { readonly segment: string; readonly bytes: number; readonly kind: 'torn' | 'damaged' }[];
}

/** Events as auth is sent them: the stored bytes, put into one message and neither decoded nor encoded again. */
export interface UploadBatch {
  readonly count: number;
  /** A protobuf AppendEventsRequest. */
  readonly message: Buffer;
}

export interface DrainOptions {
  /** Resolves once auth has acknowledged all of them; it drops those that it has seen before. */
  readonly send: (batch: UploadBatch) => Promise<void>;
  readonly signal: AbortSignal;
  /** How long to wait, in ms, before the nth try in a row (from 1). */
  readonly backoff: (attempt: number) => number;
  /** Told of each failed upload, for the log. */
  readonly onFailure?: (error: unknown, attempt: number) => void;
}

export interface Spool {
  readonly report: SpoolReport;
  /**
   * Calls back once the event is on disk, never before this returns; with an error where it is not and will not be: SpoolFull,
   * SpoolUnavailable, or `limit_exceeded`/`bad_request` for an event auth would refuse.
   */
  write(event: SpoolEvent, done: (error: Error | undefined) => void): void;
  /**
   * For outcomes, sessions and refusals: durable with the next commit, at most a second later. Never throws; where an outcome does not
   * fit, `unknown` is recorded, and anything else is counted. Refusals have a part of the spool, and each user a share in that.
   */
  writeLater(event: SpoolEvent): void;
  /** Uploads in order until the signal aborts; at most one at a time. */
  drain(options: DrainOptions): Promise<void>;
  stats(): SpoolStats;
  /** Makes everything durable that writeLater took, so that a drain can upload it. */
  flush(): Promise<void>;
  /** As flush, and then no more is taken. */
  close(): Promise<void>;
}

export interface SpoolOptions {
  readonly dir: string;
  /** 256 MiB unless told. */
  readonly maxBytes?: number;
  readonly nowMs: () => number;
  /** Told when events begin to be refused, and with nothing once they are taken again: for the log, and not for each request. */
  readonly onRefusing?: (refusal: SpoolFull | SpoolUnavailable | undefined) => void;
  /** Told of the first event that is only counted, and with nothing once all are recorded one by one again. */
  readonly onUnrecorded?: (event: SpoolEvent | undefined) => void;
}
