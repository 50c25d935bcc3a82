import { hash } from 'node:crypto';
import { digestOf, withTime } from '#audit/record/prepare-event.ts';

/** What the first record names as the hash before it. */
export const firstPrev = '0'.repeat(64);

const prevLength = ',"prev":""'.length + 64;
const hashLength = ',"hash":""}'.length + 64;
const contentStart = Buffer.from(',"event":"');

export interface ChainLink {
  readonly ei: number;
  readonly prev: string;
  readonly hash: string;
}

/** Reads the chain's part of a line from its bytes and checks the hash; a string says what is wrong. */
export function readLink(line: Buffer): ChainLink | string {
  const hashed = line.subarray(0, Math.max(line.length - hashLength, 0));
  const ending = /^,"hash":"([0-9a-f]{64})"\}$/.exec(line.toString('latin1', hashed.length));
  const before = /^,"prev":"([0-9a-f]{64})"$/.exec(hashed.toString('latin1', Math.max(hashed.length - prevLength, 0)));
  const beginning = /^\{"ei":([1-9][0-9]{0,15}),/.exec(line.toString('latin1', 0, 32));
  if (ending?.[1] === undefined || before?.[1] === undefined || beginning?.[1] === undefined) return 'the line is not a record of this log';
  if (hash('sha256', hashed) !== ending[1]) return 'the record was changed: its bytes do not match its hash';
  return { ei: Number(beginning[1]), prev: before[1], hash: ending[1] };
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
  const content = line.subarray(start, line.length - hashLength - prevLength);
  const record = JSON.parse(line.toString()) as Record<string, unknown>;
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
