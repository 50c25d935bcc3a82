import { createHash, createHmac } from 'node:crypto';

export interface SignedRequest {
  readonly method: 'GET' | 'PUT' | 'POST';
  /** What Host says. */
  readonly host: string;
  /** As it goes over the wire; nothing in it needs an escape. */
  readonly path: string;
  /** Its parameters in their order; nothing in it needs an escape. */
  readonly query?: string;
  readonly service: string;
  readonly body?: string;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

/** One request for us-east-1, signed as a client of AWS signs it, as the bytes that go over the wire. */
export function signedRequest(
  { method, host, path, query = '', service, body = '' }: SignedRequest,
  { id, secret }: { readonly id: string; readonly secret: string },
): string {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const own = [
    ['host', host],
    ['x-amz-content-sha256', sha256(body)],
    ['x-amz-date', date],
  ];
  const names = own.map(([name]) => name).join(';');
  const canonical = [method, path, query, ...own.map(([name, value]) => `${name}:${value}`), '', names, sha256(body)].join('\n');
  const scope = `${date.slice(0, 8)}/us-east-1/${service}/aws4_request`;
  const key = scope.split('/').reduce<Buffer | string>((parent, part) => hmac(parent, part), `AWS4${secret}`);
  const signature = hmac(key, ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')).toString('hex');
  const lines = [
    ...own,
    ['authorization', `AWS4-HMAC-SHA256 Credential=${id}/${scope}, SignedHeaders=${names}, Signature=${signature}`],
    ...(method === 'GET' ? [] : [['content-length', String(body.length)]]),
  ];
  const target = query === '' ? path : `${path}?${query}`;
  return `${method} ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}
