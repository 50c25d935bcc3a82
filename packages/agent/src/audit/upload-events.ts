import type { AppendEventsResponse } from '@postern/api';
import type { Spool } from '#spool/spool.ts';

export interface UploadEventsOptions {
  readonly spool: Spool;
  /** The message is a protobuf AppendEventsRequest. */
  readonly append: (message: Buffer) => Promise<AppendEventsResponse>;
  readonly backoff: (attempt: number) => number;
  readonly signal: AbortSignal;
  readonly onFailure: (error: unknown, attempt: number) => void;
}

/** Carries the spool to auth until the signal aborts. Auth drops what it has seen, so sending twice is harmless. */
export function uploadEvents(options: UploadEventsOptions): Promise<void> {
  return options.spool.drain({
    send: async ({ message }) => void (await options.append(message)),
    signal: options.signal,
    backoff: options.backoff,
    onFailure: options.onFailure,
  });
}
