import type { AppendEventsResponse, AuditEvent } from '@postern/api';
import type { Spool } from '#spool/spool.ts';

export interface UploadEventsOptions {
  readonly spool: Spool;
  readonly append: (events: AuditEvent[]) => Promise<AppendEventsResponse>;
  readonly backoff: (attempt: number) => number;
  readonly signal: AbortSignal;
  readonly onFailure: (error: unknown, attempt: number) => void;
}

/** Carries the spool to auth until the signal aborts. Auth drops what it has seen, so sending twice is harmless. */
export function uploadEvents(options: UploadEventsOptions): Promise<void> {
  return options.spool.drain({
    send: async (events) => void (await options.append(events)),
    signal: options.signal,
    backoff: options.backoff,
    onFailure: options.onFailure,
  });
}
