import { randomUUID } from 'node:crypto';
import type { AuditEvent } from '@postern/api';
import type { LiveSession, Spool } from '@postern/agent';
import type { Outcome } from '#forwarding/relay.ts';
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
/** What is shown of a client's own text in the log. */
const MAX_TEXT = 256;

/** The fields that each request of a session repeats, in an outcome and in an intent, as JSON that lacks its closing brace. */
interface Prefixes {
  readonly brief: string;
  readonly whole: string;
}

/** Steps 6 and 10: the events of requests, with Teleport's names for the fields. */
export class RequestRecords {
  readonly #spool: Pick<Spool, 'write' | 'writeLater'>;
  readonly #nowMs: () => number;
  readonly #prefixes = new WeakMap<SessionPlace, Prefixes>();

  constructor(options: { readonly spool: Pick<Spool, 'write' | 'writeLater'>; readonly nowMs: () => number }) {
    this.#spool = options.spool;
    this.#nowMs = options.nowMs;
  }

  /** Resolves once the intent is on disk; rejects where it cannot be, and then nothing may be sent. */
  async begin(session: LiveSession, place: SessionPlace, asked: Asked): Promise<OpenRecord> {
    const requestId = randomUUID();
    const prefixes = this.#prefixesOf(session, place);
    const request = JSON.stringify({ ...shown(asked), request_id: requestId }).slice(1, -1);
    const fieldsJson = Buffer.from(`${prefixes.whole},${request},"phase":"intent"}`);
    await this.#spool.write(this.#event(session, { code: 'TDY01I', success: true, fieldsJson }));
    return new OpenRecord(
      (outcome, startedMs) => this.#end(session, outcome, { head: `${prefixes.brief},${request}`, durationMs: this.#nowMs() - startedMs }),
      this.#nowMs(),
    );
  }

  refused(facts: RefusedFacts): void {
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
    this.#spool.writeLater(this.#event(session, { code: 'TDY01E', success: false, fieldsJson: Buffer.from(JSON.stringify(fields)) }));
  }

  #end(session: LiveSession, outcome: Outcome, { head, durationMs }: { readonly head: string; readonly durationMs: number }): void {
    const success = outcome.kind === 'answered' && outcome.status < 400;
    const rest = JSON.stringify({ phase: 'outcome', duration_ms: durationMs, ...outcomeFields(outcome) }).slice(1);
    const code = outcome.kind === 'answered' ? 'TDY01I' : 'TDY01E';
    this.#spool.writeLater(this.#event(session, { code, success, fieldsJson: Buffer.from(`${head},${rest}`) }));
  }

  #prefixesOf(session: LiveSession, place: SessionPlace): Prefixes {
    const known = this.#prefixes.get(place);
    if (known !== undefined) return known;
    const { database } = place;
    const short = brief(session, place);
    const whole = {
      ...short,
      db_uri: database.uri,
      db_labels: place.labels,
      db_aws_region: database.region,
      db_aws_account_id: database.accountId,
      db_origin: database.origin,
      db_role_arn: place.roleArn,
      user_roles: session.facts.identity.roles,
      'addr.remote': session.facts.clientAddress,
    };
    const prefixes = { brief: JSON.stringify(short).slice(0, -1), whole: JSON.stringify(whole).slice(0, -1) };
    this.#prefixes.set(place, prefixes);
    return prefixes;
  }

  #event(session: LiveSession, rest: Pick<AuditEvent, 'code' | 'success' | 'fieldsJson'>): AuditEvent {
    const { route } = session.facts;
    return {
      id: randomUUID(),
      kind: REQUEST_EVENT,
      timeMs: this.#nowMs(),
      user: session.user,
      resource: `${route.resourceKind}/${route.resourceName}`,
      sessionId: session.id,
      ...rest,
    };
  }
}

/** A request whose intent is durable and whose outcome is owed, exactly once. */
export class OpenRecord {
  readonly #write: (outcome: Outcome, startedMs: number) => void;
  readonly #startedMs: number;
  #ended = false;

  constructor(write: (outcome: Outcome, startedMs: number) => void, startedMs: number) {
    this.#write = write;
    this.#startedMs = startedMs;
  }

  end(outcome: Outcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#write(outcome, this.#startedMs);
  }
}

function brief(session: LiveSession, place: SessionPlace): object {
  return { db_service: place.database.name, db_protocol: 'dynamodb', db_type: 'dynamodb', db_user: session.facts.route.principal };
}

function unplaced(session: LiveSession): object {
  const { route } = session.facts;
  return { db_service: route.resourceName, db_protocol: 'dynamodb', db_type: 'dynamodb', db_user: route.principal };
}

function shown(asked: Asked): object {
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

function outcomeFields(outcome: Outcome): object {
  if (outcome.kind === 'not_sent') return { outcome: 'not_sent', status_code: 0, error: outcome.reason };
  const seen = { aws_request_id: outcome.awsRequestId, bytes: outcome.bytes };
  if (outcome.kind === 'unknown') return { outcome: 'unknown', status_code: outcome.status ?? 0, error: outcome.reason, ...seen };
  return {
    outcome: 'answered',
    status_code: outcome.status,
    ...seen,
    ...(outcome.consumedCapacity === undefined ? {} : { consumed_capacity: outcome.consumedCapacity }),
  };
}
