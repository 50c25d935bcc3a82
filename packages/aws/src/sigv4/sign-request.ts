import { hash } from 'node:crypto';
import { canonicalHash, canonicalHeaders } from '#sigv4/canonical/canonical-request.ts';
import { canonicalPath, isS3Family } from '#sigv4/canonical/canonical-path.ts';
import { canonicalQuery } from '#sigv4/canonical/canonical-query.ts';
import { emptySha256 } from '#sigv4/canonical/empty-sha256.ts';
import { addHeader, keepHeaders } from '#sigv4/canonical/kept-headers.ts';
import { prove } from '#sigv4/keys/prove.ts';
import type { SignatureChain } from '#sigv4/signature-chain.ts';
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
  /**
   * How long the body is on the wire, where the payload is a line: Content-Length, or Transfer-Encoding: chunked. Absent: the client's
   * Content-Length, where it sent one.
   */
  readonly bodyLength?: number | 'chunked';
  readonly nowMs: number;
};

export type SignedRequest = {
  /** flat raw headers, to be sent exactly as they stand */
  readonly headers: string[];
  readonly signature: string;
  readonly signedHeaders: string;
  /** for the chunks or messages that follow */
  readonly chain: SignatureChain;
};

/**
 * SigV4 or SigV4a, as the key is, with header authentication: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
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
    if (input.bodyLength === 'chunked') raw.push('transfer-encoding', 'chunked');
    else {
      const length = input.bodyLength === undefined ? kept.contentLength : String(input.bodyLength);
      if (length !== undefined) raw.push('content-length', length);
    }
  } else if (input.payload.length > 0 || kept.contentLength !== undefined || input.method === 'POST' || input.method === 'PUT') {
    raw.push('content-length', String(input.payload.length));
  }
  if (kept.contentSha256 === undefined && needsContentSha256(key.service, payload)) addHeader(kept, 'x-amz-content-sha256', payload);
  addHeader(kept, 'x-amz-date', date);
  if (key.algorithm === 'AWS4-ECDSA-P256-SHA256') addHeader(kept, 'x-amz-region-set', key.regionSet);
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
  const proof = prove(key, `${key.algorithm}\n${date}\n${key.scope}\n${requestHash}`);
  raw.push('authorization', `${key.algorithm} Credential=${accessKeyId}/${key.scope}, SignedHeaders=${signedHeaders}, Signature=${proof}`);
  return { headers: raw, signature: proof, signedHeaders, chain: { key, amzDate: date, seed: proof } };
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
