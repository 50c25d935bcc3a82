import { createHash } from 'node:crypto';
import type { BodyTransform } from '#sigv4/chunks/body-transform.ts';
import { type SignatureRefusal, wrongBody } from '#sigv4/signature-refusal.ts';

type Send = (bytes: Buffer) => void;

/** A body whose hash has been declared and signed. The last piece waits until the hash is known to be true. */
export class HashedBody implements BodyTransform {
  readonly #sha256: string;
  readonly #send: Send;
  readonly #hash = createHash('sha256');
  #held: Buffer | undefined;
  contentBytes = 0;

  constructor(options: { readonly sha256: string; readonly send: Send }) {
    this.#sha256 = options.sha256;
    this.#send = options.send;
  }

  write(piece: Buffer): undefined {
    // an empty piece is no last piece
    if (piece.length === 0) return;
    this.#hash.update(piece);
    this.contentBytes += piece.length;
    if (this.#held !== undefined) this.#send(this.#held);
    this.#held = piece;
  }

  end(): SignatureRefusal | undefined {
    if (this.#hash.digest('hex') !== this.#sha256) return wrongBody();
    if (this.#held !== undefined) this.#send(this.#held);
    return undefined;
  }
}

/** UNSIGNED-PAYLOAD. */
export class UnsignedBody implements BodyTransform {
  readonly #send: Send;
  contentBytes = 0;

  constructor(options: { readonly send: Send }) {
    this.#send = options.send;
  }

  write(piece: Buffer): undefined {
    this.contentBytes += piece.length;
    this.#send(piece);
  }

  end(): undefined {
    return undefined;
  }
}
