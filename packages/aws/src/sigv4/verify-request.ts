import { timingSafeEqual } from 'node:crypto';
import type { Credentials } from '#credentials/credentials.ts';
import { type Authorization, parseAuthorization } from '#sigv4/authorization-header.ts';
import { canonicalHash, canonicalHeaders, type CanonicalHeader, signature } from '#sigv4/canonical-request.ts';
import { canonicalPath, isS3Family } from '#sigv4/canonical-path.ts';
import { canonicalQuery } from '#sigv4/canonical-query.ts';
import { canonicalValue } from '#sigv4/header-rules.ts';
import { amzDate, type SigningKeys } from '#sigv4/signing-keys.ts';

export type VerifyInput = {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** flat raw headers as they came: IncomingMessage.rawHeaders */
  readonly headers: readonly string[];
  /** hex SHA-256 of the body where it is known; without it only requests that declare x-amz-content-sha256 can be judged */
  readonly bodySha256?: string;
  readonly nowMs: number;
};

export type Verifier = {
  readonly credentialsOf: (accessKeyId: string) => Credentials | undefined;
  readonly keys: SigningKeys;
  /** how far the client's clock may be off, both ways; default 15 minutes */
  readonly maxSkewMs?: number;
};

export type VerifiedRequest = {
  readonly credentials: Credentials;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  /** the payload line: a hex hash, UNSIGNED-PAYLOAD or STREAMING-…; only a hash covers the body */
  readonly payload: string;
};

/** Codes are AWS's own, so that an SDK shows what it would show for AWS. */
export type VerifyRefusal = {
  readonly refusal: string;
  readonly code:
    | 'MissingAuthenticationTokenException'
    | 'IncompleteSignatureException'
    | 'UnrecognizedClientException'
    | 'InvalidSignatureException';
};

const fifteenMinutesMs = 15 * 60_000;

/** Verifies header authentication. Presigned queries are not accepted. The refusal may be shown: it names no secret and no expected signature. */
export function verifyRequest(input: VerifyInput, verifier: Verifier): VerifiedRequest | VerifyRefusal {
  const headers = groupHeaders(input.headers);
  const given = headers.get('authorization');
  if (given === undefined) return refuse('MissingAuthenticationTokenException', 'the request carries no authorization header');
  if (given.length > 1) return refuse('IncompleteSignatureException', 'the request carries more than one authorization header');
  const authorization = parseAuthorization(given[0] ?? '');
  if (authorization === undefined) return refuse('IncompleteSignatureException', 'the authorization header is not an AWS4-HMAC-SHA256 one');
  const { accessKeyId, region, service, signedHeaders } = authorization;
  const credentials = verifier.credentialsOf(accessKeyId);
  if (credentials === undefined) return refuse('UnrecognizedClientException', `the access key ${accessKeyId} is not known here`);

  const date = requestDate(headers);
  const time = date === undefined ? undefined : parseAmzDate(date);
  if (date === undefined || time === undefined)
    return refuse('IncompleteSignatureException', 'the request carries no single valid x-amz-date');
  const skewed = judgeTime({ date, timeMs: time, nowMs: input.nowMs, maxSkewMs: verifier.maxSkewMs ?? fifteenMinutesMs });
  if (skewed !== undefined) return refuse('InvalidSignatureException', skewed);
  if (!date.startsWith(authorization.day)) {
    return refuse('InvalidSignatureException', `the credential scope is of ${authorization.day}, the request of ${date.slice(0, 8)}`);
  }

  const unsigned = unsignedControlHeader(headers, authorization);
  if (unsigned !== undefined) return refuse('InvalidSignatureException', `the header ${unsigned} must be signed`);
  const lines: CanonicalHeader[] = [];
  for (const name of signedHeaders) {
    const values = headers.get(name);
    if (values === undefined) return refuse('InvalidSignatureException', `the signed header ${name} is missing`);
    for (const value of values) lines.push({ name, value: canonicalValue(value) });
  }
  const token = headers.get('x-amz-security-token')?.[0];
  if (token !== credentials.sessionToken)
    return refuse('UnrecognizedClientException', 'the session token does not belong to the access key');

  const payload = headers.get('x-amz-content-sha256')?.[0] ?? input.bodySha256;
  if (payload === undefined) return refuse('InvalidSignatureException', 'the hash of the body is needed to judge this signature');
  if (input.bodySha256 !== undefined && /^[0-9a-f]{64}$/.test(payload) && payload !== input.bodySha256) {
    return refuse('InvalidSignatureException', 'the body does not match its x-amz-content-sha256');
  }
  const key = verifier.keys.for(credentials, { nowMs: time, region, service });
  const requestHash = canonicalHash({
    method: input.method,
    path: canonicalPath(input.path, service),
    query: canonicalQuery(input.query),
    ...canonicalHeaders(lines),
    payload,
  });
  const expected = signature(amzDate(time), key, requestHash);
  if (!timingSafeEqual(Buffer.from(expected, 'latin1'), Buffer.from(authorization.signature, 'latin1'))) {
    return refuse('InvalidSignatureException', 'the request signature we calculated does not match the signature you provided');
  }
  return { credentials, region, service, signedHeaders, payload };
}

/** Headers of which two copies are read differently by different parsers: one at most. */
const singleHeaders = [
  'authorization',
  'host',
  'content-type',
  'content-length',
  'x-amz-date',
  'x-amz-target',
  'x-amz-content-sha256',
  'x-amz-security-token',
];

function groupHeaders(raw: readonly string[]): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [raw[i + 1] ?? '']);
    else values.push(raw[i + 1] ?? '');
  }
  return headers;
}

/** The first header that decides what the request does and is not covered by the signature, or is there twice. */
function unsignedControlHeader(headers: ReadonlyMap<string, readonly string[]>, authorization: Authorization): string | undefined {
  const signed = new Set(authorization.signedHeaders);
  if (!signed.has('host')) return 'host';
  for (const [name, values] of headers) {
    if (values.length > 1 && singleHeaders.includes(name)) return name;
    const mustBeSigned = isS3Family(authorization.service)
      ? name.startsWith('x-amz-')
      : name === 'x-amz-target' || name === 'x-amz-content-sha256' || name === 'x-amz-security-token';
    if (mustBeSigned && !signed.has(name)) return name;
  }
  return undefined;
}

function requestDate(headers: ReadonlyMap<string, readonly string[]>): string | undefined {
  const values = headers.get('x-amz-date');
  return values?.length === 1 ? values[0] : undefined;
}

function parseAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const timeMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(timeMs) || amzDate(timeMs) !== text ? undefined : timeMs;
}

/** AWS's own words: the SDKs read them, correct their clock by the Date header and try again. */
function judgeTime(input: {
  readonly date: string;
  readonly timeMs: number;
  readonly nowMs: number;
  readonly maxSkewMs: number;
}): string | undefined {
  const { date, timeMs, nowMs, maxSkewMs } = input;
  const minutes = Math.round(maxSkewMs / 60_000);
  if (timeMs < nowMs - maxSkewMs) {
    return `Signature expired: ${date} is now earlier than ${amzDate(nowMs - maxSkewMs)} (${amzDate(nowMs)} - ${minutes} min.)`;
  }
  if (timeMs > nowMs + maxSkewMs) {
    return `Signature not yet current: ${date} is still later than ${amzDate(nowMs + maxSkewMs)} (${amzDate(nowMs)} + ${minutes} min.)`;
  }
  return undefined;
}

function refuse(code: VerifyRefusal['code'], refusal: string): VerifyRefusal {
  return { refusal, code };
}
