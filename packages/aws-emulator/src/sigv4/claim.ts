import { type RequestHead, headerValues, queryMap, splitTarget } from '#exchange/request-head.ts';
import { AwsError } from '#protocols/aws-error.ts';

export type Algorithm = 'AWS4-HMAC-SHA256' | 'AWS4-ECDSA-P256-SHA256';

/** What a request says of its own signature, in its Authorization header or in the query of a pre-signed URL. Nothing is verified yet. */
export interface Claim {
  readonly algorithm: Algorithm;
  readonly accessKeyId: string;
  /** YYYYMMDD of the scope. */
  readonly date: string;
  /** Undefined with SigV4a, whose scope has none. */
  readonly region: string | undefined;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** X-Amz-Date. */
  readonly timestamp: string | undefined;
  readonly sessionToken: string | undefined;
  /** X-Amz-Region-Set of SigV4a. */
  readonly regionSet: string | undefined;
  /** Seconds, of a pre-signed URL alone. */
  readonly expires: string | undefined;
}

/**
 * Reads `Authorization: AWS4-… Credential=…, SignedHeaders=…, Signature=…`, or the X-Amz- parameters of a pre-signed URL. Source: "Signature
 * Version 4 for API requests" in the IAM user guide; the texts of the refusals are those that DynamoDB gives.
 */
export function readClaim(head: RequestHead): Claim {
  const given = headerValues(head, 'authorization');
  const query = queryMap(splitTarget(head).query);
  const presigned = [...query.keys()].some((name) => /^X-Amz-(?:Algorithm|Credential|Signature)$/iu.test(name));
  if (given.length > 1) throw incomplete('More than one Authorization header was given.');
  if (presigned && given.length > 0)
    throw new AwsError('IncompleteSignatureException', 'Only one auth mechanism allowed; both the header and the query have one.', 400, {
      s3: ['InvalidArgument', 400],
    });
  return presigned ? fromQuery(query) : fromHeader(head, given[0]);
}

/** Whether it carries no signature at all, as operations that anybody may call do. */
export function isUnsigned(head: RequestHead): boolean {
  return headerValues(head, 'authorization').length === 0 && !/(?:^|&)X-Amz-/iu.test(splitTarget(head).query);
}

function fromHeader(head: RequestHead, value: string | undefined): Claim {
  if (value === undefined || !value.startsWith('AWS4-'))
    throw new AwsError('MissingAuthenticationTokenException', 'Request is missing Authentication Token');
  const [algorithm = ''] = value.split(' ', 1);
  const fields = new Map<string, string>();
  for (const part of value.slice(algorithm.length).split(',')) {
    const at = part.indexOf('=');
    const name = part.slice(0, at).trim();
    if (at < 0 || fields.has(name))
      throw incomplete(
        `'${part.trim()}' not a valid key=value pair (missing equal-sign or given twice) in Authorization header: '${value}'.`,
      );
    fields.set(name, part.slice(at + 1).trim());
  }
  const field = (name: string): string => {
    const found = fields.get(name);
    if (found === undefined || found === '') throw incomplete(`Authorization header requires '${name}' parameter. Authorization=${value}`);
    return found;
  };
  return {
    algorithm: algorithmOf(algorithm),
    ...scopeOf(field('Credential'), algorithm),
    signedHeaders: field('SignedHeaders').split(';'),
    signature: field('Signature'),
    timestamp: headerValues(head, 'x-amz-date')[0],
    sessionToken: headerValues(head, 'x-amz-security-token')[0],
    regionSet: headerValues(head, 'x-amz-region-set')[0],
    expires: undefined,
  };
}

function fromQuery(query: ReadonlyMap<string, string>): Claim {
  const field = (name: string): string => {
    const found = query.get(name);
    if (found === undefined || found === '')
      throw new AwsError('IncompleteSignatureException', `AWS query-string parameters must include '${name}'.`, 400, {
        s3: ['AuthorizationQueryParametersError', 400],
      });
    return found;
  };
  const algorithm = field('X-Amz-Algorithm');
  return {
    algorithm: algorithmOf(algorithm),
    ...scopeOf(field('X-Amz-Credential'), algorithm),
    signedHeaders: field('X-Amz-SignedHeaders').split(';'),
    signature: field('X-Amz-Signature'),
    timestamp: field('X-Amz-Date'),
    sessionToken: query.get('X-Amz-Security-Token'),
    regionSet: query.get('X-Amz-Region-Set'),
    expires: field('X-Amz-Expires'),
  };
}

function algorithmOf(name: string): Algorithm {
  if (name === 'AWS4-HMAC-SHA256' || name === 'AWS4-ECDSA-P256-SHA256') return name;
  throw incomplete(`Unsupported AWS 'algorithm': '${name}' (AWS4-HMAC-SHA256 is). `);
}

function scopeOf(credential: string, algorithm: string): Pick<Claim, 'accessKeyId' | 'date' | 'region' | 'service'> {
  const elements = credential.split('/');
  const wanted = algorithm === 'AWS4-HMAC-SHA256' ? 5 : 4;
  if (elements.length !== wanted || elements.at(-1) === '')
    throw incomplete(
      `Credential must have exactly ${wanted} slash-delimited elements, e.g. keyid/date${wanted === 5 ? '/region' : ''}/service/term, got '${credential}'`,
    );
  const terminator = elements.at(-1);
  if (terminator !== 'aws4_request')
    throw new AwsError(
      'InvalidSignatureException',
      `Credential should be scoped with a valid terminator: 'aws4_request', not '${terminator}'.`,
    );
  const [accessKeyId = '', date = ''] = elements;
  return { accessKeyId, date, region: wanted === 5 ? elements[2] : undefined, service: elements.at(-2) ?? '' };
}

function incomplete(message: string): AwsError {
  return new AwsError('IncompleteSignatureException', message);
}
