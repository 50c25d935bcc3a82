import { createHash, createHmac } from 'node:crypto';

import { AwsError } from '#aws-error.ts';
import { type Received, headerValues } from '#received.ts';
import { type Authorization, parseAuthorization } from '#sigv4/parse-authorization.ts';
import { canonicalRequest } from '#sigv4/canonical-request.ts';

export interface Secret {
  readonly secret: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
  readonly expiresMs?: number;
}

export interface Verifying<S extends Secret> {
  readonly find: (accessKeyId: string) => S | undefined;
  readonly expected: { readonly service: string; readonly region?: string };
  readonly nowMs: number;
}

const skewMs = 15 * 60_000;

/**
 * Checks a request as AWS does, in its order and its words: form, time, scope, key, signature, token, expiry. Written from
 * the AWS documentation alone and sharing nothing with the signer it judges. Throws AwsError.
 */
export function verify<S extends Secret>(
  request: Received,
  { find, expected, nowMs }: Verifying<S>,
): { readonly authorization: Authorization; readonly secret: S } {
  for (const name of [
    'host',
    'x-amz-date',
    'x-amz-security-token',
    'x-amz-target',
    'x-amz-content-sha256',
    'content-length',
    'content-type',
  ]) {
    if (headerValues(request, name).length > 1)
      throw new AwsError('InvalidSignatureException', `The header ${name} was given more than once.`);
  }
  const authorization = parseAuthorization(request);
  const date = checkTime(request, authorization, nowMs);
  checkScope(authorization, expected);
  checkSignedHeaders(request, authorization);
  const payloadHash = checkPayload(request);
  const secret = find(authorization.accessKeyId);
  if (secret === undefined) throw new AwsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
  const canonical = canonicalRequest(request, authorization.signedHeaders, payloadHash);
  if (signatureOf(canonical, { date, authorization, secret: secret.secret }) !== authorization.signature) throw mismatch(canonical);
  if (headerValues(request, 'x-amz-security-token')[0] !== secret.sessionToken)
    throw new AwsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
  if (secret.expiresMs !== undefined && secret.expiresMs <= nowMs)
    throw new AwsError('ExpiredTokenException', 'The security token included in the request is expired');
  return { authorization, secret };
}

function checkTime(request: Received, authorization: Authorization, nowMs: number): string {
  const date = headerValues(request, 'x-amz-date')[0];
  if (date === undefined)
    throw new AwsError(
      'IncompleteSignatureException',
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  const parts = /^(?<day>(\d{4})(\d\d)(\d\d))T(\d\d)(\d\d)(\d\d)Z$/u.exec(date);
  if (parts === null)
    throw new AwsError(
      'IncompleteSignatureException',
      `Date must be in ISO-8601 'basic format'. Got '${date}'. See http://en.wikipedia.org/wiki/ISO_8601`,
    );
  if (parts.groups?.['day'] !== authorization.date) {
    throw new AwsError(
      'InvalidSignatureException',
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${authorization.date}' != '${parts.groups?.['day']}', from '${date}'.`,
    );
  }
  const [, , year, month, day, hour, minute, second] = parts.map(Number);
  const signedMs = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
  if (signedMs < nowMs - skewMs)
    throw new AwsError(
      'InvalidSignatureException',
      `Signature expired: ${date} is now earlier than ${basic(nowMs - skewMs)} (${basic(nowMs)} - 15 min.)`,
    );
  if (signedMs > nowMs + skewMs)
    throw new AwsError(
      'InvalidSignatureException',
      `Signature not yet current: ${date} is still later than ${basic(nowMs + skewMs)} (${basic(nowMs)} + 15 min.)`,
    );
  return date;
}

function basic(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/gu, '');
}

function checkScope({ region, service }: Authorization, expected: { readonly service: string; readonly region?: string }): void {
  const faults: string[] = [];
  if (expected.region !== undefined && region !== expected.region)
    faults.push(`Credential should be scoped to a valid region, not '${region}'. `);
  if (service !== expected.service) faults.push(`Credential should be scoped to correct service: '${expected.service}'. `);
  if (faults.length > 0) throw new AwsError('InvalidSignatureException', faults.join(''));
}

/** Host must be signed, and every x-amz header that is there: an unsigned one could have been added on the way. */
function checkSignedHeaders(request: Received, { signedHeaders }: Authorization): void {
  if (!signedHeaders.includes('host'))
    throw new AwsError('InvalidSignatureException', "'Host' must be a 'SignedHeader' in the AWS Authorization.");
  const sorted = [...new Set(signedHeaders)].sort();
  if (sorted.join(';') !== signedHeaders.join(';') || signedHeaders.some((name) => name !== name.toLowerCase())) {
    throw new AwsError('InvalidSignatureException', 'SignedHeaders must be lower-case, sorted, and each given once.');
  }
  const missing = signedHeaders.find((name) => headerValues(request, name).length === 0);
  if (missing !== undefined) throw new AwsError('InvalidSignatureException', `The signed header ${missing} is not in the request.`);
  const unsigned = request.headers
    .map(([name]) => name.toLowerCase())
    .filter((name) => name.startsWith('x-amz-') && !signedHeaders.includes(name));
  if (unsigned.length > 0)
    throw new AwsError(
      'InvalidSignatureException',
      `There were headers present in the request which were not signed: ${unsigned.join(', ')}`,
    );
}

function checkPayload(request: Received): string {
  const claimed = headerValues(request, 'x-amz-content-sha256')[0];
  if (claimed !== undefined && claimed !== request.bodySha256)
    throw new AwsError('InvalidSignatureException', "The provided 'x-amz-content-sha256' header does not match what was computed.");
  return request.bodySha256;
}

function signatureOf(
  canonical: string,
  { date, authorization, secret }: { readonly date: string; readonly authorization: Authorization; readonly secret: string },
): string {
  const scope = [authorization.date, authorization.region, authorization.service, 'aws4_request'];
  // latin1: header bytes as they stood on the wire, not as characters.
  const hashed = createHash('sha256').update(Buffer.from(canonical, 'latin1')).digest('hex');
  const text = ['AWS4-HMAC-SHA256', date, scope.join('/'), hashed].join('\n');
  let key: Buffer = Buffer.from(`AWS4${secret}`);
  for (const part of scope) key = createHmac('sha256', key).update(part).digest();
  return createHmac('sha256', key).update(text).digest('hex');
}

function mismatch(canonical: string): AwsError {
  const text =
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';
  return new AwsError('InvalidSignatureException', `${text}\n\nThe Canonical String for this request should have been\n'${canonical}'\n`);
}
