import type { KnownCredentials } from '#credential-book.ts';
import type { EmulatedRole, Identity } from '#options.ts';
import { AwsError } from '#protocols/aws-error.ts';
import { Constraints } from '#sts/constraints.ts';
import { type StsContext, checkDuration, checkPolicy, nameCharacters, openRoleSession, roleMembers } from '#sts/role-session.ts';
import { sessionTags } from '#sts/session-tags.ts';

/** AssumeRole with the limits of the STS API reference. Answers the XML inside AssumeRoleResult. */
export function assumeRole(parameters: ReadonlyMap<string, string>, caller: KnownCredentials, context: StsContext): string {
  const constraints = new Constraints();
  const { roleArn, seconds } = roleMembers(parameters, constraints);
  const sessionName = constraints.required('roleSessionName', parameters.get('RoleSessionName'));
  const externalId = parameters.get('ExternalId');
  const sourceIdentity = parameters.get('SourceIdentity');
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
  const tags = sessionTags(parameters, caller.identity, constraints);
  constraints.check();
  checkPolicy(parameters);

  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/u.test(roleArn)) throw new AwsError('ValidationError', `${roleArn} is invalid`);
  const role = context.roles.get(roleArn);
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
  checkDuration(seconds, role, caller);
  return openRoleSession(
    {
      origin: 'AssumeRole',
      roleArn,
      sessionName,
      seconds,
      tags: tags.tags,
      transitiveTagKeys: tags.transitiveTagKeys,
      sourceIdentity: sourceIdentity ?? inherited,
    },
    context,
  );
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
