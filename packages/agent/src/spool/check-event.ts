import { PosternError } from '@postern/api';
import type { SpoolEvent } from '#spool/spool.ts';

export const maxFieldsBytes = 64 * 1024;
const maxFieldsDepth = 64;
const maxIdLength = 64;
const maxTextLength = 4096;
const maxTimeMs = 253_402_300_799_999;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface Phase {
  readonly phase: 'intent' | 'outcome';
  readonly requestId: string;
}

/**
 * Refuses what auth's audit log would refuse: an event that is durable here and refused there would stop the upload of
 * all that come after it. Answers which side of which request the event is, where it is one.
 */
export function checkEvent({ id, kind, code, timeMs, user, resource, sessionId, fieldsJson }: SpoolEvent): Phase | undefined {
  if (!/^[A-Za-z0-9-]+$/.test(id) || id.length > maxIdLength) {
    throw new PosternError('bad_request', `audit event id ${JSON.stringify(id.slice(0, maxIdLength))} is not a uuid`);
  }
  if (kind === '') throw new PosternError('bad_request', `audit event ${id} has no kind`);
  if (!Number.isSafeInteger(timeMs) || timeMs < 0 || timeMs > maxTimeMs) {
    throw new PosternError('bad_request', `audit event ${id} has the time ${timeMs}, which is no time`);
  }
  checkText(id, 'kind', kind);
  checkText(id, 'code', code);
  checkText(id, 'user', user);
  checkText(id, 'resource', resource);
  checkText(id, 'session_id', sessionId);
  if (fieldsJson.length > maxFieldsBytes) {
    throw new PosternError('limit_exceeded', `fields of audit event ${id} are ${fieldsJson.length} bytes, more than ${maxFieldsBytes}`);
  }
  return fieldsJson.length === 0 ? undefined : phaseOf(parseFields(id, fieldsJson));
}

function checkText(id: string, name: string, text: string): void {
  if (text.length > maxTextLength)
    throw new PosternError('limit_exceeded', `${name} of audit event ${id} is longer than ${maxTextLength} characters`);
}

export function phaseOf(fields: Record<string, unknown>): Phase | undefined {
  const { phase, request_id: requestId } = fields;
  if ((phase !== 'intent' && phase !== 'outcome') || typeof requestId !== 'string' || requestId === '') return undefined;
  return { phase, requestId };
}

export function parseFields(id: string, bytes: Buffer): Record<string, unknown> {
  let parsed: unknown;
  try {
    const text = strictUtf8.decode(bytes);
    if (openings(bytes) > maxFieldsDepth && depthOf(text) > maxFieldsDepth)
      throw new PosternError('limit_exceeded', `fields of audit event ${id} are nested deeper than ${maxFieldsDepth}`);
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

/** Braces and brackets that open, within strings too: a text with few of them cannot be deep, and nearly every one has few. */
function openings(bytes: Buffer): number {
  let found = 0;
  for (const byte of bytes) if (byte === 0x7b || byte === 0x5b) found += 1;
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
