import { describe, expect, it } from 'vitest';
import { keyIdOf } from '#endpoint/key-id-of.ts';

const ID = 'AKIAABCDEFGHIJKLMNOP';
const of = (authorization: string, target = '/') => keyIdOf({ target, fields: ['Host', 'x', 'authorization', authorization] });

describe('the key that a request names', () => {
  it.each([
    `AWS4-HMAC-SHA256 Credential=${ID}/20260102/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00`,
    `AWS4-HMAC-SHA256 SignedHeaders=host,Credential=${ID}/20260102/us-east-1/s3/aws4_request,Signature=00`,
    `AWS4-ECDSA-P256-SHA256 Credential=${ID}/20260102/s3/aws4_request, SignedHeaders=host, Signature=00`,
  ])('stands in its header: %s', (value) => expect(of(value)).toBe(ID));

  it('stands in its query where it is pre-signed, its slashes written either way', () => {
    for (const slash of ['%2F', '%2f', '/'])
      expect(keyIdOf({ target: `/b/k?X-Amz-Algorithm=A&X-Amz-Credential=${ID}${slash}2026`, fields: [] })).toBe(ID);
  });

  it.each(['Bearer abc', 'AWS AKIAABCDEFGHIJKLMNOP:sig', `AWS4-HMAC-SHA256 Credential=${ID}`, `AWS4-HMAC-SHA256 XCredential=${ID}/x`, ''])(
    'is none in "%s"',
    (value) => expect(of(value)).toBeUndefined(),
  );

  it.each([' '.repeat(16_000), ' ,'.repeat(8_000), 'Credential='.repeat(1_450), ' Credential='.repeat(1_300)])(
    'is looked for in time that grows with the header and no faster',
    (filler) => {
      const startedMs = performance.now();
      for (let i = 0; i < 10; i += 1) expect(of(`AWS4-HMAC-SHA256${filler} x`)).toBeUndefined();
      expect(performance.now() - startedMs).toBeLessThan(200);
    },
  );
});
