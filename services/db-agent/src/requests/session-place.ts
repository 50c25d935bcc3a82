import type { LiveSession } from '@postern/agent';
import { roleArn, sessionName } from '@postern/aws';
import type { AccessRequest } from '@postern/rbac';
import type { Database } from '#databases/database.ts';

/** Where a session's requests go and as whom: everything that does not change from one request to the next. */
export interface SessionPlace {
  readonly database: Database;
  readonly labels: Readonly<Record<string, string>>;
  readonly roleArn: string;
  readonly roleSessionName: string;
  /** One object for the life of the place, so that the decision about it can be kept. */
  readonly asked: AccessRequest;
}

export type PlaceOrReason = SessionPlace | { readonly reason: string };

/** A database that is served now, with the labels that auth gave it. */
export interface AdmittedDatabase {
  readonly database: Database;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The place of each session, kept until the database or its labels change. The database is the certificate's: a stream
 * has no way to name another.
 */
export class SessionPlaces {
  readonly #admitted: (name: string) => AdmittedDatabase | undefined;
  readonly #places = new WeakMap<LiveSession, { readonly from: AdmittedDatabase; readonly place: PlaceOrReason }>();

  constructor(admitted: (name: string) => AdmittedDatabase | undefined) {
    this.#admitted = admitted;
  }

  of(session: LiveSession): PlaceOrReason {
    const { route } = session.facts;
    const from = this.#admitted(route.resourceName);
    if (!from) return { reason: `db/${route.resourceName} is not served by this agent` };
    const kept = this.#places.get(session);
    if (kept?.from.database === from.database && kept.from.labels === from.labels) return kept.place;
    const place = makePlace(session, from);
    this.#places.set(session, { from, place });
    return place;
  }
}

function makePlace(session: LiveSession, { database, labels }: AdmittedDatabase): PlaceOrReason {
  const role = roleArn({ principal: session.facts.route.principal, region: database.region, accountId: database.accountId });
  if ('refusal' in role) return { reason: role.refusal };
  return {
    database,
    labels,
    roleArn: role.arn,
    roleSessionName: sessionName(session.user),
    asked: { kind: 'db', name: database.name, labels, principal: role.spellings },
  };
}
