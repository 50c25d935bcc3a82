import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';

export interface WireRequest {
  readonly port: number;
  readonly method: string;
  /** Path and query, sent as they stand. */
  readonly path: string;
  /** In this order; a name may stand there twice. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: Buffer | string;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** How often 100 Continue came. */
  readonly continues: number;
}

/** Sends exactly what it is given. With Expect it waits for 100 Continue, or for the answer, before the body. */
export function sendWire({ port, method, path, headers, body = '' }: WireRequest): Promise<WireAnswer> {
  const named = (name: string): boolean => headers.some(([given]) => given.toLowerCase() === name);
  const raw = headers.flat();
  if (!named('content-length') && !named('transfer-encoding') && (body.length > 0 || method !== 'GET'))
    raw.push('content-length', String(Buffer.byteLength(body)));
  return new Promise((resolve, reject) => {
    let continues = 0;
    const outgoing = httpRequest({ host: '127.0.0.1', port, method, path, headers: raw, setHost: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        outgoing.destroy();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString(), continues });
      });
    });
    outgoing.on('error', reject);
    outgoing.on('continue', () => {
      continues += 1;
      if (continues === 1) outgoing.end(body);
    });
    if (named('expect')) outgoing.flushHeaders();
    else outgoing.end(body);
  });
}
