import { hash } from 'node:crypto';
import { type AuditEvent, PosternError } from '@postern/api';

export const maxFieldsBytes = 64 * 1024;
export const maxFieldsDepth = 64;
const maxIdLength = 64;
const maxTextLength = 4096;
/** The last millisecond of the year 9999, the last that RFC 3339 can write. */
const maxTimeMs = 253_402_300_799_999;

/** Names that auth writes. An emitter that sends one of them is not believed: the name is kept, its value is dropped. */
const stampedNames = new Set(
  'ei event uid code time cluster_name user sid success resource server_id server_kind received prev hash ignored_fields'.split(' '),
);

export interface PreparedEvent {
  /** The part of the line that the event alone decides: `,"event":…` and all that follows up to the chain. */
  readonly content: string;
  /** 132 bits of SHA-256 over `content`, which holds the id: what two deliveries of one event have in common. */
  readonly digest: string;
  readonly timeMs: number;
  readonly user: string;
  readonly kind: string;
  readonly resource: string;
}

export const digestOf = (content: string | Buffer): string => hash('sha256', content, 'base64url').slice(0, 22);

/** Refuses what may not be stored, before anything of the call is. */
export function prepareEvent(event: AuditEvent): PreparedEvent {
  const { id, kind, code, timeMs, user, resource, sessionId, success } = event;
  if (!/^[A-Za-z0-9-]+$/.test(id) || id.length > maxIdLength) {
    throw new PosternError('bad_request', `audit event id ${JSON.stringify(id.slice(0, maxIdLength))} is not a uuid`);
  }
  if (kind === '') throw new PosternError('bad_request', `audit event ${id} has no kind`);
  if (!Number.isSafeInteger(timeMs) || timeMs < 0 || timeMs > maxTimeMs) {
    throw new PosternError('bad_request', `audit event ${id} has the time ${timeMs}, which is no time`);
  }
  for (const [name, text] of Object.entries({ kind, code, user, resource, session_id: sessionId })) {
    if (text.length > maxTextLength)
      throw new PosternError('limit_exceeded', `${name} of audit event ${id} is longer than ${maxTextLength} characters`);
  }
  const named = { event: kind, uid: id, code, time: new Date(timeMs).toISOString(), user, sid: sessionId, success, resource };
  const content = `,${inner(JSON.stringify(named))}${fieldsOf(event)}`;
  return { content, digest: digestOf(content), timeMs, user, kind, resource };
}

const inner = (json: string): string => json.slice(1, -1);

function fieldsOf({ id, fieldsJson }: AuditEvent): string {
  if (fieldsJson.length === 0) return '';
  if (fieldsJson.length > maxFieldsBytes) {
    throw new PosternError('limit_exceeded', `fields of audit event ${id} are ${fieldsJson.length} bytes, more than ${maxFieldsBytes}`);
  }
  const fields = parseFields(id, fieldsJson);
  const ignored = Object.keys(fields).filter((name) => stampedNames.has(name));
  const kept = ignored.length === 0 ? fields : Object.fromEntries(Object.entries(fields).filter(([name]) => !stampedNames.has(name)));
  // Written anew rather than copied, so that a line end or a second key of one name cannot reach the file.
  const text = inner(JSON.stringify(kept));
  return (text === '' ? '' : `,${text}`) + (ignored.length === 0 ? '' : `,"ignored_fields":${JSON.stringify(ignored)}`);
}

function parseFields(id: string, bytes: Buffer): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new PosternError('bad_request', `fields of audit event ${id} are not utf-8`, { cause });
  }
  if (depthOf(text) > maxFieldsDepth)
    throw new PosternError('limit_exceeded', `fields of audit event ${id} are nested deeper than ${maxFieldsDepth}`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new PosternError('bad_request', `fields of audit event ${id} are not json`, { cause });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new PosternError('bad_request', `fields of audit event ${id} are not a json object`);
  }
  return parsed as Record<string, unknown>;
}

/** Counted before parsing: JSON.parse takes any depth, and what walks its result later may not. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (quoted && character === '\\') at++;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === '{' || character === '[')) deepest = Math.max(deepest, ++depth);
    else if (!quoted && (character === '}' || character === ']')) depth--;
  }
  return deepest;
}
