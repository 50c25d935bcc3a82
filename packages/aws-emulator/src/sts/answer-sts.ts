import { type Answer, AwsError } from '#protocols/aws-error.ts';
import { element } from '#protocols/xml.ts';
import { assumeRole } from '#sts/assume-role.ts';
import { assumeRoleWithSaml, assumeRoleWithWebIdentity } from '#sts/assume-role-with-token.ts';
import type { StsContext } from '#sts/role-session.ts';
import { getFederationToken, getSessionToken } from '#sts/user-session.ts';

export const stsNamespace = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** STS in the Query protocol. */
export function answerSts(parameters: ReadonlyMap<string, string>, context: StsContext, requestId: string): Answer {
  const action = parameters.get('Action') ?? '';
  const version = parameters.get('Version');
  if (version !== '2011-06-15')
    throw new AwsError('UnknownOperationException', `Could not find operation ${action} for version ${version ?? 'NO_VERSION_SPECIFIED'}`);
  return xml(action, resultOf(action, parameters, context), requestId);
}

function resultOf(action: string, parameters: ReadonlyMap<string, string>, context: StsContext): string {
  const { caller } = context;
  if (action === 'AssumeRoleWithWebIdentity') return assumeRoleWithWebIdentity(parameters, context);
  if (action === 'AssumeRoleWithSAML') return assumeRoleWithSaml(parameters, context);
  if (caller === undefined) throw new AwsError('MissingAuthenticationTokenException', 'Request is missing Authentication Token');
  switch (action) {
    case 'AssumeRole':
      return assumeRole(parameters, caller, context);
    case 'GetSessionToken':
      return getSessionToken(parameters, caller, context);
    case 'GetFederationToken':
      return getFederationToken(parameters, caller, context);
    case 'GetCallerIdentity': {
      const { arn, userId, accountId } = caller.identity;
      return element('Arn', arn) + element('UserId', userId) + element('Account', accountId);
    }
    default:
      throw new AwsError('UnknownOperationException', `Could not find operation ${action} for version 2011-06-15`);
  }
}

function xml(action: string, result: string, requestId: string): Answer {
  const body =
    `<${action}Response xmlns="${stsNamespace}"><${action}Result>${result}</${action}Result>` +
    `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${action}Response>`;
  return { status: 200, headers: { 'content-type': 'text/xml' }, body: Buffer.from(body) };
}
