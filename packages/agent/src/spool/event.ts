import { AuditEvent, checkAuditStamp, checkAuditTexts, checkFieldsDepth, checkFieldsLength, PosternError } from '@postern/api';

/** Which side of which request an event is. The log says it in the fields `phase` and `request_id`. */
export interface Phase {
  readonly phase: 'intent' | 'outcome';
  readonly requestId: string;
}

/** An audit event on its way to auth, in parts: what a session or an operation repeats was checked and encoded once. */
export interface SpoolEvent {
  readonly head: EventHead;
  /** UUID. */
  readonly id: string;
  readonly code: string;
  readonly timeMs: number;
  readonly success: boolean;
  readonly fields: EventFields;
  readonly phase?: Phase;
}

/** What all events of one kind have in common within a session. Never throws: what auth would refuse is told when an event is written. */
export class EventHead {
  readonly kind: string;
  readonly user: string;
  readonly resource: string;
  readonly sessionId: string;
  readonly fault: PosternError | undefined;
  /** As in a protobuf AuditEvent: what stands there before `code`, and between `time_ms` and `success`. */
  readonly encoded: { readonly kind: Uint8Array; readonly rest: Uint8Array };

  constructor(texts: { readonly kind: string; readonly user: string; readonly resource: string; readonly sessionId: string }) {
    const { kind, user, resource, sessionId } = texts;
    this.kind = kind;
    this.user = user;
    this.resource = resource;
    this.sessionId = sessionId;
    this.fault = faultIn(() => checkAuditTexts({ id: `of session ${sessionId.slice(0, 64)}`, ...texts }));
    this.encoded = {
      kind: AuditEvent.encode(AuditEvent.fromPartial({ kind })).finish(),
      rest: AuditEvent.encode(AuditEvent.fromPartial({ user, resource, sessionId })).finish(),
    };
  }
}

/**
 * The fields of an event as JSON text that is right by construction, so that nothing has to parse it again. Never throws:
 * what auth would refuse is told when the event is written.
 */
export class EventFields {
  /** The JSON object without its closing brace. */
  readonly open: string;
  readonly fault: PosternError | undefined;

  private constructor(open: string, fault: PosternError | undefined) {
    this.open = open;
    this.fault = fault;
  }

  static of(fields: Readonly<Record<string, unknown>>): EventFields {
    let text = '{}';
    const fault = faultIn(() => {
      const made = JSON.stringify(fields);
      checkFieldsDepth('', made);
      if (!made.startsWith('{')) throw new PosternError('bad_request', 'fields of an audit event are not a json object');
      text = made;
    });
    return new EventFields(text.slice(0, -1), fault);
  }

  /** These fields and those behind them. A name should not come twice. */
  and(more: EventFields | Readonly<Record<string, unknown>>): EventFields {
    const { open, fault } = more instanceof EventFields ? more : EventFields.of(more);
    if (open === '{') return new EventFields(this.open, this.fault ?? fault);
    const text = this.open === '{' ? open : `${this.open},${open.slice(1)}`;
    return new EventFields(text, this.fault ?? fault);
  }
}

/** The event's fields as they are stored and sent: JSON, with the phase among them. */
export function fieldsText({ fields, phase }: Pick<SpoolEvent, 'fields' | 'phase'>): string {
  if (phase === undefined) return fields.open === '{' ? '' : `${fields.open}}`;
  return `${fields.open}${fields.open === '{' ? '' : ','}"request_id":${JSON.stringify(phase.requestId)},"phase":"${phase.phase}"}`;
}

/** Throws where auth would refuse the event: it would stop the upload of all that come after it. */
export function checkEvent(event: SpoolEvent, fieldsBytes: number): void {
  const { head, fields, phase } = event;
  checkAuditStamp(event);
  if (head.fault !== undefined) throw head.fault;
  if (fields.fault !== undefined) throw fields.fault;
  if (phase?.requestId === '') throw new PosternError('bad_request', `the request of audit event ${event.id} has no id`);
  checkFieldsLength(event.id, fieldsBytes);
}

function faultIn(check: () => void): PosternError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof PosternError) return error;
    return new PosternError('bad_request', 'an audit event cannot be written as json', { cause: error });
  }
}
