import { randomBytes } from 'node:crypto';
import type * as X509 from '@peculiar/x509';

/** Every certificate is dated back, so that a peer whose clock is a little behind takes it at once. */
export const BACKDATE_MS = 60_000;

/** FIPS 186-5 and SHA-2, and nothing else. */
export const SIGNING = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/**
 * @peculiar/x509 takes 100 ms and more to load and needs reflect-metadata; only programs that sign certificates
 * pay for it, on the first one.
 */
export async function x509(): Promise<typeof X509> {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

/** 127 random bits, positive and of constant length (RFC 5280, 4.1.2.2). */
export function newSerial(): string {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial.toString('hex');
}
