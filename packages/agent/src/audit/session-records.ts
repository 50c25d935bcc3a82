import { randomUUID } from 'node:crypto';
import type { Route } from '@postern/api';
import type { LiveSession } from '#session/live-session.ts';
import type { RefusedConnection } from '#session/open-sessions.ts';
import { EventFields, EventHead } from '#spool/event.ts';
import type { Spool } from '#spool/spool.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface SessionRecordsOptions {
  readonly spool: Pick<Spool, 'writeLater'>;
  readonly nowMs: () => number;
  readonly start: { readonly kind: string; readonly code: string; readonly refusedCode: string };
  readonly end: { readonly kind: string; readonly code: string };
  /** Under Teleport's names for the kind of resource; `route` is all that is known of a connection that is refused. */
  readonly fieldsOf: (route: Route) => Fields;
  readonly sessionFieldsOf: (session: LiveSession) => Fields;
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
    this.#write(this.#options.start, session, this.#fields(session));
  }

  ended(session: LiveSession): void {
    const why = session.endedBy;
    const fields = { ...this.#fields(session), reason: why ? why.cause : 'client left', ...(why ? { message: why.reason } : {}) };
    this.#write(this.#options.end, session, fields);
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
      ...(route ? this.#options.fieldsOf(route) : {}),
      ...(this.#suppressed > 0 ? { suppressed_before: this.#suppressed } : {}),
    };
    this.#suppressed = 0;
    this.#options.spool.writeLater({
      head: new EventHead({
        kind: this.#options.start.kind,
        user: identity?.name ?? '',
        resource: route ? `${route.resourceKind}/${route.resourceName}` : '',
        sessionId: identity?.sessionId ?? '',
      }),
      id: randomUUID(),
      code: this.#options.start.refusedCode,
      timeMs: this.#options.nowMs(),
      success: false,
      fields: EventFields.of(fields),
    });
  }

  #fields(session: LiveSession): Fields {
    const { clientAddress, identity } = session.facts;
    return {
      ...this.#options.sessionFieldsOf(session),
      user_roles: identity.roles,
      with_mfa: identity.secondFactor,
      'addr.remote': clientAddress,
    };
  }

  #write({ kind, code }: { readonly kind: string; readonly code: string }, session: LiveSession, fields: Fields): void {
    const { route } = session.facts;
    const resource = `${route.resourceKind}/${route.resourceName}`;
    this.#options.spool.writeLater({
      head: new EventHead({ kind, user: session.user, resource, sessionId: session.id }),
      id: randomUUID(),
      code,
      timeMs: this.#options.nowMs(),
      success: true,
      fields: EventFields.of(fields),
    });
  }
}
