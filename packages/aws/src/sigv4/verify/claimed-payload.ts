import { emptySha256 } from '#sigv4/canonical/empty-sha256.ts';
import { isS3Family } from '#sigv4/canonical/canonical-path.ts';
import { type PayloadMode, payloadMode } from '#sigv4/payload-mode.ts';
import { refuse, type SignatureRefusal } from '#sigv4/signature-refusal.ts';
import type { Claim } from '#sigv4/verify/claim.ts';
import type { GroupedHeaders } from '#sigv4/verify/grouped-headers.ts';

type Asked = { readonly method: string; readonly path: string };

export type ClaimedPayload = { readonly mode: PayloadMode; readonly line: string };

/** How the signature covers the body. A pre-signed request of S3 covers none unless it says so; everything else covers the body's hash. */
export function claimedPayload(headers: GroupedHeaders, claim: Claim, asked: Asked): ClaimedPayload | SignatureRefusal {
  const { authorization, presigned } = claim;
  const byDefault = presigned !== undefined && isS3Family(authorization.service) ? 'UNSIGNED-PAYLOAD' : undefined;
  const line = headers.get('x-amz-content-sha256')?.[0] ?? claim.queryContentSha256 ?? byDefault;
  const mode = payloadMode(line);
  if (mode === undefined)
    return refuse('bad_request', 'x-amz-content-sha256 is neither a SHA-256 in hex nor a payload mode that is known here');
  if (mode.kind !== 'events' && isPutMedia(asked, authorization.service))
    return { mode: { kind: 'unsigned', isEndless: true }, line: line ?? emptySha256 };
  if (mode.kind === 'signed_chunks') {
    if (mode.algorithm !== authorization.algorithm)
      return refuse('bad_request', `x-amz-content-sha256 and the signature of the request (${authorization.algorithm}) are of two kinds`);
    if (presigned !== undefined) return refuse('bad_request', 'a request that is signed in its query cannot have signed chunks');
  }
  if (mode.kind === 'events' && authorization.algorithm !== 'AWS4-HMAC-SHA256')
    return refuse('bad_request', 'an event stream can only be signed with AWS4-HMAC-SHA256');
  return { mode, line: line ?? '' };
}

/**
 * A stream without an end, of which no signature knows anything, whatever stands in the request: its clients sign as if there were no body, or
 * (the one in Java) under the name of signed chunks that they do not write. AWS acts on each fragment as it comes.
 * https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/API_dataplane_PutMedia.html
 */
function isPutMedia({ method, path }: Asked, service: string): boolean {
  return service === 'kinesisvideo' && method === 'POST' && path === '/putMedia';
}
