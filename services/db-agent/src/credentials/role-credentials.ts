import type { LiveSession } from '@postern/agent';
import { type AssumeRoleRequest, CredentialError, type Credentials } from '@postern/aws';
import type { SessionPlace } from '#requests/session-place.ts';

/** The part of AssumeRoleCache that is used here. */
export interface RoleAssumer {
  credentialsFor(request: AssumeRoleRequest): Promise<Credentials>;
}

/** The tag that carries the person's name to policies; a database's own tags cannot replace it. */
export const USER_TAG = 'postern:user';
/** What STS allows in the value of a tag. */
const TAG_VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;
/** The cache is not asked again for so long: finding its key costs more than signing. */
const KEEP_MS = 1000;
const MIN_LEFT_MS = 5000;

interface Kept {
  readonly request: AssumeRoleRequest;
  credentials?: Credentials;
  untilMs: number;
}

/**
 * Step 7: the user's own temporary credentials for the role. They are asked for with the person's name as session name,
 * tag and source identity, shared between nobody, and not used past his certificate.
 */
export class RoleCredentials {
  readonly #assumer: RoleAssumer;
  readonly #nowMs: () => number;
  readonly #kept = new WeakMap<SessionPlace, Kept>();

  constructor(assumer: RoleAssumer, nowMs: () => number) {
    this.#assumer = assumer;
    this.#nowMs = nowMs;
  }

  async for(session: LiveSession, place: SessionPlace): Promise<Credentials> {
    const nowMs = this.#nowMs();
    let kept = this.#kept.get(place);
    if (!kept) {
      kept = { request: assumeRoleRequest(session, place), untilMs: 0 };
      this.#kept.set(place, kept);
    }
    if (kept.credentials && nowMs < kept.untilMs) return kept.credentials;
    const credentials = await this.#assumer.credentialsFor(kept.request);
    // A flight of STS may have taken longer than the certificate had left.
    if (this.#nowMs() >= session.facts.notAfterMs)
      throw new CredentialError('expired', 'the certificate has expired: sign in again with tsh login');
    kept.credentials = credentials;
    kept.untilMs = Math.min(
      this.#nowMs() + KEEP_MS,
      (credentials.expiresAtMs ?? Number.POSITIVE_INFINITY) - MIN_LEFT_MS,
      session.facts.notAfterMs,
    );
    return credentials;
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
    tags: { ...Object.fromEntries(own), [USER_TAG]: TAG_VALUE.test(session.user) ? session.user : place.roleSessionName },
    useUntilMs: session.facts.notAfterMs,
    ...(database.assumeRoleArn === undefined ? {} : { assumeRoleArn: database.assumeRoleArn }),
    ...(database.externalId === undefined ? {} : { externalId: database.externalId }),
  };
}
