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
  readonly user?: string;
  /** The session. */
  readonly sid?: string;
  readonly reason?: string;
  /** Of a certificate. */
  readonly expires?: string;
  readonly serial?: string;
}
/** The part of a cluster that is looked at. */
type Observed = Pick<Cluster, 'admin' | 'dynamoDbAtAws'>;
type Seen = AtAws & { readonly requestId: string; readonly time: string };

const REQUEST = 'db.session.dynamodb.request';
/** An agent that was away uploads what it kept within this. */
const UPLOADED_MS = 30_000;

export async function auditLines(cluster: Observed): Promise<readonly AuditLine[]> {
  return JSON.parse(await cluster.admin('tctl audit ls -f json --oldest-first --limit 1000000')) as AuditLine[];
}

export const requestsIn = (lines: readonly AuditLine[], phase: string) =>
  lines.filter((line) => line.event === REQUEST && line.phase === phase);

/** A session may be seen at work for so long after its certificate has expired. */
const OUTLIVES_MS = 5_000;

/** What has to be true of the log after any fault, once no request is under way. Returns how many outcomes are `unknown`. */
export async function checkAudit(
  cluster: Observed,
  { withinMs = UPLOADED_MS }: { readonly withinMs?: number } = {},
): Promise<{ readonly intents: number; readonly unknown: number }> {
  let lines: readonly AuditLine[] = [];
  let failure: unknown = new Error('the log was never read');
  await until('the log', withinMs, async () => {
    // Auth may still be on its way back.
    lines = await auditLines(cluster).catch((error: unknown) => {
      failure = error;
      return lines;
    });
    return lines.length > 0 && missing(cluster, lines).length === 0 ? true : undefined;
  }).catch(() => undefined);
  if (lines.length === 0) throw failure;
  mustBeNone(missing(cluster, lines));
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
  mustBeNone(outlived(lines, atAws));
  expect(await cluster.admin('tctl audit verify')).toMatch(/intact/);
  return { intents: intents.length, unknown: outcomes.filter(({ outcome }) => outcome === 'unknown').length };
}

const seenAtAws = (cluster: Observed) => cluster.dynamoDbAtAws() as readonly Seen[];

/**
 * What the log lacks, each in words: intents without an outcome, and requests that "AWS" wrote down and the log does not know. One whose
 * answer came is tied by AWS's own id; the others must be among the outcomes that are unknown and have none, of the same operation.
 */
function missing(cluster: Observed, lines: readonly AuditLine[]): readonly string[] {
  const outcomes = requestsIn(lines, 'outcome');
  const ended = new Set(outcomes.map(({ request_id }) => request_id));
  const open = requestsIn(lines, 'intent').filter(({ request_id }) => !ended.has(request_id));
  const answered = new Set(outcomes.map(({ aws_request_id }) => aws_request_id));
  const intentOf = new Map(requestsIn(lines, 'intent').map((line) => [line.request_id, line]));
  const free = new Map<string, number>();
  for (const { outcome, request_id, aws_request_id: id = '' } of outcomes) {
    if (outcome !== 'unknown' || id !== '') continue;
    const operation = intentOf.get(request_id)?.operation ?? '';
    free.set(operation, (free.get(operation) ?? 0) + 1);
  }
  const unknown = seenAtAws(cluster).filter(({ requestId, operation = '' }) => {
    if (answered.has(requestId)) return false;
    const left = free.get(operation) ?? 0;
    free.set(operation, left - 1);
    return left <= 0;
  });
  return [
    ...open.map(({ request_id, time }) => `request ${request_id} of ${time} has an intent and no outcome`),
    ...unknown.map(({ requestId, operation, time }) => `${operation} ${requestId} reached AWS at ${time} and is not in the log`),
  ];
}

/**
 * Sessions that were at work later than their certificate allows: as "AWS", which has a clock of its own, wrote it down, and as the agent
 * or auth did, whichever says the earlier, since an event may have waited for auth and an agent's clock may be wrong.
 */
function outlived(lines: readonly AuditLine[], atAws: ReadonlyMap<string, Seen>): readonly string[] {
  const untilMs = new Map(
    lines.flatMap(({ event, sid, expires }) => (event === 'cert.create' && sid && expires ? [[sid, Date.parse(expires)]] : [])),
  );
  const late = (sid: string | undefined, time: string, what: string) => {
    const overMs = Date.parse(time) - (untilMs.get(sid ?? '') ?? Number.POSITIVE_INFINITY) - OUTLIVES_MS;
    return overMs > 0 ? [`${what} of session ${sid} was seen ${overMs + OUTLIVES_MS} ms after its certificate had expired`] : [];
  };
  return [
    ...requestsIn(lines, 'outcome').flatMap(({ sid, aws_request_id = '' }) => {
      const seen = atAws.get(aws_request_id);
      return seen === undefined ? [] : late(sid, seen.time, `${seen.operation} ${seen.requestId}`);
    }),
    ...lines.flatMap(({ event, sid, time, received }) =>
      event === 'db.session.end' ? late(sid, time < received ? time : received, 'the end') : [],
    ),
  ];
}

/** Fails with what was found, each in words. */
export function mustBeNone(found: readonly string[]): void {
  const most = 20;
  if (found.length > 0)
    throw new Error([...found.slice(0, most), ...(found.length > most ? [`and ${found.length - most} more`] : [])].join('\n'));
}

function twice<T>(values: readonly T[]): T[] {
  const seen = new Set<T>();
  return values.filter((value) => seen.size === seen.add(value).size);
}
