import type { Admitted, LiveSession, SessionRecordsOptions } from '@postern/agent';
import type { Route } from '@postern/api';
import type { Database } from '#databases/database.ts';

/** The events of database sessions, with Teleport's names for the fields. */
export function sessionEvents(
  admitted: (name: string) => Admitted<Database> | undefined,
): Pick<SessionRecordsOptions, 'start' | 'end' | 'fieldsOf' | 'sessionFieldsOf'> {
  const fieldsOf = ({ resourceName, principal }: Route) => ({ db_service: resourceName, db_user: principal, db_protocol: 'dynamodb' });
  return {
    start: { kind: 'db.session.start', code: 'TDB00I', refusedCode: 'TDB00W' },
    end: { kind: 'db.session.end', code: 'TDB01I' },
    fieldsOf,
    sessionFieldsOf: ({ facts }: LiveSession) => {
      const served = admitted(facts.route.resourceName);
      return {
        ...fieldsOf(facts.route),
        db_type: 'dynamodb',
        ...(served
          ? {
              db_uri: served.resource.uri,
              db_labels: served.labels,
              db_aws_region: served.resource.region,
              db_origin: served.resource.origin,
            }
          : {}),
      };
    },
  };
}
