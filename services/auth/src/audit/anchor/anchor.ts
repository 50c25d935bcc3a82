import { createHmac, timingSafeEqual } from 'node:crypto';

/** The last record that is known to exist. */
export interface Anchor {
  readonly ei: number;
  readonly hash: string;
  /** Written at a clean stop: there is no record behind it. */
  readonly closed: boolean;
}

/** What the store holds, and what this auth had written there is told apart by `revision`. */
export interface FoundAnchor {
  /** Undefined where what stands there was not written by an auth of this cluster for this log. */
  readonly anchor: Anchor | undefined;
  readonly revision: string;
}

/** Where anchors are kept: another place than the log, which whoever may write the log cannot write. */
export interface AnchorStore {
  /** Seals commits and anchors of this log; nobody but the auths of the cluster has it. */
  readonly key: Buffer;
  read(): Promise<FoundAnchor | undefined>;
  /** Answers the new revision; undefined where the store no longer holds `revision` (absent: no anchor). */
  write(anchor: Anchor, revision: string | undefined): Promise<string | undefined>;
}

const sealBytes = 16;

/** HMAC-SHA-256/128 as hex: 32 digits. */
export const sealOf = (key: Buffer, text: string | Buffer): string =>
  createHmac('sha256', key)
    .update(text)
    .digest('hex')
    .slice(0, 2 * sealBytes);

export function isSealOf(key: Buffer, text: string | Buffer, seal: string): boolean {
  const [own, given] = [Buffer.from(sealOf(key, text), 'hex'), Buffer.from(seal, 'hex')];
  return own.length === given.length && timingSafeEqual(own, given);
}
