import { createHash } from 'node:crypto';

import { type RequestHead, header, headerValues } from '#exchange/request-head.ts';
import { AwsError } from '#protocols/aws-error.ts';
import type { Claim } from '#sigv4/claim.ts';

/** How a body is covered by its signature. Source: S3 API reference, "Authenticating requests", and "Signature calculations for trailing headers". */
export type PayloadMode =
  /** The hash of the body enters the signature, and nothing says it beforehand. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'hash'; readonly sha256: string }
  | { readonly kind: 'unsigned' }
  /** aws-chunked; `signed` is the algorithm of the chunks' own signatures. */
  | { readonly kind: 'chunks'; readonly signed: 'no' | 'hmac' | 'ecdsa'; readonly trailer: boolean }
  | { readonly kind: 'events' };

const streaming: Readonly<Record<string, PayloadMode>> = {
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { kind: 'chunks', signed: 'no', trailer: true },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { kind: 'chunks', signed: 'hmac', trailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { kind: 'chunks', signed: 'hmac', trailer: true },
  'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD': { kind: 'chunks', signed: 'ecdsa', trailer: false },
  'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER': { kind: 'chunks', signed: 'ecdsa', trailer: true },
};
const s3Names: readonly string[] = ['s3', 's3-outposts', 's3-object-lambda', 's3express'];
/** Other services with operations of the trait "v4-unsigned-body". */
const unsignedNames: readonly string[] = ['ebs', 'lex', 'mediastore', 'omics'];

/** The mode and what stands for the body in the canonical request; undefined where that is the hash of a body still to come. */
export function payloadModeOf(head: RequestHead, claim: Claim): { readonly mode: PayloadMode; readonly line: string | undefined } {
  const s3 = s3Names.includes(claim.service);
  const given = header(head, 'x-amz-content-sha256');
  // Its clients sign no body: as if there were none, or under a name that says otherwise.
  if (claim.service === 'kinesisvideo' && head.method === 'POST' && head.target === '/putMedia') {
    if (given === undefined) return { mode: { kind: 'unsigned' }, line: createHash('sha256').digest('hex') };
    if (given === 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD') return { mode: { kind: 'unsigned' }, line: given };
  }
  if (given === undefined) return modeWithoutHeader(claim, s3);
  if (/^[0-9a-f]{64}$/u.test(given)) return { mode: { kind: 'hash', sha256: given }, line: given };
  if (given === 'UNSIGNED-PAYLOAD' && (s3 || unsignedNames.includes(claim.service))) return { mode: { kind: 'unsigned' }, line: given };
  if (given === 'STREAMING-AWS4-HMAC-SHA256-EVENTS') return { mode: { kind: 'events' }, line: given };
  const chunks = s3 && Object.hasOwn(streaming, given) ? streaming[given] : undefined;
  if (chunks === undefined || !fits(chunks, claim))
    throw new AwsError('InvalidSignatureException', "The provided 'x-amz-content-sha256' header does not match what was computed.", 400, {
      s3: ['InvalidArgument', 400],
    });
  return { mode: chunks, line: given };
}

function modeWithoutHeader(claim: Claim, s3: boolean): { readonly mode: PayloadMode; readonly line: string | undefined } {
  if (s3 && claim.expires !== undefined) return { mode: { kind: 'unsigned' }, line: 'UNSIGNED-PAYLOAD' };
  if (s3)
    throw new AwsError('InvalidSignatureException', 'Missing required header for this request: x-amz-content-sha256', 400, {
      s3: ['InvalidRequest', 400],
    });
  return { mode: { kind: 'absent' }, line: undefined };
}

/** Chunks are signed with the algorithm of the request itself. */
function fits(mode: PayloadMode, { algorithm }: Claim): boolean {
  return mode.kind !== 'chunks' || mode.signed === 'no' || (mode.signed === 'ecdsa') === (algorithm === 'AWS4-ECDSA-P256-SHA256');
}

/** As the raw log names it. */
export function payloadModeName(head: RequestHead, mode: PayloadMode): string {
  if (mode.kind === 'absent' || mode.kind === 'hash') return mode.kind;
  return headerValues(head, 'x-amz-content-sha256')[0] ?? 'UNSIGNED-PAYLOAD';
}
