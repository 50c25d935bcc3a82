import { randomUUID } from 'node:crypto';
import { EventFields, EventHead, type LiveSession, OpenRecord, type Outcome, type RequestEvent, type Spool } from '@postern/agent';
import type { SessionPlace } from '#requests/session-place.ts';

/** What a request asked for, as far as it was understood. Never a body, nor anything from inside an item. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly target: string;
  readonly operation?: string;
  readonly tables?: readonly string[];
}

export interface RefusedFacts {
  readonly session: LiveSession;
  readonly place: SessionPlace | undefined;
  readonly asked: Asked;
  readonly reason: string;
  readonly role?: string | undefined;
  readonly status: number;
}

export const REQUEST_EVENT = 'db.session.dynamodb.request';
const CODES = { ok: 'TDY01I', failed: 'TDY01E' };
/** What is shown of a client's own text in the log. */
const MAX_TEXT = 256;

/** The fields of one operation's requests up to what no two have in common. */
interface Known {
  readonly asked: Asked;
  readonly intent: EventFields;
  readonly outcome: EventFields;
}

/** What the requests of a session repeat; the operations in it are those of the table, so it is bounded. */
interface SessionTexts {
  readonly event: RequestEvent;
  readonly brief: EventFields;
  readonly whole: EventFields;
  readonly byOperation: Map<string, Known>;
}

export type RecordsSpool = Pick<Spool, 'write' | 'writeLater'>;

/** Steps 6 and 10: the events of requests, with Teleport's names for the fields. */
export class RequestRecords {
  readonly #spool: RecordsSpool;
  readonly #nowMs: () => number;
  readonly #onEnded: (outcome: Outcome['kind'] | 'refused') => void;
  readonly #texts = new WeakMap<SessionPlace, SessionTexts>();

  constructor(options: {
    readonly spool: RecordsSpool;
    readonly nowMs: () => number;
    readonly onEnded?: (outcome: Outcome['kind'] | 'refused') => void;
  }) {
    this.#spool = options.spool;
    this.#nowMs = options.nowMs;
    this.#onEnded = options.onEnded ?? (() => undefined);
  }

  /** Resolves once the intent is on disk; rejects where it cannot be, and then nothing may be sent. */
  begin(session: LiveSession, place: SessionPlace, asked: Asked): Promise<OpenRecord> {
    return new Promise((resolve, reject) => {
      const record = this.open({ session, place, asked }, (error) => (error === undefined ? resolve(record) : reject(error)));
    });
  }

  /**
   * As begin, without a promise: calls back without an error once the intent is on disk, with one where it cannot be, and then
   * nothing may be sent and the record is not to be ended. Never before this returns.
   */
  open(
    facts: Pick<RefusedFacts, 'session' | 'asked'> & { readonly place: SessionPlace },
    durable: (error: Error | undefined) => void,
  ): OpenRecord {
    const { event, known } = this.#known(facts);
    return new OpenRecord(event, known, durable);
  }

  refused(facts: RefusedFacts): void {
    this.#onEnded('refused');
    const { session, place, asked, reason, role, status } = facts;
    const fields = {
      ...(place ? brief(session, place) : unplaced(session)),
      ...shown(asked),
      phase: 'refusal',
      status_code: status,
      error: reason.slice(0, 2048),
      ...(role === undefined ? {} : { role }),
      'addr.remote': session.facts.clientAddress,
    };
    this.#spool.writeLater({
      head: headOf(session),
      id: randomUUID(),
      code: CODES.failed,
      timeMs: this.#nowMs(),
      success: false,
      fields: EventFields.of(fields),
    });
  }

  #known({ session, place, asked }: Pick<RefusedFacts, 'session' | 'asked'> & { readonly place: SessionPlace }): {
    readonly event: RequestEvent;
    readonly known: Known;
  } {
    const { event, brief, whole, byOperation } = this.#textsOf(session, place);
    const before = byOperation.get(asked.operation ?? '');
    if (before !== undefined && isSame(before.asked, asked)) return { event, known: before };
    const request = EventFields.of(shown(asked));
    const known = { asked, intent: whole.and(request).asPrefix(), outcome: brief.and(request).asPrefix() };
    byOperation.set(asked.operation ?? '', known);
    return { event, known };
  }

  #textsOf(session: LiveSession, place: SessionPlace): SessionTexts {
    const known = this.#texts.get(place);
    if (known !== undefined) return known;
    const { database } = place;
    const short = EventFields.of(brief(session, place));
    const whole = short.and({
      db_uri: database.uri,
      db_labels: place.labels,
      db_aws_region: database.region,
      db_aws_account_id: database.accountId,
      db_origin: database.origin,
      db_role_arn: place.roleArn,
      user_roles: session.facts.identity.roles,
      'addr.remote': session.facts.clientAddress,
    });
    const event = { spool: this.#spool, nowMs: this.#nowMs, head: headOf(session), codes: CODES, onEnded: this.#onEnded };
    const texts = { event, brief: short, whole, byOperation: new Map<string, Known>() };
    this.#texts.set(place, texts);
    return texts;
  }
}

function headOf(session: LiveSession): EventHead {
  const { route } = session.facts;
  return new EventHead({
    kind: REQUEST_EVENT,
    user: session.user,
    resource: `${route.resourceKind}/${route.resourceName}`,
    sessionId: session.id,
  });
}

function isSame(one: Asked, other: Asked): boolean {
  if (one === other) return true;
  const { method, path, target, operation, tables } = one;
  if (method !== other.method || path !== other.path || target !== other.target || operation !== other.operation) return false;
  if (tables === other.tables) return true;
  if (tables === undefined || tables.length !== other.tables?.length) return false;
  for (const [at, table] of tables.entries()) if (table !== other.tables[at]) return false;
  return true;
}

type Fields = Readonly<Record<string, unknown>>;

function brief(session: LiveSession, place: SessionPlace): Fields {
  return { db_service: place.database.name, db_protocol: 'dynamodb', db_type: 'dynamodb', db_user: session.facts.route.principal };
}

function unplaced(session: LiveSession): Fields {
  const { route } = session.facts;
  return { db_service: route.resourceName, db_protocol: 'dynamodb', db_type: 'dynamodb', db_user: route.principal };
}

function shown(asked: Asked): Fields {
  const { method, path, target, operation, tables } = asked;
  return {
    method: method.slice(0, 16),
    path: path.slice(0, MAX_TEXT),
    raw_query: '',
    target: target.slice(0, MAX_TEXT),
    ...(operation === undefined ? {} : { operation }),
    ...(tables === undefined ? {} : { tables }),
  };
}
