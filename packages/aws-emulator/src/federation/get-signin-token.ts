import type { CredentialBook, KnownCredentials } from '#credential-book.ts';
import { AwsError } from '#protocols/aws-error.ts';
import type { SignIns } from '#federation/sign-ins.ts';

const tokenLifeMs = 15 * 60_000;

export interface FederationContext {
  readonly book: CredentialBook;
  readonly signIns: SignIns;
  /** The longest session of a role, in seconds. */
  readonly maxSessionSeconds: (roleArn: string) => number;
  readonly partition: string | undefined;
  readonly nowMs: number;
}

/**
 * `Action=getSigninToken`: a token for the session whose credentials are given. Source: IAM user guide, "Enabling custom identity broker
 * access to the AWS console". Every refusal is a 400 in few words, as the endpoint gives it.
 */
export function getSigninToken(parameters: ReadonlyMap<string, string>, context: FederationContext): string {
  const { signIns, nowMs } = context;
  const credentials = sessionCredentials(parameters.get('Session'), context);
  const { identity, expiresMs } = credentials;
  const [, partition = 'aws'] = identity.arn.split(':');
  if (context.partition !== undefined && context.partition !== partition)
    throw refusal(`the credentials are of the partition ${partition}, and this endpoint is of ${context.partition}`);
  const seconds = sessionSeconds(parameters.get('SessionDuration'), credentials, context);
  return signIns.issueToken({
    identity,
    partition,
    tokenExpiresMs: nowMs + tokenLifeMs,
    sessionExpiresMs: seconds === undefined ? expiresMs : nowMs + seconds * 1000,
  });
}

/** Only temporary credentials of a role or of a federated user open the console; a user's own do not, nor those of GetSessionToken. */
export function sessionCredentials(
  text: string | undefined,
  { book, nowMs }: Pick<FederationContext, 'book' | 'nowMs'>,
): Required<Pick<KnownCredentials, 'expiresMs'>> & KnownCredentials {
  const { sessionId, sessionKey, sessionToken } = parseSession(text);
  const found = typeof sessionId === 'string' ? book.find(sessionId) : undefined;
  if (found === undefined || found.secret !== sessionKey || found.sessionToken === undefined || found.sessionToken !== sessionToken)
    throw refusal('the security token included in the request is invalid');
  if (found.expiresMs === undefined || found.expiresMs <= nowMs) throw refusal('the security token included in the request is expired');
  if (found.origin === 'GetSessionToken') throw refusal('credentials of GetSessionToken cannot sign in to the console');
  return { ...found, expiresMs: found.expiresMs };
}

function parseSession(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? '');
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Falls to the refusal below.
  }
  throw refusal('Session is not a JSON object with sessionId, sessionKey and sessionToken');
}

/** A duration of its own may only be asked for a role that was assumed with long-lived keys, and never beyond what the role allows. */
function sessionSeconds(
  text: string | undefined,
  { origin, chained, identity }: KnownCredentials,
  context: FederationContext,
): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (!/^\d{1,6}$/u.test(text) || seconds < 900 || seconds > 43_200) throw refusal('SessionDuration must be between 900 and 43200');
  if (origin === 'GetFederationToken') throw refusal('SessionDuration cannot be given with credentials of GetFederationToken');
  if (chained === true) throw refusal('SessionDuration cannot be given for a role that was assumed with temporary credentials');
  if (seconds > context.maxSessionSeconds(identity.roleArn ?? ''))
    throw refusal('SessionDuration exceeds the maximum session duration of the role');
  return seconds;
}

export function refusal(why: string): AwsError {
  return new AwsError('BadRequest', `Bad Request: ${why}`, 400);
}
