import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** A request as bytes: nothing folded, decoded or normalised, since the signature was made over what was sent. */
export interface Received {
  readonly method: string;
  /** Path and query as on the wire. */
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly bodySha256: string;
}

/** DynamoDB takes 16 MiB; the rest is slack so that the refusal is DynamoDB's own. */
export const maxBodyBytes = 17 * 1024 * 1024;

/** Undefined where the body is larger than anything AWS takes here. */
export async function receive(request: IncomingMessage): Promise<Received | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxBodyBytes) return undefined;
    chunks.push(chunk as Buffer);
  }
  const headers: (readonly [string, string])[] = [];
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    headers.push([request.rawHeaders[index] ?? '', request.rawHeaders[index + 1] ?? '']);
  }
  const body = Buffer.concat(chunks);
  return {
    method: request.method ?? '',
    target: request.url ?? '/',
    headers,
    body,
    bodySha256: createHash('sha256').update(body).digest('hex'),
  };
}

export function headerValues(request: Received, name: string): readonly string[] {
  return request.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

export function header(request: Received, name: string): string | undefined {
  return headerValues(request, name)[0];
}
