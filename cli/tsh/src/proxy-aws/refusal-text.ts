import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { awsRefusal, type AwsProtocol, claimedService, protocolOf, scopeOfHost } from '@postern/aws';
import type { RefusalKind, RefusalText } from '#local-port/aws-refusal.ts';
import { parseRequestHead } from '#local-port/request-head.ts';

const kindOf = {
  denied: 'denied',
  expired: 'expired',
  unknown_key: 'unknown_key',
  unavailable: 'unavailable',
  forbidden: 'denied',
} as const satisfies Record<RefusalKind, string>;

/** A refusal of tsh's own, in the shape that the SDK that asked can read: by the service it signs for, or whose host it names. */
export function refusalText(command: string): RefusalText {
  return ({ kind, message, head }) => {
    const { method, protocol } = askedIn(head?.replace(/\r\n\r\n$/, ''));
    const refused = awsRefusal({ kind: kindOf[kind], protocol, method, message: `${command}: ${message}`, requestId: randomUUID() });
    const lines = [`HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status] ?? 'Refused'}`];
    for (let i = 0; i < refused.headers.length; i += 2) lines.push(`${refused.headers[i]}: ${refused.headers[i + 1]}`);
    lines.push(`Date: ${new Date().toUTCString()}`, 'Connection: close', '', '');
    return Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), refused.body]);
  };
}

/** Of what cannot be read nothing is known: S3's shape would say too much, and every SDK has read JSON. */
function askedIn(head: string | undefined): { readonly method: string; readonly protocol: AwsProtocol } {
  const request = head === undefined ? undefined : parseRequestHead(head);
  if (request === undefined) return { method: 'POST', protocol: 'json-1.0' };
  const { method, target, headers } = request;
  const [path = '/', query = ''] = target.split('?', 2);
  const [host = ''] = headers.get('host') ?? [];
  const flat = [...headers].flatMap(([name, values]) => values.flatMap((value) => [name, value]));
  const service = claimedService({ headers: flat, query }) ?? scopeOfHost(host)?.service ?? '';
  return { method, protocol: protocolOf({ method, path, query, headers: flat, service }) };
}
