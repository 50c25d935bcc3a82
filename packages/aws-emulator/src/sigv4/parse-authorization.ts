import { AwsError } from '#aws-error.ts';
import { type Received, headerValues } from '#received.ts';

export interface Authorization {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

/**
 * Reads `Authorization: AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`. Source: "Signature Version 4 for API
 * requests" in the IAM user guide; the texts of the refusals are those that DynamoDB gives.
 */
export function parseAuthorization(request: Received): Authorization {
  const given = headerValues(request, 'authorization');
  const [value] = given;
  if (given.length > 1) throw new AwsError('IncompleteSignatureException', 'More than one Authorization header was given.');
  if (value === undefined || !value.startsWith('AWS4-'))
    throw new AwsError('MissingAuthenticationTokenException', 'Request is missing Authentication Token');
  const [algorithm = ''] = value.split(' ', 1);
  if (algorithm !== 'AWS4-HMAC-SHA256')
    throw new AwsError('IncompleteSignatureException', `Unsupported AWS 'algorithm': '${algorithm}' (AWS4-HMAC-SHA256 is). `);
  const fields = new Map<string, string>();
  for (const part of value.slice(algorithm.length).split(',')) {
    const at = part.indexOf('=');
    const name = part.slice(0, at).trim();
    if (at < 0 || fields.has(name))
      throw new AwsError(
        'IncompleteSignatureException',
        `'${part.trim()}' not a valid key=value pair (missing equal-sign or given twice) in Authorization header: '${value}'.`,
      );
    fields.set(name, part.slice(at + 1).trim());
  }
  const [credential, headers, signature] = ['Credential', 'SignedHeaders', 'Signature'].map((name) => {
    const field = fields.get(name);
    if (field === undefined || field === '')
      throw new AwsError('IncompleteSignatureException', `Authorization header requires '${name}' parameter. Authorization=${value}`);
    return field;
  });
  const [accessKeyId = '', date = '', region = '', service = '', terminator = '', ...rest] = (credential ?? '').split('/');
  if (terminator === '' || rest.length > 0)
    throw new AwsError(
      'IncompleteSignatureException',
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential}'`,
    );
  if (terminator !== 'aws4_request')
    throw new AwsError(
      'InvalidSignatureException',
      `Credential should be scoped with a valid terminator: 'aws4_request', not '${terminator}'.`,
    );
  return { accessKeyId, date, region, service, signedHeaders: (headers ?? '').split(';'), signature: signature ?? '' };
}
