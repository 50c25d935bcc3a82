import { hash } from 'node:crypto';
import { canonicalHash, canonicalHeaders, type CanonicalHeader, signature } from '#sigv4/canonical-request.ts';
import { canonicalPath, isS3Family } from '#sigv4/canonical-path.ts';
import { canonicalQuery } from '#sigv4/canonical-query.ts';
import { canonicalValue, headerRule } from '#sigv4/header-rules.ts';
import { SigningError } from '#sigv4/signing-error.ts';
import { amzDate, type SigningKey } from '#sigv4/signing-keys.ts';

export type SignInput = {
  readonly method: string;
  /** raw path of the wire without query; never passed through URL */
  readonly path: string;
  /** raw query without '?', '' where there is none */
  readonly query: string;
  /** the true AWS host, from the endpoint tables, never the client's */
  readonly host: string;
  /** flat raw headers of the client; what must not travel is dropped here */
  readonly headers: readonly string[];
  /** a body is hashed; a string is the payload line itself (hex hash, UNSIGNED-PAYLOAD, STREAMING-…) */
  readonly payload: Buffer | string;
  readonly nowMs: number;
};

export type SignedRequest = {
  /** flat raw headers, to be sent exactly as they stand */
  readonly headers: string[];
  readonly signature: string;
  readonly signedHeaders: string;
};

export const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/**
 * SigV4 with header authentication: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 * Everything that is sent is signed, except the skip list of header-rules. Throws SigningError.
 */
export function signRequest(input: SignInput, key: SigningKey): SignedRequest {
  const date = amzDate(input.nowMs);
  if (!date.startsWith(key.day))
    throw new SigningError('wrong_day', `the signing key is of ${key.day}, the request of ${date.slice(0, 8)}`);

  const kept = keepHeaders(input.headers);
  const payload = payloadLine(input.payload, kept.contentSha256);
  const { raw, signed } = kept;
  raw.push('host', input.host);
  signed.push({ name: 'host', value: input.host });
  if (typeof input.payload === 'string') {
    if (kept.contentLength !== undefined) raw.push('content-length', kept.contentLength);
  } else if (input.payload.length > 0 || kept.contentLength !== undefined || input.method === 'POST' || input.method === 'PUT') {
    raw.push('content-length', String(input.payload.length));
  }
  if (kept.contentSha256 === undefined && needsContentSha256(key.service, payload)) addHeader(kept, 'x-amz-content-sha256', payload);
  addHeader(kept, 'x-amz-date', date);
  const { accessKeyId, sessionToken } = key.credentials;
  if (sessionToken !== undefined) addHeader(kept, 'x-amz-security-token', sessionToken);

  const { headerLines, signedHeaders } = canonicalHeaders(signed);
  const requestHash = canonicalHash({
    method: input.method,
    path: canonicalPath(input.path, key.service),
    query: canonicalQuery(input.query),
    headerLines,
    signedHeaders,
    payload,
  });
  const proof = signature(date, key, requestHash);
  raw.push('authorization', `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${key.scope}, SignedHeaders=${signedHeaders}, Signature=${proof}`);
  return { headers: raw, signature: proof, signedHeaders };
}

type KeptHeaders = {
  readonly raw: string[];
  readonly signed: CanonicalHeader[];
  contentSha256: string | undefined;
  contentLength: string | undefined;
};

function keepHeaders(headers: readonly string[]): KeptHeaders {
  if (headers.length % 2 !== 0) throw new SigningError('bad_header', 'the header list has a name without a value');
  const kept: KeptHeaders = { raw: [], signed: [], contentSha256: undefined, contentLength: undefined };
  const alsoDropped = namedByConnection(headers);
  let seenSingles = 0;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    const rule = headerRule(name);
    if (rule.single >= 0) {
      const bit = 1 << rule.single;
      if ((seenSingles & bit) !== 0) throw new SigningError('duplicate_header', `the header ${rule.lower} is there twice`);
      seenSingles |= bit;
    }
    if (rule.fate === 'drop' || rule.fate === 'connection' || alsoDropped?.has(rule.lower) === true) continue;
    const canonical = canonicalValue(value);
    if (rule.lower === 'content-length') {
      kept.contentLength = value;
      continue;
    }
    if (rule.lower === 'x-amz-content-sha256') kept.contentSha256 = canonical;
    kept.raw.push(name, value);
    if (rule.fate === 'sign') kept.signed.push({ name: rule.lower, value: canonical });
  }
  return kept;
}

function namedByConnection(headers: readonly string[]): Set<string> | undefined {
  let names: Set<string> | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    if (headerRule(headers[i] ?? '').fate !== 'connection') continue;
    for (const name of (headers[i + 1] ?? '').toLowerCase().split(',')) {
      names ??= new Set();
      names.add(name.trim());
    }
  }
  return names;
}

function addHeader(kept: KeptHeaders, name: string, value: string): void {
  kept.raw.push(name, value);
  kept.signed.push({ name, value });
}

/**
 * The client's x-amz-content-sha256 is kept, so it must be true: a body damaged on the way would otherwise be signed anew and accepted.
 */
function payloadLine(payload: Buffer | string, declared: string | undefined): string {
  if (typeof payload === 'string') {
    if (declared === undefined || declared === payload) return payload;
    throw new SigningError('payload_mismatch', 'x-amz-content-sha256 and the payload mode to be signed differ');
  }
  const actual = payload.length === 0 ? emptySha256 : hash('sha256', payload, 'hex');
  if (declared === undefined || declared === actual) return actual;
  if (declared === 'UNSIGNED-PAYLOAD') return declared;
  throw new SigningError('payload_mismatch', 'the body does not match its x-amz-content-sha256');
}

/** S3 demands the header; elsewhere it is needed only where the payload line is not the hash of the body. */
function needsContentSha256(service: string, payload: string): boolean {
  return isS3Family(service) || payload.length !== 64;
}
