import type { LocalKey } from '@postern/agent';
import {
  type AwaitsBody,
  type Credentials,
  type SignatureRefusal,
  type SigningKeys,
  type VerifiedRequest,
  verifyRequest,
} from '@postern/aws';
import type { Refusal } from '#requests/refusals.ts';

export interface SignedHead {
  readonly method: string;
  /** Raw, as it came. */
  readonly path: string;
  /** Raw, without the question mark. */
  readonly query: string;
  /** Flat, as they came. */
  readonly headers: readonly string[];
}

/** What a request's signature says: verified, or the client's word until its body is there. */
export type Seed = VerifiedRequest | AwaitsBody;

/** Verifies requests with the throw-away key of their connection. */
export class SeedReader {
  readonly #keys: SigningKeys;
  readonly #nowMs: () => number;
  /** Derived keys hang on the object: one for each key that a connection has named. */
  readonly #credentials = new WeakMap<LocalKey, Credentials>();

  constructor(keys: SigningKeys, nowMs: () => number) {
    this.#keys = keys;
    this.#nowMs = nowMs;
  }

  read(signed: SignedHead, key: LocalKey): Seed | Refusal {
    const seed = verifyRequest(
      { ...signed, nowMs: this.#nowMs() },
      { credentialsOf: (id) => (id === key.accessKeyId ? this.#credentialsOf(key) : undefined), keys: this.#keys },
    );
    return 'refusal' in seed ? refusedSignature(seed) : seed;
  }

  #credentialsOf(key: LocalKey): Credentials {
    const known = this.#credentials.get(key);
    if (known !== undefined) return known;
    const made = { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey };
    this.#credentials.set(key, made);
    return made;
  }
}

/** Programs have one of two ways past this port. */
export const askedDirectly = 'asked of AWS itself, past this port (its host in NO_PROXY, or another profile)';

/** What to do about it, where the words do not say. */
const advice: Partial<Record<SignatureRefusal['kind'], string>> = {
  missing_key: `: sign it with the keys that tsh shows for this port; what takes no signature is ${askedDirectly}`,
  unknown_key: ': use the keys that tsh shows for this port',
};

export function refusedSignature({ kind, refusal }: SignatureRefusal): Refusal {
  return { kind, message: `${refusal}${advice[kind] ?? ''}`, reason: refusal };
}
