import { type RequestHead, splitTarget, queryMap } from '#exchange/request-head.ts';

const ofTheSignature = /^x-amz-(?:algorithm|credential|date|expires|signedheaders|signature|security-token|region-set)$/u;

/** A pre-signed URL has the x-amz headers of its request in its query, and S3 reads them there, under a pre-signed URL alone. */
export function withHoistedHeaders(head: RequestHead): RequestHead {
  const { query } = splitTarget(head);
  if (!/(?:^|&)X-Amz-Signature=/u.test(query)) return head;
  const hoisted = [...queryMap(query)]
    .map(([name, value]) => [name.toLowerCase(), Buffer.from(value).toString('latin1')] as const)
    .filter(([name]) => name.startsWith('x-amz-') && !ofTheSignature.test(name));
  return { ...head, headers: [...head.headers, ...hoisted] };
}
