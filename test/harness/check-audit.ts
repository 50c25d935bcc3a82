import { expect } from 'vitest';
import type { AtAws, Cluster } from '#cluster.ts';
import { until } from '#processes.ts';

export interface AuditLine {
  readonly uid: string;
  readonly event: string;
  readonly time: string;
  readonly received: string;
  readonly phase?: string;
  readonly request_id?: string;
  readonly aws_request_id?: string;
  readonly outcome?: string;
  readonly operation?: string;
  readonly server_id: string;
}
type Seen = AtAws & { readonly requestId: string; readonly time: string };

const REQUEST = 'db.session.dynamodb.request';
/** An agent that was away uploads what it kept within this. */
const UPLOADED_MS = 30_000;

export async function auditLines(cluster: Cluster): Promise<readonly AuditLine[]> {
  return JSON.parse(await cluster.admin('tctl audit ls -f json --oldest-first --limit 1000000')) as AuditLine[];
}

export const requestsIn = (lines: readonly AuditLine[], phase: string) =>
  lines.filter((line) => line.event === REQUEST && line.phase === phase);

/** What has to be true of the log after any fault, once no request is under way. Returns how many outcomes are `unknown`. */
export async function checkAudit(cluster: Cluster): Promise<{ readonly intents: number; readonly unknown: number }> {
  const lines = await until('the log to know of every request that reached AWS, and of its outcome', UPLOADED_MS, async () => {
    const now = await auditLines(cluster);
    const complete = requestsIn(now, 'intent').length === requestsIn(now, 'outcome').length;
    return complete && unknownToLog(cluster, now) <= 0 ? now : undefined;
  });
  const intents = requestsIn(lines, 'intent');
  const outcomes = requestsIn(lines, 'outcome');
  expect(twice(lines.map(({ uid }) => uid))).toEqual([]);
  expect(twice(intents.map(({ request_id }) => request_id))).toEqual([]);
  expect(twice(outcomes.map(({ request_id }) => request_id))).toEqual([]);
  const intentOf = new Map(intents.map((line) => [line.request_id, line]));
  expect(outcomes.filter(({ request_id }) => !intentOf.has(request_id))).toEqual([]);
  const atAws = new Map(seenAtAws(cluster).map((seen) => [seen.requestId, seen]));
  for (const { request_id, aws_request_id = '' } of outcomes) {
    const seen = atAws.get(aws_request_id);
    if (seen !== undefined) expect(intentOf.get(request_id)?.operation).toBe(seen.operation);
  }
  expect(atAws.size).toBeLessThanOrEqual(intents.length);
  expect(await cluster.admin('tctl audit verify')).toMatch(/intact/);
  return { intents: intents.length, unknown: outcomes.filter(({ outcome }) => outcome === 'unknown').length };
}

const seenAtAws = (cluster: Cluster) => cluster.dynamoDbAtAws() as readonly Seen[];

/**
 * How many of the requests that "AWS" wrote down nothing in the log stands for. One whose answer came is tied by AWS's own id; the
 * others must be among the outcomes that are unknown and have none.
 */
function unknownToLog(cluster: Cluster, lines: readonly AuditLine[]): number {
  const outcomes = requestsIn(lines, 'outcome');
  const answered = new Set(outcomes.map(({ aws_request_id }) => aws_request_id));
  const untied = seenAtAws(cluster).filter(({ requestId }) => !answered.has(requestId)).length;
  return untied - outcomes.filter(({ outcome, aws_request_id: id = '' }) => outcome === 'unknown' && id === '').length;
}

function twice<T>(values: readonly T[]): T[] {
  const seen = new Set<T>();
  return values.filter((value) => seen.size === seen.add(value).size);
}
