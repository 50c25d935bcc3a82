import { type AssumeRoleRequest, CredentialError, type Credentials } from '@postern/aws';
import type { LiveSession } from '#session/live-session.ts';

/** The role of a session and how the agent gets at it: one object for as long as none of it changes. */
export interface AssumedRole {
  readonly roleArn: string;
  readonly roleSessionName: string;
  readonly assume: {
    /** Whose STS is asked. */
    readonly region: string;
    /** Assumed first, with `externalId`; the user's role is assumed from it. */
    readonly assumeRoleArn?: string | undefined;
    readonly externalId: string | undefined;
    readonly sessionTags: Readonly<Record<string, string>>;
  };
}

/** The part of AssumeRoleCache that is used here. */
export interface RoleAssumer {
  credentialsFor(request: AssumeRoleRequest): Promise<Credentials>;
}

/** The tag that carries the person's name to policies; a resource's own tags cannot replace it. */
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
  readonly #kept = new WeakMap<AssumedRole, Kept>();

  constructor(assumer: RoleAssumer, nowMs: () => number) {
    this.#assumer = assumer;
    this.#nowMs = nowMs;
  }

  /** Those that `for` would give without asking anybody. */
  atHand(role: AssumedRole): Credentials | undefined {
    const kept = this.#kept.get(role);
    return kept?.credentials !== undefined && this.#nowMs() < kept.untilMs ? kept.credentials : undefined;
  }

  async for(session: LiveSession, role: AssumedRole): Promise<Credentials> {
    const nowMs = this.#nowMs();
    let kept = this.#kept.get(role);
    if (!kept) {
      kept = { request: assumeRoleRequest(session, role), untilMs: 0 };
      this.#kept.set(role, kept);
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

/** The request of STS for a session's role; also for credentials that are not kept. */
export function assumeRoleRequest(session: LiveSession, { roleArn, roleSessionName, assume }: AssumedRole): AssumeRoleRequest {
  const { region, assumeRoleArn, externalId, sessionTags } = assume;
  const own = Object.entries(sessionTags).filter(([key]) => key.toLowerCase() !== USER_TAG);
  return {
    user: session.user,
    region,
    roleArn,
    sessionName: roleSessionName,
    sourceIdentity: roleSessionName,
    tags: { ...Object.fromEntries(own), [USER_TAG]: TAG_VALUE.test(session.user) ? session.user : roleSessionName },
    useUntilMs: session.facts.notAfterMs,
    ...(assumeRoleArn === undefined ? {} : { assumeRoleArn }),
    ...(externalId === undefined ? {} : { externalId }),
  };
}
