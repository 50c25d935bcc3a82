import type { OutgoingHttpHeaders } from 'node:http2';
import { HttpFault } from '#grammar/http-fault.ts';
import { type HeadLimits, parseRequestHead, type RequestHead } from '#grammar/parse-head.ts';
import { requestHead } from '#grammar/write-head.ts';

/** What ends at this hop (RFC 9113 8.2.2): in HTTP/2 no message may hold it. */
const CONNECTION_FIELDS = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings']);

export interface Http2HeadInput {
  /** Flat and as they came, pseudo-header fields among them. */
  readonly rawHeaders: readonly string[];
  /** No body follows. */
  readonly endsHere: boolean;
  readonly limits: HeadLimits;
}

/**
 * The head of a request of HTTP/2, read by the one grammar there is: it is written as the HTTP/1.1 that says the same, and read back, so that
 * whatever is refused of the one is refused of the other. Throws HttpFault.
 */
export function parseHttp2Head({ rawHeaders, endsHere, limits }: Http2HeadInput): RequestHead {
  const pseudo = new Map<string, string>();
  const fields: string[] = [];
  let hasLength = false;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1] ?? '';
    if (name.startsWith(':')) {
      if (pseudo.has(name)) throw new HttpFault(`the field ${name} stands twice`);
      pseudo.set(name, value);
    } else if (CONNECTION_FIELDS.has(name)) throw new HttpFault(`the header ${name} has no place in HTTP/2`);
    else {
      if (name === 'content-length') hasLength = true;
      fields.push(name, value);
    }
  }
  const framed = endsHere || hasLength ? [] : ['transfer-encoding', 'chunked'];
  const method = pseudo.get(':method') ?? '';
  const target = pseudo.get(':path') ?? '';
  const text = requestHead(method, target, [...withHost(fields, pseudo.get(':authority')), ...framed]);
  if (text.length > limits.maxBytes) throw new HttpFault(`the header of the request is longer than ${limits.maxBytes} bytes`, 431);
  const head = parseRequestHead(text, limits);
  // Neither is checked where it is written: one with a blank or a line in it would be read back as more than itself.
  if (head.method !== method || head.target !== target) throw new HttpFault('the method or the path of the request is malformed');
  return head;
}

/** `:authority` is what Host is in HTTP/1.1; a client may send either (RFC 9113 8.3.1), and two that differ name two hosts. */
function withHost(fields: readonly string[], authority: string | undefined): readonly string[] {
  if (authority === undefined) return fields;
  const kept: string[] = ['host', authority];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = fields[at] ?? '';
    const value = fields[at + 1] ?? '';
    if (name !== 'host') kept.push(name, value);
    else if (value !== authority) throw new HttpFault('the header host is not what :authority says');
  }
  return kept;
}

/**
 * The head of a message as Node takes it: its pseudo-header fields and then those of `fields`, which are flat, without what ends at this hop.
 * `host` is what the field of that name is called.
 */
export function http2Headers(
  pseudo: Readonly<Record<`:${string}`, string | number>>,
  fields: readonly string[],
  host: 'host' | ':authority' = 'host',
): OutgoingHttpHeaders {
  // A stranger's field may be called constructor.
  const headers = Object.assign<OutgoingHttpHeaders, typeof pseudo>(Object.create(null), pseudo);
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const lower = (fields[at] ?? '').toLowerCase();
    const value = fields[at + 1] ?? '';
    if (CONNECTION_FIELDS.has(lower)) continue;
    const name = lower === 'host' ? host : lower;
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat().map(String);
  }
  return headers;
}
