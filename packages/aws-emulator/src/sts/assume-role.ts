import { createHash } from 'node:crypto';

import { AwsError, escapeXml } from '#aws-error.ts';
import type { CredentialBook, KnownCredentials } from '#credential-book.ts';
import type { EmulatedRole, Identity, Mode } from '#options.ts';
import { Constraints } from '#sts/constraints.ts';
import { sessionTags } from '#sts/session-tags.ts';

export interface AssumeRoleContext {
  readonly caller: KnownCredentials;
  readonly roles: ReadonlyMap<string, EmulatedRole>;
  readonly book: CredentialBook;
  readonly nowMs: number;
  readonly creds?: Mode['creds'];
}

const nameCharacters = /[\w+=,.@-]*/u;

/** AssumeRole with the limits of the STS API reference. Answers the XML inside AssumeRoleResult. */
export function assumeRole(parameters: ReadonlyMap<string, string>, { caller, roles, book, nowMs, creds }: AssumeRoleContext): string {
  const constraints = new Constraints();
  const roleArn = constraints.required('roleArn', parameters.get('RoleArn'));
  const sessionName = constraints.required('roleSessionName', parameters.get('RoleSessionName'));
  const externalId = parameters.get('ExternalId');
  const sourceIdentity = parameters.get('SourceIdentity');
  constraints.length('roleArn', roleArn, { min: 20, max: 2048 });
  constraints.length('roleSessionName', sessionName, { min: 2, max: 64 });
  constraints.pattern('roleSessionName', sessionName, nameCharacters);
  if (externalId !== undefined) {
    constraints.length('externalId', externalId, { min: 2, max: 1224 });
    constraints.pattern('externalId', externalId, /[\w+=,.@:/-]*/u);
  }
  if (sourceIdentity !== undefined) {
    constraints.length('sourceIdentity', sourceIdentity, { min: 2, max: 64 });
    constraints.pattern('sourceIdentity', sourceIdentity, nameCharacters);
  }
  const seconds = Number(parameters.get('DurationSeconds') ?? 3600);
  constraints.range('durationSeconds', seconds, { min: 900, max: 43_200 });
  const tags = sessionTags(parameters, caller.identity, constraints);
  constraints.check();
  checkPolicy(parameters);

  const arn = /^arn:(?<partition>aws[a-z-]*):iam::(?<account>\d{12}):role\/(?<path>[\w+=,.@/-]+)$/u.exec(roleArn);
  if (arn === null) throw new AwsError('ValidationError', `${roleArn} is invalid`);
  const role = roles.get(roleArn);
  const inherited = caller.identity.sourceIdentity;
  checkTrust({
    role,
    roleArn,
    caller: caller.identity,
    externalId,
    tagged: tags.asked || caller.identity.transitiveTagKeys.length > 0,
    sourceIdentity: sourceIdentity ?? inherited,
  });
  if (inherited !== undefined && sourceIdentity !== undefined && sourceIdentity !== inherited)
    throw denied(caller.identity, 'sts:SetSourceIdentity', roleArn);
  if (caller.sessionToken !== undefined && seconds > 3600) {
    throw new AwsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
    );
  }
  if (seconds > (role?.maxSessionDurationSeconds ?? 3600))
    throw new AwsError('ValidationError', 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');

  const { partition = 'aws', account = '', path = '' } = arn.groups ?? {};
  const roleName = path.split('/').at(-1) ?? '';
  const userId = `AROA${createHash('sha256').update(roleArn).digest('hex').slice(0, 17).toUpperCase()}:${sessionName}`;
  const shownAccount = creds === 'other-account' ? '999999999999' : account;
  const sessionArn = `arn:${partition}:sts::${shownAccount}:assumed-role/${roleName}/${sessionName}`;
  const effectiveIdentity = sourceIdentity ?? inherited;
  const lifeMs = creds === 'expired' ? -60_000 : creds === 'one-second' ? 1000 : seconds * 1000;
  const issued = book.issue(
    (accessKeyId): Identity => ({
      accessKeyId,
      accountId: account,
      arn: sessionArn,
      userId,
      roleArn,
      sessionName,
      tags: tags.tags,
      transitiveTagKeys: tags.transitiveTagKeys,
      ...(effectiveIdentity === undefined ? {} : { sourceIdentity: effectiveIdentity }),
      chain: [caller.identity.arn, ...caller.identity.chain],
    }),
    nowMs + lifeMs,
  );
  const expiration = new Date(issued.expiresMs).toISOString().replace(/\.\d+Z$/u, 'Z');
  const secret = creds === 'malformed' ? '' : `<SecretAccessKey>${issued.secret}</SecretAccessKey>`;
  return (
    `<AssumedRoleUser><AssumedRoleId>${escapeXml(userId)}</AssumedRoleId><Arn>${escapeXml(sessionArn)}</Arn></AssumedRoleUser>` +
    `<Credentials><AccessKeyId>${issued.accessKeyId}</AccessKeyId>${secret}<SessionToken>${issued.sessionToken}</SessionToken><Expiration>${expiration}</Expiration></Credentials>` +
    (effectiveIdentity === undefined ? '' : `<SourceIdentity>${escapeXml(effectiveIdentity)}</SourceIdentity>`)
  );
}

function checkPolicy(parameters: ReadonlyMap<string, string>): void {
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

interface Trust {
  readonly role: EmulatedRole | undefined;
  readonly roleArn: string;
  readonly caller: Identity;
  readonly externalId: string | undefined;
  readonly tagged: boolean;
  readonly sourceIdentity: string | undefined;
}

/** AWS does not tell a role that does not exist from one that may not be assumed. */
function checkTrust({ role, roleArn, caller, externalId, tagged, sourceIdentity }: Trust): void {
  const trusts = role?.trusts ?? {};
  const principals = trusts.principals;
  const principal =
    principals === undefined || principals.includes(caller.arn) || (caller.roleArn !== undefined && principals.includes(caller.roleArn));
  if (role === undefined || !principal) throw denied(caller, 'sts:AssumeRole', roleArn);
  if (trusts.externalId !== undefined && externalId !== trusts.externalId) throw denied(caller, 'sts:AssumeRole', roleArn);
  if (tagged && trusts.tags !== true) throw denied(caller, 'sts:TagSession', roleArn);
  if (sourceIdentity !== undefined && trusts.sourceIdentity !== true) throw denied(caller, 'sts:SetSourceIdentity', roleArn);
}

function denied(caller: Identity, action: string, resource: string): AwsError {
  return new AwsError('AccessDenied', `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource}`, 403);
}
