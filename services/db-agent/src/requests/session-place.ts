import type { Admitted, AssumedRole, LiveSession, NoPlace } from '@postern/agent';
import { roleArn, sessionName } from '@postern/aws';
import type { AccessRequest } from '@postern/rbac';
import type { Database } from '#databases/database.ts';

/** Where a session's requests go and as whom; see SessionPlaces. */
export interface SessionPlace extends AssumedRole {
  readonly database: Database;
  readonly labels: Readonly<Record<string, string>>;
  /** One object for the life of the place, so that the decision about it can be kept. */
  readonly asked: AccessRequest;
}

export function sessionPlace(session: LiveSession, { resource: database, labels }: Admitted<Database>): SessionPlace | NoPlace {
  const role = roleArn({ principal: session.facts.route.principal, region: database.region, accountId: database.accountId });
  if ('refusal' in role) return { reason: role.refusal };
  return {
    database,
    labels,
    roleArn: role.arn,
    roleSessionName: sessionName(session.user),
    assume: database,
    asked: { kind: 'db', name: database.name, labels, principal: role.spellings },
  };
}
