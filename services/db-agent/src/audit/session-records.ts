import { randomUUID } from 'node:crypto';
import { EventFields, EventHead, type LiveSession, type RefusedConnection, type Spool } from '@postern/agent';
import type { AdmittedDatabase } from '#requests/session-place.ts';

export interface SessionRecordsOptions {
  readonly spool: Pick<Spool, 'writeLater'>;
  readonly nowMs: () => number;
  readonly admitted: (name: string) => AdmittedDatabase | undefined;
}

/** A stranger who holds a ticket can fail a handshake as often as he likes; the log takes so many a minute and counts the rest. */
const MAX_REFUSALS_A_MINUTE = 120;

/** The start and the end of each session, and the connections that became none. */
export class SessionRecords {
  readonly #options: SessionRecordsOptions;
  #minute = 0;
  #refusals = 0;
  #suppressed = 0;

  constructor(options: SessionRecordsOptions) {
    this.#options = options;
  }

  started(session: LiveSession): void {
    this.#write({ kind: 'db.session.start', code: 'TDB00I', success: true, session, fields: this.#fields(session) });
  }

  ended(session: LiveSession): void {
    const why = session.endedBy;
    const fields = { ...this.#fields(session), reason: why ? why.cause : 'client left', ...(why ? { message: why.reason } : {}) };
    this.#write({ kind: 'db.session.end', code: 'TDB01I', success: true, session, fields });
  }

  refused(refused: RefusedConnection): void {
    const minute = Math.floor(this.#options.nowMs() / 60_000);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#refusals = 0;
    }
    this.#refusals += 1;
    if (this.#refusals > MAX_REFUSALS_A_MINUTE) return void (this.#suppressed += 1);
    const { identity, reason, clientAddress } = refused;
    const route = identity?.route;
    const fields = {
      error: reason.slice(0, 2048),
      'addr.remote': clientAddress,
      ...(route ? { db_service: route.resourceName, db_user: route.principal, db_protocol: 'dynamodb' } : {}),
      ...(this.#suppressed > 0 ? { suppressed_before: this.#suppressed } : {}),
    };
    this.#suppressed = 0;
    this.#options.spool.writeLater({
      head: new EventHead({
        kind: 'db.session.start',
        user: identity?.name ?? '',
        resource: route ? `${route.resourceKind}/${route.resourceName}` : '',
        sessionId: identity?.sessionId ?? '',
      }),
      id: randomUUID(),
      code: 'TDB00W',
      timeMs: this.#options.nowMs(),
      success: false,
      fields: EventFields.of(fields),
    });
  }

  #fields(session: LiveSession): Readonly<Record<string, unknown>> {
    const { route, clientAddress, identity } = session.facts;
    const admitted = this.#options.admitted(route.resourceName);
    return {
      db_service: route.resourceName,
      db_protocol: 'dynamodb',
      db_type: 'dynamodb',
      db_user: route.principal,
      user_roles: identity.roles,
      with_mfa: identity.secondFactor,
      'addr.remote': clientAddress,
      ...(admitted
        ? {
            db_uri: admitted.database.uri,
            db_labels: admitted.labels,
            db_aws_region: admitted.database.region,
            db_origin: admitted.database.origin,
          }
        : {}),
    };
  }

  #write(event: {
    readonly kind: string;
    readonly code: string;
    readonly success: boolean;
    readonly session: LiveSession;
    readonly fields: Readonly<Record<string, unknown>>;
  }): void {
    const { kind, code, success, session, fields } = event;
    const { route } = session.facts;
    const resource = `${route.resourceKind}/${route.resourceName}`;
    this.#options.spool.writeLater({
      head: new EventHead({ kind, user: session.user, resource, sessionId: session.id }),
      id: randomUUID(),
      code,
      timeMs: this.#options.nowMs(),
      success,
      fields: EventFields.of(fields),
    });
  }
}
