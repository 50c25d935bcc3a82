import type { AwsProtocol } from '#requests/aws-request.ts';

/** Why a request is not carried out. A closed set: each protocol has its own code for it, which decides whether an SDK tries again. */
export type RefusalKind =
  /** policy says no */
  | 'denied'
  /** too many of them; tried again by every SDK */
  | 'throttled'
  /** AWS, STS or something of ours is away; tried again by every SDK */
  | 'unavailable'
  /** the user's session has ended */
  | 'expired'
  /** there is no signature at all */
  | 'missing_key'
  | 'unknown_key'
  | 'bad_signature'
  /** the clocks differ: the SDKs correct theirs by the Date header and try again */
  | 'skewed'
  /** the signature is for another service or region than the host's */
  | 'wrong_scope'
  | 'bad_request'
  | 'too_large'
  /** a fault of ours */
  | 'internal';

type Family = 'json' | 'rest-json' | 'query' | 'ec2' | 's3';

const familyOf: Record<AwsProtocol, Family> = {
  'json-1.0': 'json',
  'json-1.1': 'json',
  'rpc-v2-cbor': 'json',
  'rest-json': 'rest-json',
  'rest-xml': 'query',
  query: 'query',
  ec2: 'ec2',
  s3: 's3',
};

/**
 * Codes as AWS's own services give them (API references, "Common Errors" of each; S3's and EC2's lists of error codes). Where families differ: the
 * JSON ones say Exception and answer 400; in forms and XML a refused signature is a 403.
 */
const codes: Record<RefusalKind, Record<Family, readonly [code: string, status: number]>> = {
  denied: {
    json: ['AccessDeniedException', 400],
    'rest-json': ['AccessDeniedException', 403],
    query: ['AccessDenied', 403],
    ec2: ['UnauthorizedOperation', 403],
    s3: ['AccessDenied', 403],
  },
  throttled: {
    json: ['ThrottlingException', 400],
    'rest-json': ['ThrottlingException', 429],
    query: ['Throttling', 400],
    ec2: ['RequestLimitExceeded', 503],
    s3: ['SlowDown', 503],
  },
  unavailable: {
    json: ['ServiceUnavailableException', 503],
    'rest-json': ['ServiceUnavailableException', 503],
    query: ['ServiceUnavailable', 503],
    ec2: ['Unavailable', 503],
    s3: ['ServiceUnavailable', 503],
  },
  expired: {
    json: ['ExpiredTokenException', 400],
    'rest-json': ['ExpiredTokenException', 403],
    query: ['ExpiredToken', 403],
    ec2: ['RequestExpired', 400],
    s3: ['ExpiredToken', 400],
  },
  missing_key: {
    json: ['MissingAuthenticationTokenException', 400],
    'rest-json': ['MissingAuthenticationTokenException', 403],
    query: ['MissingAuthenticationToken', 403],
    ec2: ['MissingAuthenticationToken', 403],
    s3: ['AccessDenied', 403],
  },
  unknown_key: {
    json: ['UnrecognizedClientException', 400],
    'rest-json': ['UnrecognizedClientException', 403],
    query: ['InvalidClientTokenId', 403],
    ec2: ['AuthFailure', 401],
    s3: ['InvalidAccessKeyId', 403],
  },
  bad_signature: {
    json: ['InvalidSignatureException', 400],
    'rest-json': ['InvalidSignatureException', 403],
    query: ['SignatureDoesNotMatch', 403],
    ec2: ['AuthFailure', 401],
    s3: ['SignatureDoesNotMatch', 403],
  },
  skewed: {
    json: ['InvalidSignatureException', 400],
    'rest-json': ['InvalidSignatureException', 403],
    query: ['SignatureDoesNotMatch', 403],
    ec2: ['RequestExpired', 400],
    s3: ['RequestTimeTooSkewed', 403],
  },
  wrong_scope: {
    json: ['InvalidSignatureException', 400],
    'rest-json': ['InvalidSignatureException', 403],
    query: ['SignatureDoesNotMatch', 403],
    ec2: ['AuthFailure', 401],
    s3: ['AuthorizationHeaderMalformed', 400],
  },
  bad_request: {
    json: ['ValidationException', 400],
    'rest-json': ['ValidationException', 400],
    query: ['ValidationError', 400],
    ec2: ['InvalidRequest', 400],
    s3: ['InvalidRequest', 400],
  },
  too_large: {
    json: ['RequestEntityTooLargeException', 413],
    'rest-json': ['RequestEntityTooLargeException', 413],
    query: ['RequestEntityTooLarge', 413],
    ec2: ['RequestEntityTooLarge', 413],
    s3: ['EntityTooLarge', 400],
  },
  internal: {
    json: ['InternalServerError', 500],
    'rest-json': ['InternalServerException', 500],
    query: ['InternalFailure', 500],
    ec2: ['InternalError', 500],
    s3: ['InternalError', 500],
  },
};

/** S3 Control and the other XML services answer as the services of forms do. */
export function codeOf(kind: RefusalKind, protocol: AwsProtocol): { readonly code: string; readonly status: number } {
  const [code, status] = codes[kind][familyOf[protocol]];
  return { code, status };
}
