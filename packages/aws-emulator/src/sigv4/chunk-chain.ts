import { createHash } from 'node:crypto';

import { AwsError } from '#protocols/aws-error.ts';
import { type SigningKey, sha256Hex } from '#sigv4/signing-key.ts';

export interface ChunkSeed {
  readonly key: SigningKey;
  /** AWS4-HMAC-SHA256 or AWS4-ECDSA-P256-SHA256. */
  readonly algorithm: string;
  readonly timestamp: string;
  /** Of the request's head. */
  readonly signature: string;
}

const emptyHash = sha256Hex('');

/** The chain of signatures of a body's chunks, each made over the one before. Source: S3 API reference, "Transferring payload in multiple chunks". */
export class ChunkChain {
  readonly #seed: ChunkSeed;
  #previous: string;
  #hash = createHash('sha256');

  constructor(seed: ChunkSeed) {
    this.#seed = seed;
    this.#previous = seed.signature;
  }

  data(data: Buffer): void {
    this.#hash.update(data);
  }

  /** At the end of a chunk: its signature covers the data since the last one. */
  endChunk(signature: string): void {
    this.#check('PAYLOAD', `${emptyHash}\n${this.#hash.digest('hex')}`, signature);
    this.#hash = createHash('sha256');
  }

  /** `trailer` is its lines as `name:value\n`, in their order and without the signature's own. */
  endTrailer(trailer: string, signature: string): void {
    this.#check('TRAILER', sha256Hex(trailer), signature);
  }

  #check(what: 'PAYLOAD' | 'TRAILER', covered: string, padded: string): void {
    const { key, algorithm, timestamp } = this.#seed;
    // SigV4a's signatures differ in length and are filled up so that the frames do not.
    const signature = padded.replace(/\*+$/u, '');
    if (!key.matches([`${algorithm}-${what}`, timestamp, key.scope, this.#previous, covered].join('\n'), signature))
      throw new AwsError(
        'InvalidSignatureException',
        `The ${what === 'PAYLOAD' ? 'chunk' : 'trailer'} signature we calculated does not match the signature you provided.`,
        403,
      );
    this.#previous = signature;
  }
}
