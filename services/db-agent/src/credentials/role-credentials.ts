import type { LiveSession } from '@postern/agent';
import type { AssumeRoleRequest, Credentials } from '@postern/aws';
import type { SessionPlace } from '#requests/session-place.ts';

/** The part of AssumeRoleCache that is used here. */
export interface RoleAssumer {
  credentialsFor(request: AssumeRoleRequest): Promise<Credentials>;
}

/** The tag that carries the person's name to policies; a database's own tags cannot replace it. */
export const USER_TAG = 'postern:user';

/**
 * Step 7: the user's own temporary credentials for the role. They are asked for with the person's name as session name,
 * tag and source identity, shared between nobody, and not used past his certificate.
 */
export class RoleCredentials {
  readonly #assumer: RoleAssumer;
  readonly #requests = new WeakMap<SessionPlace, AssumeRoleRequest>();

  constructor(assumer: RoleAssumer) {
    this.#assumer = assumer;
  }

  for(session: LiveSession, place: SessionPlace): Promise<Credentials> {
    let request = this.#requests.get(place);
    if (!request) {
      request = assumeRoleRequest(session, place);
      this.#requests.set(place, request);
    }
    return this.#assumer.credentialsFor(request);
  }
}

function assumeRoleRequest(session: LiveSession, place: SessionPlace): AssumeRoleRequest {
  const { database } = place;
  const own = Object.entries(database.sessionTags).filter(([key]) => key.toLowerCase() !== USER_TAG);
  return {
    user: session.user,
    region: database.region,
    roleArn: place.roleArn,
    sessionName: place.roleSessionName,
    sourceIdentity: place.roleSessionName,
    tags: { ...Object.fromEntries(own), [USER_TAG]: session.user },
    useUntilMs: session.facts.notAfterMs,
    ...(database.assumeRoleArn === undefined ? {} : { assumeRoleArn: database.assumeRoleArn }),
    ...(database.externalId === undefined ? {} : { externalId: database.externalId }),
  };
}
