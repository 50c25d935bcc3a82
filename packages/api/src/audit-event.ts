import { isUtf8 } from 'node:buffer';
import { limits } from '@postern/limits';
import { PosternError } from '#errors.ts';
import type { AuditEvent } from '#gen/postern/v1/audit.ts';

/**
 * What an audit event may be. Emitters and auth ask the same function: an event that is durable on an agent and refused
 * by auth would stop the upload of all that come after it.
 */
export const auditEventLimits = {
  maxFieldsBytes: limits.auditFieldsBytes,
  /** JSON.parse takes any depth, and what walks its result later may not. */
  maxFieldsDepth: limits.nestingDepth,
  maxIdLength: 64,
  maxTextLength: 4096,
  /** The last millisecond of the year 9999, the last that RFC 3339 can write. */
  maxTimeMs: 253_402_300_799_999,
} as const;

const { maxFieldsBytes, maxFieldsDepth, maxIdLength, maxTextLength, maxTimeMs } = auditEventLimits;

/** Throws `bad_request` or `limit_exceeded`; answers the event's own fields, undefined where it has none. */
export function checkAuditEvent(event: AuditEvent): Record<string, unknown> | undefined {
  const { id, fieldsJson } = event;
  checkAuditStamp(event);
  checkAuditTexts(event);
  checkFieldsLength(id, fieldsJson.length);
  return fieldsJson.length === 0 ? undefined : parseAuditFields(id, fieldsJson);
}

// The rules one by one, for who makes events out of parts that were checked before.

/** What differs from event to event. */
export function checkAuditStamp({ id, code, timeMs }: Pick<AuditEvent, 'id' | 'code' | 'timeMs'>): void {
  if (!/^[A-Za-z0-9-]+$/.test(id) || id.length > maxIdLength) {
    throw new PosternError('bad_request', `audit event id ${JSON.stringify(id.slice(0, maxIdLength))} is not a uuid`);
  }
  if (!Number.isSafeInteger(timeMs) || timeMs < 0 || timeMs > maxTimeMs) {
    throw new PosternError('bad_request', `audit event ${id} has the time ${timeMs}, which is no time`);
  }
  checkText(id, 'code', code);
}

/** What the events of one session have in common. */
export function checkAuditTexts(texts: Pick<AuditEvent, 'id' | 'kind' | 'user' | 'resource' | 'sessionId'>): void {
  const { id, kind, user, resource, sessionId } = texts;
  if (kind === '') throw new PosternError('bad_request', `audit event ${id} has no kind`);
  checkText(id, 'kind', kind);
  checkText(id, 'user', user);
  checkText(id, 'resource', resource);
  checkText(id, 'session_id', sessionId);
}

export function checkFieldsLength(id: string, bytes: number): void {
  if (bytes > maxFieldsBytes)
    throw new PosternError('limit_exceeded', `fields of audit event ${id} are ${bytes} bytes, more than ${maxFieldsBytes}`);
}

export function checkFieldsDepth(id: string, text: string): void {
  if (openings(text) > maxFieldsDepth && depthOf(text) > maxFieldsDepth)
    throw new PosternError('limit_exceeded', `fields of audit event ${id} are nested deeper than ${maxFieldsDepth}`);
}

export function parseAuditFields(id: string, bytes: Buffer): Record<string, unknown> {
  let parsed: unknown;
  try {
    if (!isUtf8(bytes)) throw new TypeError('the bytes are not utf-8');
    const text = bytes.toString('utf8');
    checkFieldsDepth(id, text);
    parsed = JSON.parse(text);
  } catch (cause) {
    throw cause instanceof PosternError
      ? cause
      : new PosternError('bad_request', `fields of audit event ${id} are not json in utf-8`, { cause });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new PosternError('bad_request', `fields of audit event ${id} are not a json object`);
  }
  return parsed as Record<string, unknown>;
}

function checkText(id: string, name: string, text: string): void {
  if (text.length > maxTextLength)
    throw new PosternError('limit_exceeded', `${name} of audit event ${id} is longer than ${maxTextLength} characters`);
}

/** Braces and brackets that open, within strings too, counted no further than need be: a text with few of them cannot be deep. */
function openings(text: string): number {
  let found = 0;
  for (const opening of ['{', '['])
    for (let at = text.indexOf(opening); at >= 0 && found <= maxFieldsDepth; at = text.indexOf(opening, at + 1)) found += 1;
  return found;
}

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
