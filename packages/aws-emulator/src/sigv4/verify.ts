import type { AwsHost } from '#hosts/aws-host.ts';
import { type RequestHead, headerValues } from '#exchange/request-head.ts';
import { AwsError } from '#protocols/aws-error.ts';
import { canonicalRequest } from '#sigv4/canonical-request.ts';
import { type Claim, readClaim } from '#sigv4/claim.ts';
import { type PayloadMode, payloadModeOf } from '#sigv4/payload-mode.ts';
import { type SigningKey, sha256Hex, signingKey } from '#sigv4/signing-key.ts';
import { checkTime } from '#sigv4/signing-time.ts';

export interface Secret {
  readonly secret: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
  readonly expiresMs?: number;
}

export interface Verifying<S extends Secret> {
  readonly find: (accessKeyId: string) => S | undefined;
  readonly expected: Pick<AwsHost, 'signingName' | 'region' | 'verbatimPath' | 'sigV4a'>;
  readonly nowMs: number;
}

/** A request whose signature is right as far as its head can tell. */
export interface Verified<S extends Secret> {
  readonly claim: Claim;
  readonly secret: S;
  readonly payload: PayloadMode;
  readonly key: SigningKey;
  /** To be called with the hash of the whole body, decoded; where the head said nothing of it, the signature is judged only now. */
  seal(bodySha256: string): void;
}

/** Services that take SigV4a. Source: their service models. */
const sigV4aNames: readonly string[] = ['s3', 's3-outposts', 'events', 'ses', 'cloudfront-keyvaluestore', 'sts'];

/**
 * Checks a request as AWS does, in its order and its words: form, time, scope, key, signature, token, expiry. Written from
 * the AWS documentation alone and sharing nothing with the signer it judges. Throws AwsError.
 */
export function verifyHead<S extends Secret>(head: RequestHead, { find, expected, nowMs }: Verifying<S>): Verified<S> {
  checkOnce(head);
  const claim = readClaim(head);
  const timestamp = checkTime(claim, nowMs);
  checkScope(claim, expected);
  checkSignedHeaders(head, claim);
  const { mode, line } = payloadModeOf(head, claim);
  const secret = find(claim.accessKeyId);
  if (secret === undefined) throw new AwsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
  const key = signingKey(claim, secret.secret);
  const check = (payloadHash: string): void => {
    const verbatimPath = expected.verbatimPath === true;
    const canonical = canonicalRequest(head, { signedHeaders: claim.signedHeaders, payloadHash, verbatimPath });
    // latin1: header bytes as they stood on the wire, not as characters.
    const text = [claim.algorithm, timestamp, key.scope, sha256Hex(Buffer.from(canonical, 'latin1'))].join('\n');
    if (!key.matches(text, claim.signature)) throw mismatch(canonical);
    checkToken(claim, secret, nowMs);
  };
  if (line !== undefined) check(line);
  return {
    claim,
    secret,
    payload: mode,
    key,
    seal(bodySha256) {
      if (mode.kind === 'absent') check(bodySha256);
      if (mode.kind === 'hash' && mode.sha256 !== bodySha256)
        throw new AwsError(
          'InvalidSignatureException',
          "The provided 'x-amz-content-sha256' header does not match what was computed.",
          400,
          {
            s3: ['XAmzContentSHA256Mismatch', 400],
          },
        );
    },
  };
}

const single = [
  'host',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-target',
  'x-amz-content-sha256',
  'x-amz-decoded-content-length',
  'x-amz-trailer',
  'x-amz-region-set',
  'content-length',
  'content-type',
];

/** Of two equal headers one reader takes the first and another the last. */
function checkOnce(head: RequestHead): void {
  for (const name of single) {
    if (headerValues(head, name).length > 1)
      throw new AwsError('InvalidSignatureException', `The header ${name} was given more than once.`);
  }
}

function checkScope({ algorithm, region, service, regionSet }: Claim, expected: Verifying<Secret>['expected']): void {
  const faults: string[] = [];
  const sigV4a = algorithm === 'AWS4-ECDSA-P256-SHA256';
  if (expected.sigV4a === true && !sigV4a) faults.push('This endpoint takes AWS4-ECDSA-P256-SHA256 signatures only. ');
  if (sigV4a && !sigV4aNames.includes(service)) faults.push(`AWS4-ECDSA-P256-SHA256 is not supported by ${service}. `);
  if (sigV4a && !coversRegion(regionSet ?? '', expected.region))
    faults.push(`X-Amz-Region-Set '${regionSet ?? ''}' does not cover the region ${expected.region ?? 'of this endpoint'}. `);
  if (!sigV4a && expected.region !== undefined && region !== expected.region)
    faults.push(`Credential should be scoped to a valid region, not '${region}'. `);
  if (service !== expected.signingName) faults.push(`Credential should be scoped to correct service: '${expected.signingName}'. `);
  if (faults.length > 0)
    throw new AwsError('InvalidSignatureException', faults.join(''), 400, { s3: ['AuthorizationHeaderMalformed', 400] });
}

/** Regions, comma-separated, each perhaps ending in an asterisk. */
function coversRegion(regionSet: string, region: string | undefined): boolean {
  return regionSet
    .split(',')
    .map((entry) => entry.trim())
    .some((entry) => entry === '*' || entry === region || (entry.endsWith('*') && region?.startsWith(entry.slice(0, -1)) === true));
}

/** Host must be signed, and every x-amz header that is there: an unsigned one could have been added on the way. */
function checkSignedHeaders(head: RequestHead, { signedHeaders }: Claim): void {
  if (!signedHeaders.includes('host'))
    throw new AwsError('InvalidSignatureException', "'Host' must be a 'SignedHeader' in the AWS Authorization.");
  const sorted = [...new Set(signedHeaders)].sort();
  if (sorted.join(';') !== signedHeaders.join(';') || signedHeaders.some((name) => name !== name.toLowerCase())) {
    throw new AwsError('InvalidSignatureException', 'SignedHeaders must be lower-case, sorted, and each given once.');
  }
  const missing = signedHeaders.find((name) => headerValues(head, name).length === 0);
  if (missing !== undefined) throw new AwsError('InvalidSignatureException', `The signed header ${missing} is not in the request.`);
  const unsigned = head.headers
    .map(([name]) => name.toLowerCase())
    .filter((name) => name.startsWith('x-amz-') && !signedHeaders.includes(name));
  if (unsigned.length > 0)
    throw new AwsError(
      'InvalidSignatureException',
      `There were headers present in the request which were not signed: ${unsigned.join(', ')}`,
      400,
      { s3: ['AccessDenied', 403] },
    );
}

function checkToken({ sessionToken }: Claim, secret: Secret, nowMs: number): void {
  if (sessionToken !== secret.sessionToken)
    throw new AwsError('UnrecognizedClientException', 'The security token included in the request is invalid.', 400, {
      s3: ['InvalidToken', 400],
    });
  if (secret.expiresMs !== undefined && secret.expiresMs <= nowMs)
    throw new AwsError('ExpiredTokenException', 'The security token included in the request is expired');
}

function mismatch(canonical: string): AwsError {
  const text =
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';
  return new AwsError('InvalidSignatureException', `${text}\n\nThe Canonical String for this request should have been\n'${canonical}'\n`);
}
