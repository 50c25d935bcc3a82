import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { PkiError } from '#pki-error.ts';

export interface GeneratedKey {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Buffer;
  /** PKCS #8. */
  readonly privateKeyPem: string;
}

export function generateKey(): GeneratedKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privateKey,
    publicKeyDer: publicKey.export({ type: 'spki', format: 'der' }),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** SubjectPublicKeyInfo of an uncompressed P-256 point up to the point itself (RFC 5480): the only form accepted. */
const P256_PREFIX = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');
const P256_POINT_BYTES = 65;

/** Comparing the prefix first keeps hostile input (a key of a megabyte, a curve with made-up parameters) away from OpenSSL. */
export function readPublicKey(publicKeyDer: Buffer): KeyObject {
  const prefix = publicKeyDer.subarray(0, P256_PREFIX.length);
  if (
    publicKeyDer.length !== P256_PREFIX.length + P256_POINT_BYTES ||
    !prefix.equals(P256_PREFIX) ||
    publicKeyDer[P256_PREFIX.length] !== 4
  ) {
    throw new PkiError('bad_key', 'a public key must be an uncompressed P-256 point as SubjectPublicKeyInfo in DER');
  }
  try {
    return createPublicKey({ key: publicKeyDer, type: 'spki', format: 'der' });
  } catch (cause) {
    throw new PkiError('bad_key', 'the public key is not a point of P-256', { cause });
  }
}

export function publicKeyDerOf(key: KeyObject): Buffer {
  return (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' });
}

export function readPrivateKey(pem: string | Buffer): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // OpenSSL's own text may quote the input; it is not passed on.
    throw new PkiError('bad_key', 'the private key cannot be read');
  }
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new PkiError('bad_key', 'the private key is not on P-256');
  return key;
}

export function readPem(certificatePem: string): X509Certificate {
  try {
    return new X509Certificate(certificatePem);
  } catch (cause) {
    throw new PkiError('malformed', 'the certificate cannot be read', { cause });
  }
}

export function certificateDerOf(certificatePem: string): Buffer {
  return readPem(certificatePem).raw;
}

/** The pin that `tctl status` prints: SHA-256 of the SubjectPublicKeyInfo, as RFC 7469 counts it, in hex. */
export function caPin(certificatePem: string): string {
  const spki = publicKeyDerOf(readPem(certificatePem).publicKey);
  return `sha256:${createHash('sha256').update(spki).digest('hex')}`;
}

export function isPin(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/i.test(text);
}

/** The certificate that the pin names; undefined where none of them is. */
export function matchesPin(pin: string, pems: readonly string[]): string | undefined {
  const wanted = pin.toLowerCase();
  return isPin(pin) ? pems.find((pem) => caPin(pem) === wanted) : undefined;
}
