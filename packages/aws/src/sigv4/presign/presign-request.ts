import { canonicalHash, canonicalHeaders } from '#sigv4/canonical/canonical-request.ts';
import { canonicalPath } from '#sigv4/canonical/canonical-path.ts';
import { canonicalQuery } from '#sigv4/canonical/canonical-query.ts';
import { keepHeaders } from '#sigv4/canonical/kept-headers.ts';
import { encodeBytes } from '#sigv4/canonical/percent-encoding.ts';
import { prove } from '#sigv4/keys/prove.ts';
import { SigningError } from '#sigv4/signing-error.ts';
import { amzDate, type SigningKey } from '#sigv4/signing-keys.ts';

export type PresignInput = {
  readonly method: string;
  /** raw path of the wire */
  readonly path: string;
  /** raw query without the parameters of the old signature: VerifiedRequest.presigned.query */
  readonly query: string;
  /** the true AWS host */
  readonly host: string;
  /** flat raw headers of the client; what must not travel is dropped here */
  readonly headers: readonly string[];
  /** VerifiedRequest.signedHeaders: what the client signed is signed again */
  readonly signedHeaders: readonly string[];
  /** the payload line: VerifiedRequest.payloadLine */
  readonly payload: string;
  /** see SignInput */
  readonly bodyLength?: number | 'chunked';
  /** when the old signature and the session end; the new one ends with the first of them, or with the credentials where they end before */
  readonly endsAtMs: readonly number[];
  readonly nowMs: number;
};

export type PresignedRequest = {
  /** raw query of the wire, with the new signature */
  readonly query: string;
  /** flat raw headers, to be sent exactly as they stand */
  readonly headers: string[];
  readonly expiresAtMs: number;
};

const maxExpiresS = 604_800;
/** MQTT over WebSocket wants the token behind the signature and not under it: https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html */
const tokenUnsignedAt = 'iotdevicegateway';

/**
 * A request that was signed in its query, signed in its query again: not turned into header authentication, because SDKs move x-amz-*
 * headers into the query, and S3 honours those under query authentication only. Throws SigningError.
 */
export function presignRequest(input: PresignInput, key: SigningKey): PresignedRequest {
  const date = amzDate(input.nowMs);
  if (!date.startsWith(key.day))
    throw new SigningError('wrong_day', `the signing key is of ${key.day}, the request of ${date.slice(0, 8)}`);
  const expiresS = secondsLeft(input, key);
  const kept = keepHeaders(input.headers);
  const { raw } = kept;
  const mustSign = new Set(input.signedHeaders);
  const signed = kept.signed.filter(({ name }) => mustSign.has(name) || name.startsWith('x-amz-'));
  raw.push('host', input.host);
  signed.push({ name: 'host', value: input.host });
  if (input.bodyLength === 'chunked') raw.push('transfer-encoding', 'chunked');
  else {
    const length = input.bodyLength === undefined ? kept.contentLength : String(input.bodyLength);
    if (length !== undefined) raw.push('content-length', length);
  }
  const { headerLines, signedHeaders } = canonicalHeaders(signed);

  const { accessKeyId, sessionToken } = key.credentials;
  const token = sessionToken === undefined ? undefined : parameter('X-Amz-Security-Token', sessionToken);
  const unsignedToken = key.service === tokenUnsignedAt;
  const parameters = [
    parameter('X-Amz-Algorithm', key.algorithm),
    parameter('X-Amz-Credential', `${accessKeyId}/${key.scope}`),
    parameter('X-Amz-Date', date),
    parameter('X-Amz-Expires', String(expiresS)),
    ...(key.algorithm === 'AWS4-ECDSA-P256-SHA256' ? [parameter('X-Amz-Region-Set', key.regionSet)] : []),
    ...(token === undefined || unsignedToken ? [] : [token]),
    parameter('X-Amz-SignedHeaders', signedHeaders),
  ].join('&');
  const query = input.query === '' ? parameters : `${input.query}&${parameters}`;
  const requestHash = canonicalHash({
    method: input.method,
    path: canonicalPath(input.path, key.service),
    query: canonicalQuery(query),
    headerLines,
    signedHeaders,
    payload: input.payload,
  });
  const proof = prove(key, `${key.algorithm}\n${date}\n${key.scope}\n${requestHash}`);
  const whole = `${query}&X-Amz-Signature=${proof}${token === undefined || !unsignedToken ? '' : `&${token}`}`;
  return { query: whole, headers: raw, expiresAtMs: Math.floor(input.nowMs / 1000) * 1000 + expiresS * 1000 };
}

/** Rounded down, and counted from the whole second that X-Amz-Date says. */
function secondsLeft(input: PresignInput, key: SigningKey): number {
  const endsAtMs = Math.min(...input.endsAtMs, key.credentials.expiresAtMs ?? Number.POSITIVE_INFINITY);
  const seconds = Math.min(maxExpiresS, Math.floor((endsAtMs - input.nowMs) / 1000));
  if (seconds < 1) throw new SigningError('expired', 'the request, the session or the credentials end before it could be carried out');
  return seconds;
}

function parameter(name: string, value: string): string {
  return `${name}=${encodeBytes(Buffer.from(value, 'utf8'), { keepSlash: false })}`;
}
