import type { Credentials } from '#credentials/credentials.ts';
import { canonicalHash, canonicalHeaders, type CanonicalHeader } from '#sigv4/canonical/canonical-request.ts';
import { canonicalPath } from '#sigv4/canonical/canonical-path.ts';
import { canonicalQuery } from '#sigv4/canonical/canonical-query.ts';
import { canonicalValue } from '#sigv4/canonical/header-rules.ts';
import { isProven } from '#sigv4/keys/prove.ts';
import type { PayloadMode, SigningAlgorithm } from '#sigv4/payload-mode.ts';
import { refuse, type SignatureRefusal, wrongBody } from '#sigv4/signature-refusal.ts';
import type { SignatureChain } from '#sigv4/signature-chain.ts';
import { amzDate, type SigningKey, type SigningKeys } from '#sigv4/signing-keys.ts';
import { AUTHORITY } from '#sigv4/verify/authorization-header.ts';
import { type Claim, claimOf } from '#sigv4/verify/claim.ts';
import { groupHeaders, type GroupedHeaders, hasBody, unsignedControlHeader } from '#sigv4/verify/grouped-headers.ts';
import { claimedPayload } from '#sigv4/verify/claimed-payload.ts';
import { emptySha256 } from '#sigv4/canonical/empty-sha256.ts';

export type VerifyInput = {
  readonly method: string;
  /** raw, as it came */
  readonly path: string;
  /** raw, without the question mark */
  readonly query: string;
  /** flat raw headers as they came: IncomingMessage.rawHeaders */
  readonly headers: readonly string[];
  /** hex SHA-256 of the body where it is known already */
  readonly bodySha256?: string;
  readonly nowMs: number;
};

export type Verifier = {
  readonly credentialsOf: (accessKeyId: string) => Credentials | undefined;
  readonly keys: SigningKeys;
  /** how far the client's clock may be off, both ways; default 15 minutes */
  readonly maxSkewMs?: number;
};

/** What a signature that could be verified says. The chain goes on from it: see planBody. */
export type VerifiedRequest = {
  readonly credentials: Credentials;
  readonly algorithm: SigningAlgorithm;
  /** with SigV4a the region set: `*`, or regions and patterns with commas between */
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  /** only `hash` and `signed_chunks` cover the body; a body without declared hash is `hash` once it has been verified */
  readonly payload: Exclude<PayloadMode, { readonly kind: 'whole' }>;
  /** the payload line of the canonical request, to be signed again as it is */
  readonly payloadLine: string;
  readonly chain: SignatureChain;
  /** for query authentication: when it ends, and the raw query without the signature's parameters */
  readonly presigned?: { readonly expiresAtMs: number; readonly query: string };
};

/** The signature covers the hash of a body that has not been read: nothing is verified yet, and what is said here is the client's word. */
export type AwaitsBody = {
  readonly awaitsBody: true;
  readonly claimed: { readonly credentials: Credentials; readonly region: string; readonly service: string };
  /** `bodySha256` in hex */
  readonly verify: (bodySha256: string) => VerifiedRequest | SignatureRefusal;
};

const fifteenMinutesMs = 15 * 60_000;

/**
 * Verifies header and query authentication of SigV4 and SigV4a, as AWS would. Each call stands for itself: nothing of a verification is
 * kept but the derived key, so no request is accepted because another was.
 */
export function verifyRequest(input: VerifyInput, verifier: Verifier): VerifiedRequest | AwaitsBody | SignatureRefusal {
  const headers = groupHeaders(input.headers);
  const claim = claimOf({ ...input, headers }, verifier.maxSkewMs ?? fifteenMinutesMs);
  if ('refusal' in claim) return claim;
  const { authorization, region, timeMs } = claim;
  const credentials = verifier.credentialsOf(authorization.accessKeyId);
  if (credentials === undefined) return refuse('unknown_key', `the access key ${authorization.accessKeyId} is not known here`);
  const unsigned = unsignedControlHeader(headers, authorization);
  if (unsigned !== undefined) return refuse('bad_signature', `the header ${unsigned} must be there once and be signed`);
  if (claim.securityToken !== credentials.sessionToken) return refuse('unknown_key', 'the session token does not belong to the access key');
  const lines = signedLines(headers, authorization.signedHeaders);
  if ('refusal' in lines) return lines;
  const payload = claimedPayload(headers, claim, input);
  if ('refusal' in payload) return payload;

  const { service } = authorization;
  const key =
    authorization.algorithm === 'AWS4-HMAC-SHA256'
      ? verifier.keys.for(credentials, { nowMs: timeMs, region, service })
      : verifier.keys.forRegionSet(credentials, { nowMs: timeMs, regionSet: region, service });
  const opened = { input, claim, key, lines: canonicalHeaders(lines) };
  if (payload.mode.kind !== 'whole') {
    if (payload.mode.kind === 'hash' && input.bodySha256 !== undefined && payload.mode.sha256 !== input.bodySha256) return wrongBody();
    return judge(opened, payload.mode, payload.line);
  }
  const verify = (sha256: string): VerifiedRequest | SignatureRefusal => judge(opened, { kind: 'hash', sha256 }, sha256);
  const bodySha256 = input.bodySha256 ?? (hasBody(headers) ? undefined : emptySha256);
  return bodySha256 === undefined ? { awaitsBody: true, claimed: { credentials, region, service }, verify } : verify(bodySha256);
}

type Opened = {
  readonly input: VerifyInput;
  readonly claim: Claim;
  readonly key: SigningKey;
  readonly lines: { readonly headerLines: string; readonly signedHeaders: string };
};

function judge(opened: Opened, payload: VerifiedRequest['payload'], payloadLine: string): VerifiedRequest | SignatureRefusal {
  const { input, claim, key, lines } = opened;
  const { authorization, region, timeMs, presigned } = claim;
  const requestHash = canonicalHash({
    method: input.method,
    path: canonicalPath(input.path, authorization.service),
    query: canonicalQuery(claim.signedQuery),
    ...lines,
    payload: payloadLine,
  });
  const date = amzDate(timeMs);
  if (!isProven(key, `${key.algorithm}\n${date}\n${key.scope}\n${requestHash}`, authorization.signature)) {
    return refuse('bad_signature', 'the request signature we calculated does not match the signature you provided');
  }
  return {
    credentials: key.credentials,
    algorithm: key.algorithm,
    region,
    service: authorization.service,
    signedHeaders: authorization.signedHeaders,
    payload,
    payloadLine,
    chain: { key, amzDate: date, seed: authorization.signature },
    ...(presigned === undefined ? {} : { presigned }),
  };
}

/** The lines of the headers that the client says it signed: its own list, whatever ours would be. */
function signedLines(headers: GroupedHeaders, names: readonly string[]): CanonicalHeader[] | SignatureRefusal {
  const lines: CanonicalHeader[] = [];
  for (const name of names) {
    const values = headers.get(name === AUTHORITY ? 'host' : name);
    if (values === undefined) return refuse('bad_signature', `the signed header ${name} is missing`);
    for (const value of values) {
      if (/[\0\r\n]/.test(value)) return refuse('bad_request', `the header ${name} holds a line break or a zero byte`);
      lines.push({ name, value: canonicalValue(value) });
    }
  }
  return lines;
}
