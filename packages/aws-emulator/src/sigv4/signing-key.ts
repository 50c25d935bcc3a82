import { type KeyObject, createECDH, createHash, createHmac, createPublicKey, verify as verifySignature } from 'node:crypto';

import type { Claim } from '#sigv4/claim.ts';

/** Judges signatures made with one secret for one scope: of a request, of its chunks, of its trailer. */
export interface SigningKey {
  /** DATE/REGION/SERVICE/aws4_request, without the region in SigV4a. */
  readonly scope: string;
  matches(stringToSign: string, signature: string): boolean;
}

export function signingKey(claim: Claim, secret: string): SigningKey {
  return claim.algorithm === 'AWS4-HMAC-SHA256' ? hmacKey(claim, secret) : ecdsaKey(claim, secret);
}

function hmacKey({ date, region = '', service }: Claim, secret: string): SigningKey {
  const scope = [date, region, service, 'aws4_request'];
  let key: Buffer = Buffer.from(`AWS4${secret}`);
  for (const part of scope) key = createHmac('sha256', key).update(part).digest();
  return {
    scope: scope.join('/'),
    matches: (text, signature) => createHmac('sha256', key).update(text).digest('hex') === signature,
  };
}

function ecdsaKey({ accessKeyId, date, service }: Claim, secret: string): SigningKey {
  const key = sigV4aPublicKey(accessKeyId, secret);
  return {
    scope: `${date}/${service}/aws4_request`,
    matches: (text, signature) =>
      /^(?:[0-9a-f]{2}){8,72}$/u.test(signature) && verifySignature('sha256', Buffer.from(text), key, Buffer.from(signature, 'hex')),
  };
}

const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');

/**
 * The P-256 key that SigV4a derives from a secret: NIST SP 800-108 in counter mode over the key id, until a candidate is below the
 * order of the curve less one, and one more than that. Source: IAM user guide, "AWS Signature Version 4A".
 */
export function sigV4aPublicKey(accessKeyId: string, secret: string): KeyObject {
  for (let counter = 1; counter < 255; counter += 1) {
    const input = Buffer.concat([
      Buffer.from([0, 0, 0, 1]),
      Buffer.from('AWS4-ECDSA-P256-SHA256'),
      Buffer.from([0]),
      Buffer.from(accessKeyId),
      Buffer.from([counter, 0, 0, 1, 0]),
    ]);
    const candidate = BigInt(`0x${createHmac('sha256', `AWS4A${secret}`).update(input).digest('hex')}`);
    if (candidate > order - 2n) continue;
    const curve = createECDH('prime256v1');
    curve.setPrivateKey((candidate + 1n).toString(16).padStart(64, '0'), 'hex');
    const point = curve.getPublicKey();
    const coordinate = (from: number): string => point.subarray(from, from + 32).toString('base64url');
    return createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x: coordinate(1), y: coordinate(33) } });
  }
  throw new Error(`no key can be derived from ${accessKeyId}`);
}

export function sha256Hex(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
