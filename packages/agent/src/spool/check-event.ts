import { checkAuditEvent } from '@postern/api';
import type { SpoolEvent } from '#spool/spool.ts';

export interface Phase {
  readonly phase: 'intent' | 'outcome';
  readonly requestId: string;
}

/** Refuses what auth would refuse; answers which side of which request the event is, where it is one. */
export function checkEvent(event: SpoolEvent): Phase | undefined {
  const fields = checkAuditEvent(event);
  return fields === undefined ? undefined : phaseOf(fields);
}

export function phaseOf(fields: Record<string, unknown>): Phase | undefined {
  const { phase, request_id: requestId } = fields;
  if ((phase !== 'intent' && phase !== 'outcome') || typeof requestId !== 'string' || requestId === '') return undefined;
  return { phase, requestId };
}
