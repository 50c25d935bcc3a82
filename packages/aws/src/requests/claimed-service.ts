import type { RequestHead } from '#requests/aws-request.ts';
import { headerValues } from '#requests/raw-headers.ts';

const SCOPE = /(?:Credential=|^)[\w-]{1,128}(?:\/|%2F)\d{8}(?:\/|%2F)(?:[\w-]{1,64}(?:\/|%2F))?([\w.-]{1,64})(?:\/|%2F)aws4_request/i;
const CREDENTIAL = /(?:^|&)X-Amz-Credential=([^&]{1,400})/i;
/** Of the clients that sign with version 2 those of S3 alone use this scheme, or an address without SignatureVersion. */
const OLD_S3 = /(?:^|&)AWSAccessKeyId=/;

/**
 * The service that a request says it is signed for: whoever made it has a reader for that service's answers. Nothing is verified; only the
 * shape of a refusal may go by it.
 */
export function claimedService({ headers, query }: Pick<RequestHead, 'headers' | 'query'>): string | undefined {
  const [given] = headerValues(headers, 'authorization');
  if (given !== undefined) return /^AWS[ \t]/.test(given) ? 's3' : SCOPE.exec(given)?.[1];
  const [, credential] = CREDENTIAL.exec(query) ?? [];
  if (credential !== undefined) return SCOPE.exec(credential)?.[1];
  return OLD_S3.test(query) && !/(?:^|&)SignatureVersion=/.test(query) ? 's3' : undefined;
}
