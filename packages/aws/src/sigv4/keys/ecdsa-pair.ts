import { createECDH, createHmac, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { Credentials } from '#credentials/credentials.ts';

export type EcdsaPair = { readonly privateKey: KeyObject; readonly publicKey: KeyObject };

/** n - 2 for the order n of P-256 (FIPS 186-5, SP 800-186): a candidate above it is thrown away, so that every scalar is equally likely. */
const maxCandidate = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63254fn;

/**
 * The key pair that SigV4a derives from a secret: the counter mode of NIST SP 800-108 over HMAC-SHA256, keyed with `AWS4A` and the secret,
 * with the algorithm's name as label and the access key id and a second counter as context. The same secret gives the same pair, so whoever
 * knows the throw-away secret can verify what was signed with it.
 * Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html and aws-c-auth's key derivation.
 */
export function ecdsaPair(credentials: Credentials): EcdsaPair {
  const secret = Buffer.from(`AWS4A${credentials.secretAccessKey}`, 'utf8');
  try {
    for (let counter = 1; counter < 255; counter += 1) {
      const candidate = createHmac('sha256', secret)
        .update(Buffer.from([0, 0, 0, 1]))
        .update('AWS4-ECDSA-P256-SHA256\0')
        .update(credentials.accessKeyId)
        .update(Buffer.from([counter, 0, 0, 1, 0]))
        .digest('hex');
      const scalar = BigInt(`0x${candidate}`);
      if (scalar <= maxCandidate) return pairOf(scalar + 1n);
    }
  } finally {
    secret.fill(0);
  }
  throw new Error('no SigV4a key can be derived from these credentials');
}

function pairOf(scalar: bigint): EcdsaPair {
  const d = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex');
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(d);
  const point = curve.getPublicKey();
  const jwk = { kty: 'EC', crv: 'P-256', x: point.toString('base64url', 1, 33), y: point.toString('base64url', 33) };
  const privateKey = createPrivateKey({ key: { ...jwk, d: d.toString('base64url') }, format: 'jwk' });
  d.fill(0);
  return { privateKey, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) };
}
