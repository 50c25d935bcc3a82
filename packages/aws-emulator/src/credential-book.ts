import { randomBytes } from 'node:crypto';

import type { AccessKey, Identity } from '#options.ts';
import type { Secret } from '#sigv4/verify.ts';

export interface KnownCredentials extends Secret {
  readonly accessKeyId: string;
  readonly identity: Identity;
  /** The operation of STS that gave them out; undefined for long-term keys. */
  readonly origin?: Origin;
  /** Whoever asked for them had temporary credentials himself. */
  readonly chained?: boolean;
}

export type Origin = 'AssumeRole' | 'AssumeRoleWithWebIdentity' | 'AssumeRoleWithSAML' | 'GetSessionToken' | 'GetFederationToken';

export interface Issuing {
  readonly origin: Origin;
  readonly chained: boolean;
  readonly expiresMs: number;
}

const maxIssued = 100_000;

/** Every key that may sign: the users' long-term ones and those that AssumeRole gave out. The oldest issued are forgotten first. */
export class CredentialBook {
  readonly #longTerm = new Map<string, KnownCredentials>();
  readonly #issued = new Map<string, KnownCredentials>();

  readonly #accountId: string;

  constructor(keys: readonly AccessKey[], accountId: string) {
    this.#accountId = accountId;
    for (const key of keys) this.add(key);
  }

  /** A long-term key of an IAM user. */
  add({ id, secret, userName = 'agent' }: AccessKey): void {
    const accountId = this.#accountId;
    const identity: Identity = {
      accessKeyId: id,
      accountId,
      arn: `arn:aws:iam::${accountId}:user/${userName}`,
      userId: `AIDA${id.slice(-16)}`,
      tags: {},
      transitiveTagKeys: [],
      chain: [],
    };
    this.#longTerm.set(id, { accessKeyId: id, secret, identity });
  }

  find(accessKeyId: string): KnownCredentials | undefined {
    return this.#longTerm.get(accessKeyId) ?? this.#issued.get(accessKeyId);
  }

  issue(identityOf: (accessKeyId: string) => Identity, { origin, chained, expiresMs }: Issuing): Required<KnownCredentials> {
    const accessKeyId = `ASIA${base32(randomBytes(16))}`;
    const issued = {
      accessKeyId,
      secret: randomBytes(30).toString('base64'),
      sessionToken: randomBytes(540).toString('base64'),
      expiresMs,
      identity: identityOf(accessKeyId),
      origin,
      chained,
    };
    this.#issued.set(accessKeyId, issued);
    if (this.#issued.size > maxIssued) {
      const oldest = this.#issued.keys().next();
      if (oldest.done !== true) this.#issued.delete(oldest.value);
    }
    return issued;
  }
}

/** Sixteen characters of A-Z and 2-7, as in AWS's key ids. */
function base32(bytes: Buffer): string {
  return [...bytes].map((byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.charAt(byte & 31)).join('');
}
