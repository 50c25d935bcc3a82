import { CHUNKED, readFields, UNSAID } from '#grammar/fields.ts';
import { HttpFault } from '#grammar/http-fault.ts';
import { TARGET, VALUE } from '#grammar/octets.ts';

export interface HeadLimits {
  /** Of the whole head, the empty line included. */
  readonly maxBytes: number;
  readonly maxLines: number;
}

export interface RequestHead {
  readonly method: string;
  /** Origin-form: path and query as they came, undecoded. */
  readonly target: string;
  /** Flat; see FieldBlock. */
  readonly fields: readonly string[];
  /** Bytes of the body, 0 where there is none, or CHUNKED. */
  readonly length: number;
  /** Nothing more is to be read after this request. */
  readonly closes: boolean;
  readonly expectsContinue: boolean;
}

export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly string[];
  /** Bytes of the body, CHUNKED, or UNSAID: until the connection ends. What the status or the method forbids is 0. */
  readonly length: number;
  /** Another request may follow on the connection. */
  readonly keepsAlive: boolean;
  /** In lower case; what it names ends here. */
  readonly connection: string | undefined;
  readonly isHttp10: boolean;
}

/** RFC 9110 9 and PATCH. CONNECT is missing on purpose: behind it stands no HTTP. */
const METHODS = new Map(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'].map((method) => [method, method]));
const SLASH = 0x2f;

/** `text` is a whole head, its empty line included, one character a byte. Throws HttpFault. */
export function parseRequestHead(text: string, limits: HeadLimits): RequestHead {
  const methodTo = text.indexOf(' ');
  const method = METHODS.get(text.slice(0, methodTo < 0 || methodTo > 16 ? 16 : methodTo));
  if (method === undefined) throw badMethod(text);
  let at = methodTo + 1;
  if (text.charCodeAt(at) !== SLASH) throw new HttpFault('the target of the request is not a path');
  while (TARGET[text.charCodeAt(at)] === 1) at += 1;
  const target = text.slice(methodTo + 1, at);
  if (!text.startsWith(' HTTP/1.1\r\n', at))
    throw new HttpFault(
      text.startsWith(' HTTP/', at) || text.startsWith('\r', at) ? 'the request is not HTTP/1.1' : 'the target of the request is malformed',
    );
  const { fields, length, connection, expect, hosts } = readFields(text, at + 11, limits.maxLines);
  if (hosts !== 1) throw new HttpFault(hosts === 0 ? 'the request has no Host header' : 'the header host stands twice');
  return {
    method,
    target,
    fields,
    length: length === UNSAID ? 0 : length,
    // Behind a request to change the protocol the client may already speak the other one.
    closes: connection !== undefined && connection !== 'keep-alive' && (hasToken(connection, 'close') || hasToken(connection, 'upgrade')),
    expectsContinue: expect === '100-continue',
  };
}

/** The answer to a request with `method`. Throws HttpFault. */
export function parseAnswerHead(text: string, method: string, limits: HeadLimits): AnswerHead {
  const isHttp10 = text.startsWith('HTTP/1.0 ');
  if (!isHttp10 && !text.startsWith('HTTP/1.1 ')) throw new HttpFault('the answer is not HTTP/1.1');
  const status = 100 * digit(text, 9) + 10 * digit(text, 10) + digit(text, 11);
  if (!(status >= 100 && status <= 599)) throw new HttpFault('the status of the answer is malformed');
  let at = 12;
  if (text.charCodeAt(at) === 0x20) while (VALUE[text.charCodeAt(at)] === 1) at += 1;
  if (!text.startsWith('\r\n', at)) throw new HttpFault('the first line of the answer is malformed');
  const { fields, length, connection } = readFields(text, at + 2, limits.maxLines);
  if (isHttp10 && length === CHUNKED) throw new HttpFault('an answer of HTTP/1.0 is chunked');
  const hasNoBody = status < 200 || status === 204 || status === 304 || method === 'HEAD';
  if (length === CHUNKED && (status < 200 || status === 204)) throw new HttpFault(`an answer with status ${status} has a body`);
  const bodyLength = hasNoBody ? 0 : length;
  return {
    status,
    reason: text.slice(13, Math.max(13, at)),
    fields,
    length: bodyLength,
    keepsAlive: !isHttp10 && bodyLength !== UNSAID && (connection === undefined || !hasToken(connection, 'close')),
    connection,
    isHttp10,
  };
}

function digit(text: string, at: number): number {
  const value = text.charCodeAt(at) - 0x30;
  return value >= 0 && value <= 9 ? value : Number.NaN;
}

function badMethod(text: string): HttpFault {
  if (text.startsWith('CONNECT ')) return new HttpFault('the method CONNECT is not possible', 405);
  return new HttpFault('the request does not start with a method of HTTP');
}

/** Whether a list of tokens in lower case holds one. */
export function hasToken(list: string, token: string): boolean {
  if (list === token) return true;
  return list.includes(token) && list.split(',').some((one) => one.trim() === token);
}
