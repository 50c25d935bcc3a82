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
 * The fields of an event as JSON that is right by construction, so that nothing has to parse it again. Never throws: what auth
 * would refuse is told when the event is written.
 */
export class EventFields {
  /** How the JSON object begins, in UTF-8, and how it goes on, up to its closing brace. */
  readonly encoded: Buffer;
  readonly rest: string;
  readonly fault: PosternError | undefined;

  private constructor(encoded: Buffer, rest: string, fault: PosternError | undefined) {
    this.encoded = encoded;
    this.rest = rest;
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
    return new EventFields(NOTHING, text.slice(0, -1), fault);
  }

  /** These fields and those behind them. A name should not come twice. */
  and(more: EventFields | Readonly<Record<string, unknown>>): EventFields {
    const other = more instanceof EventFields ? more : EventFields.of(more);
    const fault = this.fault ?? other.fault;
    if (other.isEmpty) return new EventFields(this.encoded, this.rest, fault);
    return new EventFields(this.encoded, `${this.rest}${this.isEmpty ? '' : ','}${other.open.slice(1)}`, fault);
  }

  /** The same, for many events to begin with: it is encoded here and copied then. */
  asPrefix(): EventFields {
    return new EventFields(Buffer.from(this.open), '', this.fault);
  }

  get isEmpty(): boolean {
    return this.encoded.length + this.rest.length === 1;
  }

  /** The JSON object without its closing brace. */
  get open(): string {
    return this.encoded.length === 0 ? this.rest : this.encoded.toString() + this.rest;
  }
}

const NOTHING = Buffer.alloc(0);

/** What stands in the event behind the beginning that its fields have encoded already: the rest of the JSON, with the phase in it. */
export function restOfFields({ fields, phase }: Pick<SpoolEvent, 'fields' | 'phase'>): string {
  const { rest, isEmpty } = fields;
  if (phase === undefined) return isEmpty ? '' : `${rest}}`;
  return `${rest}${isEmpty ? '' : ','}"request_id":${JSON.stringify(phase.requestId)},"phase":"${phase.phase}"}`;
}

/** The event's fields as they are stored and sent. */
export function fieldsText(event: Pick<SpoolEvent, 'fields' | 'phase'>): string {
  const rest = restOfFields(event);
  return rest === '' ? '' : event.fields.encoded.toString() + rest;
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
