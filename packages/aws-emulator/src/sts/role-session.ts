import { createHash } from 'node:crypto';

import type { CredentialBook, KnownCredentials, Origin } from '#credential-book.ts';
import type { EmulatedRole, Identity, Mode } from '#options.ts';
import { AwsError } from '#protocols/aws-error.ts';
import { element } from '#protocols/xml.ts';
import type { Constraints } from '#sts/constraints.ts';

/** What every operation of STS works with. */
export interface StsContext {
  /** Undefined for the operations that anybody may call. */
  readonly caller: KnownCredentials | undefined;
  readonly roles: ReadonlyMap<string, EmulatedRole>;
  readonly book: CredentialBook;
  readonly accountId: string;
  readonly nowMs: number;
  readonly creds?: Mode['creds'];
}

export const nameCharacters = /[\w+=,.@-]*/u;
const chainedSeconds = 3600;

/** The members that all three ways to assume a role have. */
export function roleMembers(
  parameters: ReadonlyMap<string, string>,
  constraints: Constraints,
): { readonly roleArn: string; readonly seconds: number } {
  const roleArn = constraints.required('roleArn', parameters.get('RoleArn'));
  constraints.length('roleArn', roleArn, { min: 20, max: 2048 });
  const seconds = durationOf(parameters, { constraints, byDefault: 3600, max: 43_200 });
  return { roleArn, seconds };
}

export function durationOf(
  parameters: ReadonlyMap<string, string>,
  { constraints, byDefault, max }: { readonly constraints: Constraints; readonly byDefault: number; readonly max: number },
): number {
  const text = parameters.get('DurationSeconds') ?? String(byDefault);
  const seconds = /^\d{1,9}$/u.test(text) ? Number(text) : Number.NaN;
  constraints.range('durationSeconds', seconds, { min: 900, max });
  return seconds;
}

/** What the role, and temporary credentials of the caller, allow. */
export function checkDuration(seconds: number, role: EmulatedRole | undefined, caller: KnownCredentials | undefined): void {
  if (caller?.sessionToken !== undefined && seconds > chainedSeconds) {
    throw new AwsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
    );
  }
  if (seconds > maxSessionSeconds(role))
    throw new AwsError('ValidationError', 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
}

export function maxSessionSeconds(role: EmulatedRole | undefined): number {
  return role?.maxSessionDurationSeconds ?? 3600;
}

export function checkPolicy(parameters: ReadonlyMap<string, string>): void {
  const policy = parameters.get('Policy');
  if (policy === undefined) return;
  if (policy.length > 2048)
    throw new AwsError(
      'ValidationError',
      "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048",
    );
  try {
    JSON.parse(policy);
  } catch {
    throw new AwsError('MalformedPolicyDocument', 'This policy contains invalid Json');
  }
}

export interface RoleSession {
  readonly origin: Origin;
  readonly roleArn: string;
  readonly sessionName: string;
  readonly seconds: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly transitiveTagKeys?: readonly string[];
  readonly sourceIdentity?: string | undefined;
}

/** Gives out the credentials of a role's session. Answers the elements AssumedRoleUser and Credentials. */
export function openRoleSession(
  { origin, roleArn, sessionName, seconds, tags = {}, transitiveTagKeys = [], sourceIdentity }: RoleSession,
  { caller, book, nowMs, creds }: StsContext,
): string {
  const arn = /^arn:(?<partition>aws[a-z-]*):iam::(?<account>\d{12}):role\/(?<path>[\w+=,.@/-]+)$/u.exec(roleArn);
  if (arn === null) throw new AwsError('ValidationError', `${roleArn} is invalid`);
  const { partition = 'aws', account = '', path = '' } = arn.groups ?? {};
  const roleName = path.split('/').at(-1) ?? '';
  const userId = `AROA${createHash('sha256').update(roleArn).digest('hex').slice(0, 17).toUpperCase()}:${sessionName}`;
  const shownAccount = creds === 'other-account' ? '999999999999' : account;
  const sessionArn = `arn:${partition}:sts::${shownAccount}:assumed-role/${roleName}/${sessionName}`;
  const lifeMs = creds === 'expired' ? -60_000 : creds === 'one-second' ? 1000 : seconds * 1000;
  const issued = book.issue(
    (accessKeyId): Identity => ({
      accessKeyId,
      accountId: account,
      arn: sessionArn,
      userId,
      roleArn,
      sessionName,
      tags,
      transitiveTagKeys,
      ...(sourceIdentity === undefined ? {} : { sourceIdentity }),
      chain: caller === undefined ? [] : [caller.identity.arn, ...caller.identity.chain],
    }),
    { origin, chained: caller?.sessionToken !== undefined, expiresMs: nowMs + lifeMs },
  );
  return (
    `<AssumedRoleUser>${element('AssumedRoleId', userId)}${element('Arn', sessionArn)}</AssumedRoleUser>` +
    credentialsElement(issued, creds === 'malformed') +
    (sourceIdentity === undefined ? '' : element('SourceIdentity', sourceIdentity))
  );
}

export function credentialsElement(
  { accessKeyId, secret, sessionToken, expiresMs }: Required<KnownCredentials>,
  malformed = false,
): string {
  const expiration = new Date(expiresMs).toISOString().replace(/\.\d+Z$/u, 'Z');
  const shown = malformed ? '' : element('SecretAccessKey', secret);
  return `<Credentials>${element('AccessKeyId', accessKeyId)}${shown}${element('SessionToken', sessionToken)}${element('Expiration', expiration)}</Credentials>`;
}
