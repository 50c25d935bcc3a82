/**
 * How a request's body is covered by its signature, as x-amz-content-sha256 says. The name of the mode is the payload line of the canonical
 * request and travels on unchanged: a bucket policy may demand a mode (`s3:x-amz-content-sha256`).
 */
export type PayloadMode =
  /** the body's hash, declared beforehand; the body is compared while it streams */
  | { readonly kind: 'hash'; readonly sha256: string }
  /** no header: the body's hash stands in the signature alone, so the whole body is needed before anything is known */
  | { readonly kind: 'whole' }
  /** UNSIGNED-PAYLOAD; or a body without an end, which is taken as it comes */
  | { readonly kind: 'unsigned'; readonly isEndless?: true }
  /** STREAMING-UNSIGNED-PAYLOAD-TRAILER */
  | { readonly kind: 'unsigned_trailer' }
  /** STREAMING-AWS4-HMAC-SHA256-PAYLOAD[-TRAILER], STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD[-TRAILER] */
  | { readonly kind: 'signed_chunks'; readonly algorithm: SigningAlgorithm; readonly hasTrailer: boolean }
  /** STREAMING-AWS4-HMAC-SHA256-EVENTS */
  | { readonly kind: 'events' };

export type SigningAlgorithm = 'AWS4-HMAC-SHA256' | 'AWS4-ECDSA-P256-SHA256';

const modes: ReadonlyMap<string, PayloadMode> = new Map<string, PayloadMode>([
  ['UNSIGNED-PAYLOAD', { kind: 'unsigned' }],
  ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', { kind: 'unsigned_trailer' }],
  ['STREAMING-AWS4-HMAC-SHA256-EVENTS', { kind: 'events' }],
  ...(['AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256'] as const).flatMap((algorithm): [string, PayloadMode][] => [
    [`STREAMING-${algorithm}-PAYLOAD`, { kind: 'signed_chunks', algorithm, hasTrailer: false }],
    [`STREAMING-${algorithm}-PAYLOAD-TRAILER`, { kind: 'signed_chunks', algorithm, hasTrailer: true }],
  ]),
]);

/** Undefined for what is neither a hash nor a known mode: what cannot be understood cannot be signed anew. */
export function payloadMode(contentSha256: string | undefined): PayloadMode | undefined {
  if (contentSha256 === undefined) return { kind: 'whole' };
  if (/^[0-9a-f]{64}$/.test(contentSha256)) return { kind: 'hash', sha256: contentSha256 };
  return modes.get(contentSha256);
}
