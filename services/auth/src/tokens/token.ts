import type { Entry } from '@postern/store';
import type { BoundName } from '#hosts/host-record.ts';
import { sha256Hex } from '#state/keys.ts';

/** The parts that join with a token. */
export const joinRoles = ['db', 'app', 'proxy'] as const;
export type JoinRole = (typeof joinRoles)[number];

export function isJoinRole(value: string): value is JoinRole {
  return (joinRoles as readonly string[]).includes(value);
}

/** A join token as it is stored: its SHA-256 is the key, and the token itself is nowhere. */
export interface TokenRecord {
  /** The first characters of the hash: names the token in commands and in audit, and opens nothing. */
  readonly id: string;
  readonly masked: string;
  readonly roles: readonly JoinRole[];
  readonly boundNames: readonly BoundName[];
  /** Made by auth for a part of its own process: that part serves what the same operator's file names. No command makes such a token. */
  readonly bindsAnyName?: true;
  readonly labels: Readonly<Record<string, string>>;
  /** Absent: as often as wanted. */
  readonly usesLeft?: number;
  /** Absent: never, as for tokens from the configuration file. */
  readonly expiresMs?: number;
  readonly createdMs: number;
  readonly createdBy: string;
}

const ID_LENGTH = 12;

export function hashToken(token: string): string {
  return sha256Hex(token);
}

export function tokenId(hash: string): string {
  return hash.slice(0, ID_LENGTH);
}

/** As Teleport prints it: all asterisks below 16 characters, otherwise the first three quarters. */
export function maskToken(token: string): string {
  const hidden = token.length < 16 ? token.length : Math.floor(token.length * 0.75);
  return '*'.repeat(hidden) + token.slice(hidden);
}

export function readToken(entry: Entry): TokenRecord {
  return JSON.parse(entry.value) as TokenRecord;
}
