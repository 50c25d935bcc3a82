import type { SigningKey } from '#sigv4/signing-keys.ts';

/** A signature of a request, and what is needed to verify or to write those of its chunks, its trailer or its messages, each of which covers the one before. */
export type SignatureChain = {
  readonly key: SigningKey;
  /** the request's, which the chunks share: YYYYMMDDTHHMMSSZ */
  readonly amzDate: string;
  /** hex */
  readonly seed: string;
};
