import { type AuditEvent, Identity_Kind, PosternError } from '@postern/api';
import type { Store } from '@postern/store';
import type { AuditLog, Emitter } from '#audit/audit-log.ts';
import type { SessionRecord } from '#certs/issue-session-cert.ts';
import { keys } from '#state/keys.ts';

export interface ReportDeps {
  readonly store: Store;
  readonly log: AuditLog;
}

/** What each kind of host may report on, by the beginning of the event's name. */
const reportable: Partial<Readonly<Record<Identity_Kind, { readonly emitter: Emitter['kind']; readonly prefixes: readonly string[] }>>> = {
  [Identity_Kind.DB_AGENT]: { emitter: 'db_agent', prefixes: ['db.session.', 'client.disconnect', 'agent.'] },
  [Identity_Kind.APP_AGENT]: { emitter: 'app_agent', prefixes: ['app.session.', 'client.disconnect', 'agent.'] },
  [Identity_Kind.PROXY]: { emitter: 'proxy', prefixes: ['proxy.', 'client.disconnect'] },
};
const MAX_EVENTS = 10_000;

/**
 * Takes a host's events into the audit log under the host's own id. A report that the host cannot honestly make, about a
 * session of another resource or in a user's name without one, is kept as what it is: a refused report, with what was
 * claimed inside it. So nothing is said in another's name, and nothing that an honest host sends is ever lost.
 */
export async function acceptReports(
  deps: ReportDeps,
  report: { readonly hostId: string; readonly identityKind: Identity_Kind; readonly events: readonly AuditEvent[] },
): Promise<{ readonly stored: number; readonly duplicates: number }> {
  const rules = reportable[report.identityKind];
  if (rules === undefined) throw new PosternError('denied', 'a host of this kind reports no events');
  if (report.events.length > MAX_EVENTS) throw new PosternError('limit_exceeded', `at most ${MAX_EVENTS} events at once`);
  const sessions = await sessionsOf(deps.store, report.events);
  const accepted = report.events.map((event) => {
    const isReportable = rules.prefixes.some((prefix) => event.kind.startsWith(prefix));
    const session = sessions.get(event.sessionId);
    const reason = isReportable ? whyForeign(event, session, report.hostId) : `a ${rules.emitter} does not report ${event.kind}`;
    if (reason === undefined) return event;
    return !event.success && isReportable ? unattributed(event, reason) : refusedReport(event, report.hostId, reason);
  });
  return deps.log.append(accepted, { hostId: report.hostId, kind: rules.emitter });
}

/**
 * A session id is no secret: the user knows it, and so does whoever reads the log. So the host must be one of those that
 * the session was issued for; and without a session a host speaks of itself alone.
 */
function whyForeign(event: AuditEvent, session: SessionRecord | undefined, hostId: string): string | undefined {
  if (event.sessionId === '') {
    if (event.user !== '') return 'an event of a user has a session id';
    if (/^(?:db|app)\.session\./.test(event.kind)) return 'an event of a session has a session id';
    return event.resource === '' || event.resource === `host/${hostId}` ? undefined : 'without a session a host reports on itself alone';
  }
  if (session === undefined) return 'no such session was issued';
  const { user, hostIds, resourceKind, resourceName } = session;
  if (!hostIds.includes(hostId)) return 'the session is of another host';
  if (event.resource !== `${resourceKind}/${resourceName}`) return 'the session is of another resource';
  if (event.user !== user) return 'the session is of another user';
  return undefined;
}

/** Each session that the events name, read once: a batch tells of few sessions many times. */
async function sessionsOf(store: Store, events: readonly AuditEvent[]): Promise<ReadonlyMap<string, SessionRecord>> {
  const ids = new Set(events.map(({ sessionId }) => sessionId));
  const sessions = new Map<string, SessionRecord>();
  for (const id of ids) {
    if (!/^[0-9a-f-]{36}$/.test(id)) continue;
    const entry = await store.get(keys.session(id));
    if (entry !== undefined) sessions.set(id, JSON.parse(entry.value) as SessionRecord);
  }
  return sessions;
}

/**
 * An agent that turned somebody away knows no more than the certificate it was shown, which may be another cluster's. The
 * event stays, and whom it names is a claim inside it.
 */
function unattributed(event: AuditEvent, reason: string): AuditEvent {
  const fields = readFields(event.fieldsJson);
  const unverified = { user: event.user.slice(0, 256), session_id: event.sessionId.slice(0, 64), error: reason };
  return { ...event, user: '', sessionId: '', fieldsJson: Buffer.from(JSON.stringify({ ...fields, unverified })) };
}

function readFields(bytes: Buffer): object {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // What is no JSON object is left out: the event itself matters more.
  }
  return {};
}

function refusedReport(event: AuditEvent, hostId: string, reason: string): AuditEvent {
  const { id, timeMs, kind, code, user, resource, sessionId } = event;
  const claimed = { event: kind, code, user, resource, session_id: sessionId };
  const text = JSON.stringify(claimed, (_key, value: unknown) => (typeof value === 'string' ? value.slice(0, 256) : value));
  return {
    id,
    kind: 'report.refused',
    code: 'TPA01E',
    timeMs,
    user: '',
    resource: `host/${hostId}`,
    sessionId: '',
    success: false,
    fieldsJson: Buffer.from(JSON.stringify({ error: reason, claimed: JSON.parse(text) as unknown })),
  };
}
