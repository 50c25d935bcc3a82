import { browserRefusal, type RequestHead, type SessionConnection } from '@postern/agent';
import { MAX_HEADER_LINES } from '#config.ts';
import { badRequest, type Refusal } from '#requests/refusals.ts';

/** Connection may name headers that end at the next hop: so a client could take a header away after it was judged. */
const PLAIN_CONNECTION = /^[ \t]*(?:keep-alive|close)?[ \t]*$/i;

/**
 * What is read is what AWS will read, and the one who speaks is the holder of the local key at the local port: in forward-proxy mode
 * the request is for the host that tsh opened the connection to, in endpoint mode for the local port itself.
 */
export function headRefusal(head: RequestHead, facts: Omit<SessionConnection, 'session' | 'stream'>): Refusal | undefined {
  if (facts.localKey === undefined) return denied('the client did not say which key its requests are signed with: update tsh');
  if (facts.connectHost === undefined) {
    const fromBrowser = browserRefusal(head, facts.localPort);
    if (fromBrowser !== undefined) return denied(fromBrowser);
  } else if (head.host === undefined || withoutPort(head.host) !== withoutPort(facts.connectHost))
    return denied(`Host ${JSON.stringify((head.host ?? '').slice(0, 100))} is not the host that the connection was opened to`);
  if (head.duplicate !== undefined) return badRequest(`the header ${head.duplicate} stands twice`);
  if (head.lines > MAX_HEADER_LINES) return badRequest(`more than ${MAX_HEADER_LINES} header lines`);
  if (head.upgrade) return badRequest('an upgrade to another protocol is not possible');
  if (head.connection !== undefined && !PLAIN_CONNECTION.test(head.connection))
    return badRequest('the header Connection may say keep-alive or close');
  if (head.expect !== undefined && head.expect.toLowerCase() !== '100-continue') return badRequest('the expectation cannot be met');
  return undefined;
}

function withoutPort(host: string): string {
  return host.endsWith(':443') ? host.slice(0, -4) : host;
}

function denied(reason: string): Refusal {
  return { kind: 'denied', message: reason, reason, close: true };
}
