import {
  type AwsTarget,
  type Credentials,
  presignRequest,
  type SignatureChain,
  type SigningKey,
  type SigningKeys,
  signRequest,
  type VerifiedRequest,
} from '@postern/aws';
import type { SignedHead } from '#requests/read-seed.ts';
import type { TakenBody } from '#requests/take-body.ts';

export interface SignAnewInput {
  readonly verified: VerifiedRequest;
  /** What is sent: as it came, without the parameters of an old signature; other than that only for operations that hand out keys. */
  readonly goes: SignedHead;
  /** The body is another than the client's: its hash is signed, whatever the client signed. */
  readonly isRewritten: boolean;
  readonly target: AwsTarget;
  readonly body: TakenBody;
  readonly credentials: Credentials;
  readonly keys: SigningKeys;
  /** Of the certificate: nothing that is signed in a query is worth anything after it. */
  readonly notAfterMs: number;
  readonly nowMs: number;
}

/** A request as it leaves. */
export interface SignedAnew {
  /** Flat, Host and the frame of the body included. */
  readonly headers: readonly string[];
  /** Path and query. */
  readonly target: string;
  /** For chunks and messages that are signed one after another; absent where the query is signed. */
  readonly chain: SignatureChain | undefined;
}

/**
 * Step 8: for the target's host, service and region, in the same way and over the same kind of payload as the client signed: what a policy
 * of AWS demands of a request stays true of it. Throws SigningError.
 */
export function signAnew(input: SignAnewInput): SignedAnew {
  const { verified, goes, target, body, nowMs } = input;
  const { method, path, headers } = goes;
  const { host } = target;
  const key = keyOf(input);
  const payload = body.kind === 'streamed' ? body.plan.payload : input.isRewritten ? body.body.sha256 : verified.payloadLine;
  const bodyLength = lengthOf(method, body);
  const common = { method, path, host, headers, payload, nowMs, ...(bodyLength === undefined ? {} : { bodyLength }) };
  if (verified.presigned === undefined) {
    const signed = signRequest({ ...common, query: goes.query }, key);
    return { headers: signed.headers, target: targetOf(path, goes.query), chain: signed.chain };
  }
  const endsAtMs = [verified.presigned.expiresAtMs, input.notAfterMs];
  const presigned = presignRequest({ ...common, query: goes.query, signedHeaders: verified.signedHeaders, endsAtMs }, key);
  return { headers: presigned.headers, target: targetOf(path, presigned.query), chain: undefined };
}

function keyOf({ target, credentials, keys, nowMs }: SignAnewInput): SigningKey {
  const { region, service } = target;
  return target.signature === 'v4a'
    ? keys.forRegionSet(credentials, { nowMs, regionSet: region, service })
    : keys.for(credentials, { nowMs, region, service });
}

/** Of a body that is held the length is known now, whatever the client said of it. */
function lengthOf(method: string, body: TakenBody): number | 'chunked' | undefined {
  if (body.kind === 'streamed') return body.plan.bodyLength;
  const { length } = body.body;
  return length > 0 || method === 'POST' || method === 'PUT' ? length : undefined;
}

function targetOf(path: string, query: string): string {
  return query === '' ? path : `${path}?${query}`;
}
