import type { AuditEvent } from '@postern/api';
import type { VolumeAlarm } from '#audit/volume-watch.ts';
import type { AnchorStore } from '#audit/anchor/anchor.ts';

/** Who handed an event in: the host id and kind come from its certificate, never from the event. */
export interface Emitter {
  readonly hostId: string;
  readonly kind: 'auth' | 'db_agent' | 'app_agent' | 'proxy';
}

/** An empty string, zero or absent field does not restrict. Times are of the event: from (inclusive) to (exclusive). */
export interface AuditFilter {
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly user?: string;
  readonly kind?: string;
  readonly resource?: string;
  readonly sessionId?: string;
}

export interface AuditQuery extends AuditFilter {
  /** 0 or absent: no limit. */
  readonly limit?: number;
  /** Newest first unless true. */
  readonly oldestFirst?: boolean;
}

export interface VerifyProgress {
  readonly records: number;
  /** How many there are to read. */
  readonly ofRecords: number;
}

export interface Verification {
  readonly ok: boolean;
  /** Records found good, in order, before the first bad one. */
  readonly records: number;
  /** Where it is not ok: the file and the line (from 1) of the first bad record, and what is wrong with it. */
  readonly segment: string;
  readonly line: number;
  readonly reason: string;
  /** Hash of the last good record: kept elsewhere, it proves that nothing was cut off the end. */
  readonly head: string;
}

/** Something that was not as the last clean stop left it. Each is also recorded in the log itself when it is found. */
export interface AuditProblem {
  readonly kind:
    | 'torn_tail_cut'
    | 'tail_missing'
    | 'head_unreadable'
    | 'head_mismatch'
    | 'record_damaged'
    | 'anchor_missing'
    | 'anchor_changed'
    | 'anchor_mismatch';
  readonly segment: string;
  readonly detail: string;
}

/**
 * The cluster's audit log: append-only segments of JSON lines, each line chained to the one before by SHA-256.
 * Errors are PosternError: `unavailable` (the disk refuses), `bad_request`, `limit_exceeded`.
 */
export interface AuditLog {
  /** What opening found. Empty after a clean stop. */
  readonly problems: readonly AuditProblem[];
  /**
   * Resolves once every event is durable. An event handed in again, with the same id and the same content, is counted
   * as a duplicate and not stored twice. All or nothing: one bad event refuses the call.
   */
  append(events: readonly AuditEvent[], emitter: Emitter): Promise<{ readonly stored: number; readonly duplicates: number }>;
  /** Stored lines, without their line end. */
  query(query: AuditQuery): AsyncIterable<string>;
  /** Lines as they become durable. Ends when the signal aborts; a reader 1 MiB behind ends with `limit_exceeded`. */
  tail(filter: AuditFilter, signal: AbortSignal): AsyncIterable<string>;
  /** Reads every record, in a thread of its own; one at a time, others wait for theirs. Rejects where the signal aborts. */
  verify(options?: { readonly signal?: AbortSignal; readonly onProgress?: (progress: VerifyProgress) => void }): Promise<Verification>;
  /** What an administrator has to do something about, in sentences: a volume that fills, events that are refused. */
  alarms(): readonly string[];
  /** The sentence with which events are refused since the last append; undefined where they are taken. */
  refusing(): string | undefined;
  close(): Promise<void>;
}

export interface AuditLogOptions {
  readonly dir: string;
  readonly nowMs: () => number;
  /** Written to every record as cluster_name. */
  readonly cluster: string;
  /** Where the log's end is known besides the log's own directory. */
  readonly anchors: AnchorStore;
  /** A problem that shows while the log is open; it is recorded in the log too. */
  readonly onProblem?: (problem: AuditProblem) => void;
  /** The volume passed 80 or 90 %, or fell below again. */
  readonly onVolume?: (alarm: VolumeAlarm | undefined) => void;
  /** A new segment is begun once one has reached this; 64 MiB unless told. */
  readonly maxSegmentBytes?: number;
}
