import { expect } from 'vitest';
import type { Cluster } from '#cluster.ts';
import { until } from '#processes.ts';
import { operationOf, requestsIn, Tie } from '#tie-to-aws.ts';

export { requestsIn } from '#tie-to-aws.ts';

export interface AuditLine {
  readonly uid: string;
  readonly event: string;
  readonly time: string;
  readonly received: string;
  readonly phase?: string;
  readonly request_id?: string;
  readonly aws_request_id?: string;
  /** Of a sign-in to the console: whose keys it was made with. */
  readonly aws_access_key_id?: string;
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
type Observed = Pick<Cluster, 'admin' | 'rawLog'>;

/** An agent that was away uploads what it kept within this. */
const UPLOADED_MS = 30_000;

export async function auditLines(cluster: Observed): Promise<readonly AuditLine[]> {
  return JSON.parse(await cluster.admin('tctl audit ls -f json --oldest-first --limit 1000000')) as AuditLine[];
}

/** A session may be seen at work for so long after its certificate has expired. */
const OUTLIVES_MS = 5_000;

/** What has to be true of the log after any fault, once no request is under way. Returns how many outcomes are `unknown`. */
export async function checkAudit(
  cluster: Observed,
  { withinMs = UPLOADED_MS }: { readonly withinMs?: number } = {},
): Promise<{ readonly intents: number; readonly unknown: number }> {
  const tie = (found: readonly AuditLine[]) => new Tie(cluster.rawLog(), found);
  let lines: readonly AuditLine[] = [];
  let failure: unknown = new Error('the log was never read');
  await until('the log', withinMs, async () => {
    // Auth may still be on its way back.
    lines = await auditLines(cluster).catch((error: unknown) => {
      failure = error;
      return lines;
    });
    return lines.length > 0 && missing(lines, tie(lines)).length === 0 ? true : undefined;
  }).catch(() => undefined);
  if (lines.length === 0) throw failure;
  mustBeNone(missing(lines, tie(lines)));
  const intents = requestsIn(lines, 'intent');
  const outcomes = requestsIn(lines, 'outcome');
  expect(twice(lines.map(({ uid }) => uid))).toEqual([]);
  expect(twice(intents.map(({ request_id }) => request_id))).toEqual([]);
  expect(twice(outcomes.map(({ request_id }) => request_id))).toEqual([]);
  const intentOf = new Map(intents.map((line) => [line.request_id, line]));
  expect(outcomes.filter(({ request_id }) => !intentOf.has(request_id))).toEqual([]);
  const tied = tie(lines);
  for (const outcome of outcomes) {
    const seen = tied.of(outcome);
    const intent = intentOf.get(outcome.request_id);
    if (seen !== undefined && intent !== undefined) expect(operationOf(intent)).toBe(seen.operation);
  }
  expect(tied.intents).toBeLessThanOrEqual(intents.length);
  mustBeNone(outlived(lines, tied));
  expect(await cluster.admin('tctl audit verify')).toMatch(/intact/);
  return { intents: intents.length, unknown: outcomes.filter(({ outcome }) => outcome === 'unknown').length };
}

/** What the log lacks, each in words: intents without an outcome, and requests that "AWS" wrote down and the log does not know. */
function missing(lines: readonly AuditLine[], tied: Tie): readonly string[] {
  const ended = new Set(requestsIn(lines, 'outcome').map(({ request_id }) => request_id));
  const open = requestsIn(lines, 'intent').filter(({ request_id }) => !ended.has(request_id));
  return [...open.map(({ request_id, time }) => `request ${request_id} of ${time} has an intent and no outcome`), ...tied.missing()];
}

/**
 * Sessions that were at work later than their certificate allows: as "AWS", which has a clock of its own, wrote it down, and as the agent
 * or auth did, whichever says the earlier, since an event may have waited for auth and an agent's clock may be wrong.
 */
function outlived(lines: readonly AuditLine[], tied: Tie): readonly string[] {
  const untilMs = new Map(
    lines.flatMap(({ event, sid, expires }) => (event === 'cert.create' && sid && expires ? [[sid, Date.parse(expires)]] : [])),
  );
  const late = (sid: string | undefined, time: string, what: string) => {
    const overMs = Date.parse(time) - (untilMs.get(sid ?? '') ?? Number.POSITIVE_INFINITY) - OUTLIVES_MS;
    return overMs > 0 ? [`${what} of session ${sid} was seen ${overMs + OUTLIVES_MS} ms after its certificate had expired`] : [];
  };
  return [
    ...requestsIn(lines, 'outcome').flatMap((outcome) => {
      const seen = tied.of(outcome);
      return seen === undefined ? [] : late(outcome.sid, seen.time, `${seen.operation} ${seen.requestId}`);
    }),
    ...lines.flatMap(({ event, sid, time, received }) =>
      event === 'db.session.end' || event === 'app.session.end' ? late(sid, time < received ? time : received, 'the end') : [],
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
