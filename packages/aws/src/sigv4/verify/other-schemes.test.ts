import { describe, expect, test } from 'vitest';
import { SigningKeys } from '#sigv4/signing-keys.ts';
import { verifyRequest } from '#sigv4/verify-request.ts';

const verifier = { keys: new SigningKeys(), credentialsOf: () => undefined };

function judge(changes: { readonly method?: string; readonly query?: string; readonly headers?: readonly string[] }) {
  return verifyRequest({ method: 'GET', path: '/', query: '', headers: [], nowMs: Date.now(), ...changes }, verifier);
}

describe('a request without a signature of version 4', () => {
  test.each([
    ['SigV2 of S3', { headers: ['Authorization', 'AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg='] }, 'Signature Version 2'],
    ['SigV3', { headers: ['Authorization', 'AWS3-HTTPS AWSAccessKeyId=x,Algorithm=HmacSHA256,Signature=y'] }, 'Signature Version 3'],
    [
      'SigV2 of a Query service',
      { query: 'Action=ListDomains&AWSAccessKeyId=AKIA&SignatureVersion=2&SignatureMethod=HmacSHA256&Signature=x' },
      'Version 2',
    ],
    ['a pre-signed URL of SigV2', { query: 'AWSAccessKeyId=AKIA&Expires=1141889120&Signature=x' }, 'Signature Version 2'],
    ['an API key of Bedrock', { headers: ['Authorization', 'Bearer bedrock-api-key-x'] }, 'bearer token or API key'],
    ['a password', { headers: ['Authorization', 'Basic QVdTOng='] }, 'user name and password'],
    ['an HTML form of S3', { method: 'POST', headers: ['Content-Type', 'multipart/form-data; boundary=x'] }, 'S3 POST policy'],
  ])('but with %s is refused by name', (_, changes, words) => {
    expect(judge(changes)).toMatchObject({ kind: 'bad_request', refusal: expect.stringContaining(words) });
  });

  test('and without anything is told from one that is wrongly signed', () => {
    expect(judge({})).toMatchObject({ kind: 'missing_key' });
    expect(judge({ query: 'list-type=2&prefix=X-Amz-Signature' })).toMatchObject({ kind: 'missing_key' });
    expect(judge({ headers: ['Authorization', 'AWS4-HMAC-SHA256 nonsense'] })).toMatchObject({ kind: 'bad_request' });
  });

  test('no refusal repeats what the client has sent as its secret', () => {
    const result = judge({ headers: ['Authorization', 'Bearer hunter2'] });
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });
});
