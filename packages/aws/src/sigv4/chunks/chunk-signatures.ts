import { hash } from 'node:crypto';
import { emptySha256 } from '#sigv4/canonical/empty-sha256.ts';
import { isProven, prove } from '#sigv4/keys/prove.ts';
import type { SigningAlgorithm } from '#sigv4/payload-mode.ts';
import type { SignatureChain } from '#sigv4/signature-chain.ts';

/** Signatures of chunks as they stand on the wire. ECDSA's are of several lengths and are filled up with `*`, so that a body's length is known beforehand. */
export const signatureLengths: Readonly<Record<SigningAlgorithm, number>> = { 'AWS4-HMAC-SHA256': 64, 'AWS4-ECDSA-P256-SHA256': 144 };

/**
 * The chain of the signatures of a body's chunks: each covers the one before, and the first that of the request. The filling of ECDSA's
 * signatures is not covered.
 */
export class ChunkSignatures {
  readonly #chain: SignatureChain;
  #previous: string;

  constructor(chain: SignatureChain) {
    this.#chain = chain;
    this.#previous = chain.seed;
  }

  signChunk(sha256: string): string {
    return this.#sign(this.#chunkText(sha256));
  }
  signTrailer(canonicalTrailers: string): string {
    return this.#sign(this.#trailerText(canonicalTrailers));
  }

  /** And goes on from `signature`. */
  verifyChunk(sha256: string, signature: string): boolean {
    return this.#verify(this.#chunkText(sha256), signature);
  }
  verifyTrailer(canonicalTrailers: string, signature: string): boolean {
    return this.#verify(this.#trailerText(canonicalTrailers), signature);
  }

  #sign(text: string): string {
    this.#previous = prove(this.#chain.key, text);
    return this.#previous.padEnd(signatureLengths[this.#chain.key.algorithm], '*');
  }

  #verify(text: string, filled: string): boolean {
    const { algorithm } = this.#chain.key;
    const signature = algorithm === 'AWS4-HMAC-SHA256' ? filled : filled.replace(/\*+$/, '');
    this.#previous = signature;
    return filled.length <= signatureLengths[algorithm] && isProven(this.#chain.key, text, signature);
  }

  #chunkText(sha256: string): string {
    const { key, amzDate } = this.#chain;
    return `${key.algorithm}-PAYLOAD\n${amzDate}\n${key.scope}\n${this.#previous}\n${emptySha256}\n${sha256}`;
  }

  #trailerText(canonicalTrailers: string): string {
    const { key, amzDate } = this.#chain;
    const sha256 = hash('sha256', Buffer.from(canonicalTrailers, 'latin1'), 'hex');
    return `${key.algorithm}-TRAILER\n${amzDate}\n${key.scope}\n${this.#previous}\n${sha256}`;
  }
}
