import { createHmac, sign, timingSafeEqual, verify } from 'node:crypto';
import type { SigningAlgorithm } from '#sigv4/payload-mode.ts';
import type { SigningKey } from '#sigv4/signing-keys.ts';

/** The signature of a string-to-sign, in hex: 64 digits by HMAC, up to 144 by ECDSA, whose DER is as long as its numbers. */
export function prove(key: SigningKey, stringToSign: string): string {
  if (key.algorithm === 'AWS4-HMAC-SHA256') return createHmac('sha256', key.hmacKey).update(stringToSign).digest('hex');
  return sign('sha256', Buffer.from(stringToSign, 'latin1'), key.privateKey).toString('hex');
}

export function isProven(key: SigningKey, stringToSign: string, signature: string): boolean {
  if (!isSignature(key.algorithm, signature)) return false;
  if (key.algorithm === 'AWS4-HMAC-SHA256') {
    return timingSafeEqual(Buffer.from(prove(key, stringToSign), 'latin1'), Buffer.from(signature, 'latin1'));
  }
  return verify('sha256', Buffer.from(stringToSign, 'latin1'), key.publicKey, Buffer.from(signature, 'hex'));
}

/** timingSafeEqual throws on unequal lengths, so the shape is settled first. */
export function isSignature(algorithm: SigningAlgorithm, text: string): boolean {
  return algorithm === 'AWS4-HMAC-SHA256' ? /^[0-9a-f]{64}$/.test(text) : /^(?:[0-9a-f]{2}){8,72}$/.test(text);
}
