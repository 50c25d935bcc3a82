import { createHash, type Hash } from 'node:crypto';
import { BodyError, type BodyTransform } from '#forwarding/client-source.ts';

/** Bytes that their signature does not cover, or that carry a checksum of their own for AWS to judge. */
export class AsItIs implements BodyTransform {
  push(piece: Buffer): readonly Buffer[] {
    return [piece];
  }

  end(): readonly Buffer[] {
    return [];
  }
}

/** Passes a body on and keeps its last piece until the whole has the hash that was signed: without its end AWS takes nothing of it. */
export class HashedWhole implements BodyTransform {
  readonly #expected: string;
  readonly #hash: Hash = createHash('sha256');
  #last: Buffer | undefined;

  constructor(expectedSha256: string) {
    this.#expected = expectedSha256;
  }

  push(piece: Buffer): readonly Buffer[] {
    this.#hash.update(piece);
    const before = this.#last;
    this.#last = piece;
    return before === undefined ? [] : [before];
  }

  end(): readonly Buffer[] {
    if (this.#hash.digest('hex') !== this.#expected) throw new BodyError('mismatch', 'the body does not match its x-amz-content-sha256');
    return this.#last === undefined ? [] : [this.#last];
  }
}
