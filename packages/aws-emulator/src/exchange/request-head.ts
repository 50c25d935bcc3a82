import type { IncomingMessage } from 'node:http';

/** The head of a request as bytes: nothing folded, decoded or normalised, since the signature was made over what was sent. */
export interface RequestHead {
  readonly method: string;
  /** Path and query as on the wire. */
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** Of HTTP/2 `:authority` is what Host is, and what is signed as that. */
export function readHead(message: IncomingMessage): RequestHead {
  const headers: (readonly [string, string])[] = [];
  for (let index = 0; index + 1 < message.rawHeaders.length; index += 2) {
    const name = message.rawHeaders[index] ?? '';
    if (name.startsWith(':') && name !== ':authority') continue;
    headers.push([name === ':authority' ? 'host' : name, message.rawHeaders[index + 1] ?? '']);
  }
  return { method: message.method ?? '', target: message.url ?? '/', headers };
}

export function headerValues(head: RequestHead, name: string): readonly string[] {
  return head.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

export function header(head: RequestHead, name: string): string | undefined {
  return headerValues(head, name)[0];
}

export function hostOf(head: RequestHead): string {
  return (header(head, 'host') ?? '').toLowerCase();
}

/** The path, and the query without its mark, both as on the wire. */
export function splitTarget({ target }: RequestHead): { readonly path: string; readonly query: string } {
  const mark = target.indexOf('?');
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** A type and subtype without its parameters, in lower case; empty where there is none. */
export function mediaType(head: RequestHead): string {
  return (header(head, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/**
 * The query as names and values, percent-decoded once. A plus stays a plus: that it meant a space is a custom of HTML forms, not of
 * AWS's REST protocols. The first of several equal names counts.
 */
export function queryMap(query: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const pair of query === '' ? [] : query.split('&')) {
    const at = pair.indexOf('=');
    const name = decoded(at < 0 ? pair : pair.slice(0, at));
    if (!found.has(name)) found.set(name, at < 0 ? '' : decoded(pair.slice(at + 1)));
  }
  return found;
}

/** Percent-decodes UTF-8; what is not is left as it stands. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
