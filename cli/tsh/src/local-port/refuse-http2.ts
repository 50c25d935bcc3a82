import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { limits } from '@postern/limits';
import type { RefusalKind, RefusalText } from '#local-port/aws-refusal.ts';

export interface Http2Refusal {
  readonly refusal: RefusalText;
  readonly kind: RefusalKind;
  readonly message: string;
}

/** So many requests may have been sent before the refusal is read. */
const STREAMS = 16;
const LINGER_MS = 1_000;

/** A server of tsh's own on a connection that goes nowhere else. */
export function http2Of(connection: Duplex): ServerHttp2Session {
  const session = performServerHandshake(connection, {
    settings: { maxConcurrentStreams: STREAMS, maxHeaderListSize: limits.headerBytes },
    maxSessionMemory: 1,
  });
  session.on('error', () => session.destroy());
  // Its errors are told by 'close' as well. Without a listener one would end the process.
  session.on('stream', (stream) => stream.on('error', () => undefined));
  return session;
}

/** Says no to whatever is asked on the connection, in the shape of the service, and ends it. */
export function refuseHttp2(session: ServerHttp2Session, refused: Http2Refusal): void {
  session.on('stream', (stream, _headers, _flags, rawHeaders) => refuseStream(stream, rawHeaders, refused));
  setTimeout(() => session.destroy(), LINGER_MS).unref();
}

export function refuseStream(stream: ServerHttp2Stream, rawHeaders: readonly string[], { refusal, kind, message }: Http2Refusal): void {
  const text = Buffer.from(refusal({ kind, message, head: headText(rawHeaders) }));
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.toString('latin1', 0, end).split('\r\n');
  const headers: Record<string, string | number> = { ':status': Number(first.split(' ')[1]) };
  for (const line of lines) {
    const at = line.indexOf(':');
    const name = line.slice(0, at).toLowerCase();
    if (name !== 'connection') headers[name] = line.slice(at + 1).trim();
  }
  // Reset in the same breath: Node throws at whoever answers it.
  if (stream.destroyed || stream.closed) return;
  stream.respond(headers);
  if (!stream.endAfterHeaders) stream.once('finish', () => stream.close());
  stream.end(text.subarray(end + 4));
  const { session } = stream;
  if (session !== undefined && !session.closed && !session.destroyed) session.close();
}

/** What the same request would be in HTTP/1.1, up to the empty line. */
export function headText(rawHeaders: readonly string[]): string {
  const pseudo = new Map<string, string>();
  const lines: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1] ?? '';
    if (!name.startsWith(':')) lines.push(`${name}: ${value}`);
    else pseudo.set(name, value);
  }
  const authority = pseudo.get(':authority');
  const host = authority === undefined || lines.includes(`host: ${authority}`) ? [] : [`host: ${authority}`];
  return [`${pseudo.get(':method') ?? ''} ${pseudo.get(':path') ?? ''} HTTP/1.1`, ...host, ...lines].join('\r\n');
}
