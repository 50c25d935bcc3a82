import { hash } from 'node:crypto';
import { isSealOf } from '#audit/anchor/anchor.ts';
import { digestOf, withTime } from '#audit/record/prepare-event.ts';

/** What the first record names as the hash before it. */
export const firstPrev = '0'.repeat(64);
/** What a record names as the hash before it where nobody can tell any more what stood there. */
export const unknownPrev = 'f'.repeat(64);

const prevLength = ',"prev":""'.length + 64;
const sealLength = ',"seal":""'.length + 32;
const hashLength = ',"hash":""}'.length + 64;
const contentStart = Buffer.from(',"event":"');

export interface ChainLink {
  readonly ei: number;
  readonly prev: string;
  readonly hash: string;
  /** Whether it ends a commit, with a seal that is good. */
  readonly sealed: boolean;
}

const tail = /,"prev":"([0-9a-f]{64})"(?:,"seal":"([0-9a-f]{32})")?,"hash":"([0-9a-f]{64})"\}$/;

/** Reads the chain's part of a line from its bytes and checks hash and seal; a string says what is wrong. */
export function readLink(line: Buffer, sealKey: Buffer): ChainLink | string {
  const [, prev, seal, own] = tail.exec(line.toString('latin1', Math.max(line.length - hashLength - sealLength - prevLength, 0))) ?? [];
  const [, ei] = /^\{"ei":([1-9][0-9]{0,15}),/.exec(line.toString('latin1', 0, 32)) ?? [];
  if (prev === undefined || own === undefined || ei === undefined) return 'the line is not a record of this log';
  const hashed = line.subarray(0, line.length - hashLength);
  if (hash('sha256', hashed) !== own) return 'the record was changed: its bytes do not match its hash';
  if (seal !== undefined && !isSealOf(sealKey, hashed.subarray(0, hashed.length - sealLength), seal)) {
    return 'the record was not written by this cluster: its seal is forged';
  }
  return { ei: Number(ei), prev, hash: own, sealed: seal !== undefined };
}

export interface IndexedFields {
  readonly digest: string;
  readonly timeMs: number;
  readonly user: string;
  readonly kind: string;
  readonly resource: string;
  readonly sessionId: string;
}

/** What the index holds of a line, read back from it. Throws where the line is not JSON. */
export function readIndexedFields(line: Buffer): IndexedFields {
  const start = line.indexOf(contentStart);
  const record = JSON.parse(line.toString()) as Record<string, unknown>;
  const end = line.length - hashLength - prevLength - (record['seal'] === undefined ? 0 : sealLength);
  const content = line.subarray(start, end);
  const [time, claimed] = [String(record['time']), record['claimed_time']];
  const timeMs = Date.parse(time);
  return {
    // Of the event as it was sent: a second delivery says the same time, and is received at another.
    digest:
      typeof claimed === 'string'
        ? digestOf(withTime(content.toString(), { from: time, to: claimed }), Date.parse(claimed))
        : digestOf(content, timeMs),
    timeMs,
    user: String(record['user']),
    kind: String(record['event']),
    resource: String(record['resource']),
    sessionId: String(record['sid']),
  };
}
