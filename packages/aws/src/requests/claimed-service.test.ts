import { expect, it } from 'vitest';
import { claimedService } from '#requests/claimed-service.ts';

const scoped = 'AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260131/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=00';
const set = 'AWS4-ECDSA-P256-SHA256 SignedHeaders=host,Credential=AKIAEXAMPLE/20260131/s3-outposts/aws4_request,Signature=00';

it.each([
  ['a header', ['Authorization', scoped], '', 's3'],
  ['a header without a region in its scope', ['authorization', set], '', 's3-outposts'],
  ['a query', [], 'a=b&X-Amz-Credential=AKIAEXAMPLE%2F20260131%2Feu-west-1%2Fdynamodb%2Faws4_request&X-Amz-Date=x', 'dynamodb'],
  [
    'a query with bare slashes',
    [],
    'X-Amz-Credential=AKIAEXAMPLE/20260131/eu-west-1/IoTSecuredTunneling/aws4_request',
    'IoTSecuredTunneling',
  ],
  ['the old signature of S3', ['Authorization', 'AWS AKIAEXAMPLE:c2lnbmF0dXJl'], '', 's3'],
  ['an old address of S3', [], 'AWSAccessKeyId=AKIAEXAMPLE&Signature=x&Expires=1', 's3'],
  ['the old signature of other services', [], 'AWSAccessKeyId=AKIAEXAMPLE&SignatureVersion=2&Action=Select', undefined],
  ['another scheme', ['Authorization', 'Bearer Credential'], '', undefined],
  ['nothing', [], 'list-type=2', undefined],
])('is read from %s', (_where, headers, query, service) => {
  expect(claimedService({ headers, query })).toBe(service);
});
