import { type Answer, AwsError, escapeXml } from '#aws-error.ts';
import { type AssumeRoleContext, assumeRole } from '#sts/assume-role.ts';

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** STS in the Query protocol: AssumeRole and GetCallerIdentity. */
export function answerSts(parameters: ReadonlyMap<string, string>, context: AssumeRoleContext, requestId: string): Answer {
  const action = parameters.get('Action') ?? '';
  const version = parameters.get('Version');
  if (version !== '2011-06-15')
    throw new AwsError('UnknownOperationException', `Could not find operation ${action} for version ${version ?? 'NO_VERSION_SPECIFIED'}`);
  if (action === 'AssumeRole') return xml(action, assumeRole(parameters, context), requestId);
  if (action === 'GetCallerIdentity') {
    const { arn, userId, accountId } = context.caller.identity;
    return xml(action, `<Arn>${escapeXml(arn)}</Arn><UserId>${escapeXml(userId)}</UserId><Account>${accountId}</Account>`, requestId);
  }
  throw new AwsError('UnknownOperationException', `Could not find operation ${action} for version ${version}`);
}

function xml(action: string, result: string, requestId: string): Answer {
  const body =
    `<${action}Response xmlns="${namespace}"><${action}Result>${result}</${action}Result>` +
    `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${action}Response>`;
  return { status: 200, headers: { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }, body: Buffer.from(body) };
}
