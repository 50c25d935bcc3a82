import { randomUUID } from 'node:crypto';
import { EventFields, EventHead, type LiveSession, OpenRecord, type Outcome, type RequestEvent, type Spool } from '@postern/agent';
import { shownTarget } from '#audit/shown-target.ts';
import type { SessionPlace } from '#requests/session-place.ts';

/** What a request asked for, as far as it was understood. Never a body. */
export interface Asked {
  readonly method: string;
  /** With its query. */
  readonly target: string;
  readonly host: string;
  readonly service?: string;
  readonly region?: string;
  readonly operation?: string;
  /** X-Amz-Target, where the service is told by it. */
  readonly amzTarget?: string;
  /** X-Amz-Copy-Source, which may have a query. */
  readonly copySource?: string;
  readonly payload?: string;
}

export interface RefusedFacts {
  readonly session: LiveSession;
  readonly place: SessionPlace | undefined;
  readonly asked: Asked;
  readonly reason: string;
  readonly role?: string | undefined;
  readonly status: number;
}

interface Kind {
  readonly event: string;
  readonly codes: { readonly ok: string; readonly failed: string };
}
const REQUEST: Kind = { event: 'app.session.request', codes: { ok: 'T2009I', failed: 'T2009E' } };
/** As Teleport does for these two signing names. */
const DYNAMODB: Kind = { event: 'app.session.dynamodb.request', codes: { ok: 'T2013I', failed: 'T2013E' } };

type Fields = Readonly<Record<string, unknown>>;

/** What the requests of a session repeat. */
interface SessionTexts {
  readonly events: { readonly request: RequestEvent; readonly dynamodb: RequestEvent };
  readonly brief: EventFields;
  readonly whole: EventFields;
}

/** Steps 6 and 10: the events of requests, with Teleport's names for the fields. */
export class RequestRecords {
  readonly #spool: Pick<Spool, 'write' | 'writeLater'>;
  readonly #nowMs: () => number;
  readonly #onEnded: (outcome: Outcome['kind'] | 'refused') => void;
  readonly #texts = new WeakMap<SessionPlace, SessionTexts>();

  constructor(options: {
    readonly spool: Pick<Spool, 'write' | 'writeLater'>;
    readonly nowMs: () => number;
    readonly onEnded: (outcome: Outcome['kind'] | 'refused') => void;
  }) {
    this.#spool = options.spool;
    this.#nowMs = options.nowMs;
    this.#onEnded = options.onEnded;
  }

  /** Resolves once the intent is on disk; rejects where it cannot be, and then nothing may be sent. */
  begin(session: LiveSession, place: SessionPlace, asked: Asked): Promise<OpenRecord> {
    const { events, brief, whole } = this.#textsOf(session, place);
    const request = EventFields.of(shown(asked));
    const event = isDynamoDb(asked) ? events.dynamodb : events.request;
    return new Promise((resolve, reject) => {
      const record = new OpenRecord(event, { intent: whole.and(request), outcome: brief.and(request) }, (error) =>
        error === undefined ? resolve(record) : reject(error),
      );
    });
  }

  refused({ session, place, asked, reason, role, status }: RefusedFacts): void {
    this.#onEnded('refused');
    const kind = isDynamoDb(asked) ? DYNAMODB : REQUEST;
    const fields = {
      ...briefFields(session, place),
      ...shown(asked),
      phase: 'refusal',
      status_code: status,
      error: reason.slice(0, 2048),
      ...(role === undefined ? {} : { role }),
      'addr.remote': session.facts.clientAddress,
    };
    this.#spool.writeLater({
      head: headOf(session, kind),
      id: randomUUID(),
      code: kind.codes.failed,
      timeMs: this.#nowMs(),
      success: false,
      fields: EventFields.of(fields),
    });
  }

  #textsOf(session: LiveSession, place: SessionPlace): SessionTexts {
    const known = this.#texts.get(place);
    if (known !== undefined) return known;
    const { application, labels } = place;
    const brief = EventFields.of(briefFields(session, place)).asPrefix();
    const whole = brief
      .and({
        app_uri: application.uri,
        app_labels: labels,
        app_origin: application.origin,
        user_roles: session.facts.identity.roles,
        'addr.remote': session.facts.clientAddress,
      })
      .asPrefix();
    const events = { request: this.#eventOf(session, REQUEST), dynamodb: this.#eventOf(session, DYNAMODB) };
    const texts = { events, brief, whole };
    this.#texts.set(place, texts);
    return texts;
  }

  #eventOf(session: LiveSession, kind: Kind): RequestEvent {
    return { spool: this.#spool, nowMs: this.#nowMs, head: headOf(session, kind), codes: kind.codes, onEnded: this.#onEnded };
  }
}

function headOf(session: LiveSession, { event }: Kind): EventHead {
  const { route } = session.facts;
  return new EventHead({
    kind: event,
    user: session.user,
    resource: `${route.resourceKind}/${route.resourceName}`,
    sessionId: session.id,
  });
}

function isDynamoDb({ service }: Asked): boolean {
  return service === 'dynamodb' || service === 'dax';
}

function briefFields(session: LiveSession, place: SessionPlace | undefined): Fields {
  const { route } = session.facts;
  return { app_name: route.resourceName, aws_role_arn: place?.roleArn ?? route.principal };
}

function shown(asked: Asked): Fields {
  const { method, host, service, region, operation, amzTarget, payload } = asked;
  return {
    method: method.slice(0, 16),
    ...shownTarget(asked),
    aws_host: host.slice(0, 253),
    ...(service === undefined ? {} : { aws_service: service.slice(0, 64) }),
    ...(region === undefined ? {} : { aws_region: region.slice(0, 64) }),
    ...(operation === undefined ? {} : { operation: operation.slice(0, 128) }),
    ...(amzTarget === undefined ? {} : { target: amzTarget.slice(0, 256) }),
    ...(payload === undefined ? {} : { payload: payload.slice(0, 64) }),
  };
}
