import { hash } from 'node:crypto';
import { type AuditEvent, checkAuditEvent } from '@postern/api';

/** Names that auth writes. An emitter that sends one of them is not believed: the name is kept, its value is dropped. */
const stampedNames = new Set(
  'ei event uid code time cluster_name user sid success resource server_id server_kind received claimed_time prev seal hash ignored_fields'.split(
    ' ',
  ),
);

export interface PreparedEvent {
  /** The part of the line that the event alone decides: `,"event":…` and all that follows up to the chain. */
  readonly content: string;
  readonly digest: string;
  /** As the emitter says. */
  readonly timeMs: number;
  readonly user: string;
  readonly kind: string;
  readonly resource: string;
  readonly sessionId: string;
}

/**
 * What two deliveries of one event have in common: 132 bits of SHA-256 over `content`, which holds the id. The emitter's
 * time stands before them, so that those of one hour are neighbours in the index instead of being all over it.
 */
export const digestOf = (content: string | Buffer, timeMs: number): string =>
  timeMs.toString(16).padStart(12, '0') + hash('sha256', content, 'base64url').slice(0, 22);

/** Refuses what may not be stored, before anything of the call is. */
export function prepareEvent(event: AuditEvent): PreparedEvent {
  const fields = checkAuditEvent(event);
  const { id, kind, code, timeMs, user, resource, sessionId, success } = event;
  const named = { event: kind, uid: id, code, time: isoTime(timeMs), user, sid: sessionId, success, resource };
  const content = `,${inner(JSON.stringify(named))}${fields === undefined ? '' : fieldsText(fields)}`;
  return { content, digest: digestOf(content, timeMs), timeMs, user, kind, resource, sessionId };
}

/**
 * The content of the same event at another time. Within a string of JSON a quote has a backslash before it, so that the
 * first of these is the event's own time.
 */
export const withTime = (content: string, { from, to }: { readonly from: string; readonly to: string }): string =>
  content.replace(`,"time":"${from}"`, `,"time":"${to}"`);

const lastTime = { ms: 0, text: new Date(0).toISOString() };

/** RFC 3339 in UTC. Events of one millisecond stand together, and writing a time costs as much as hashing a record. */
export function isoTime(ms: number): string {
  if (ms !== lastTime.ms) {
    lastTime.text = new Date(ms).toISOString();
    lastTime.ms = ms;
  }
  return lastTime.text;
}

const inner = (json: string): string => json.slice(1, -1);

function fieldsText(fields: Record<string, unknown>): string {
  const ignored = Object.keys(fields).filter((name) => stampedNames.has(name));
  const kept = ignored.length === 0 ? fields : Object.fromEntries(Object.entries(fields).filter(([name]) => !stampedNames.has(name)));
  // Written anew rather than copied, so that a line end or a second key of one name cannot reach the file.
  const text = inner(JSON.stringify(kept));
  return (text === '' ? '' : `,${text}`) + (ignored.length === 0 ? '' : `,"ignored_fields":${JSON.stringify(ignored)}`);
}
