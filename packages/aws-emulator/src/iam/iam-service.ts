import { randomBytes } from 'node:crypto';

import type { CredentialBook } from '#credential-book.ts';
import type { Call, Service } from '#exchange/service.ts';
import type { AccessKey } from '#options.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';
import { actionOf, queryParameters } from '#protocols/query.ts';
import { element } from '#protocols/xml.ts';

const namespace = 'https://iam.amazonaws.com/doc/2010-05-08/';

export interface IamParts {
  readonly accountId: string;
  readonly accessKeys: readonly AccessKey[];
  readonly book: CredentialBook;
}

/** IAM in the Query protocol: ListUsers, and CreateAccessKey, whose key then signs like any other. */
export function iamService(parts: IamParts): Service {
  return {
    protocol: () => ({ kind: 'query', namespace }),
    operationOf: (head, _, body) => actionOf(head, body),
    answer: (call) => answer(call, parts),
    logged: ({ head, body }) => ({ parameters: Object.fromEntries(queryParameters(head, body)) }),
  };
}

function answer({ head, body, operation, requestId, caller, nowMs }: Call, { accountId, accessKeys, book }: IamParts): Answer {
  const parameters = queryParameters(head, body);
  if (parameters.get('Version') !== '2010-05-08')
    throw new AwsError('UnknownOperationException', `Could not find operation ${operation} for version ${parameters.get('Version') ?? ''}`);
  const created = new Date(nowMs).toISOString();
  if (operation === 'ListUsers') {
    const names = [...new Set(accessKeys.map(({ userName = 'agent' }) => userName))].sort();
    const users = names.map(
      (name) =>
        `<member><Path>/</Path>${element('UserName', name)}${element('UserId', `AIDA${name.toUpperCase().padEnd(17, 'X').slice(0, 17)}`)}` +
        `${element('Arn', `arn:aws:iam::${accountId}:user/${name}`)}${element('CreateDate', created)}</member>`,
    );
    return xml(operation, `<IsTruncated>false</IsTruncated><Users>${users.join('')}</Users>`, requestId);
  }
  if (operation === 'CreateAccessKey') {
    const userName = parameters.get('UserName') ?? caller?.identity.arn.split('/').at(-1) ?? '';
    if (!accessKeys.some((key) => (key.userName ?? 'agent') === userName))
      throw new AwsError('NoSuchEntity', `The user with name ${userName} cannot be found.`, 404);
    const id = `AKIA${randomBytes(8).toString('hex').toUpperCase()}`;
    const secret = randomBytes(30).toString('base64');
    book.add({ id, secret, userName });
    const key =
      element('UserName', userName) +
      element('AccessKeyId', id) +
      '<Status>Active</Status>' +
      element('SecretAccessKey', secret) +
      element('CreateDate', created);
    return xml(operation, `<AccessKey>${key}</AccessKey>`, requestId);
  }
  throw new AwsError('UnknownOperationException', `Could not find operation ${operation} for version 2010-05-08`);
}

function xml(action: string, result: string, requestId: string): Answer {
  const body =
    `<${action}Response xmlns="${namespace}"><${action}Result>${result}</${action}Result>` +
    `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${action}Response>`;
  return { status: 200, headers: { 'content-type': 'text/xml' }, body: Buffer.from(body) };
}
