import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { LOCAL_KEY, type LocalAgent } from '#testing/local-agent.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly text: string;
}

export interface Call {
  readonly method?: string;
  /** Path and query. */
  readonly path?: string;
  readonly service: string;
  readonly region?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** Sent without being signed, after the signature is made. */
  readonly unsigned?: Readonly<Record<string, string | string[]>>;
  readonly key?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** What the Host header says; the local port where it is not given. */
  readonly host?: string;
  readonly signingDate?: Date;
  readonly signal?: AbortSignal;
}

/** A request as an SDK signs it, by AWS's own signer, sent by node:http as it is. */
export async function signedCall(agent: Pick<LocalAgent, 'port'>, call: Call): Promise<Answer> {
  const headers = await signedHeaders(agent, call);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        agent: false,
        host: '127.0.0.1',
        port: agent.port,
        method: call.method ?? 'POST',
        path: call.path ?? '/',
        headers: { ...headers, ...call.unsigned },
        ...(call.signal ? { signal: call.signal } : {}),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const body = Buffer.concat(chunks);
          const { statusCode = 0, rawHeaders } = response;
          resolve({ status: statusCode, headers: response.headers, rawHeaders, body, text: body.toString() });
        });
      },
    );
    request.on('error', reject);
    request.end(call.body);
  });
}

/** The headers of a call, signature included, in lower case. */
export async function signedHeaders(agent: Pick<LocalAgent, 'port'>, call: Call): Promise<Record<string, string>> {
  const [path = '/', query = ''] = (call.path ?? '/').split('?');
  const signer = new SignatureV4({
    credentials: call.key ?? LOCAL_KEY,
    region: call.region ?? 'us-east-1',
    service: call.service,
    sha256: Sha256,
    uriEscapePath: call.service !== 's3',
    applyChecksum: false,
  });
  const body = call.body ?? '';
  const signed = await signer.sign(
    {
      method: call.method ?? 'POST',
      protocol: 'http:',
      hostname: '127.0.0.1',
      path,
      query: queryOf(query),
      headers: {
        host: call.host ?? `127.0.0.1:${agent.port}`,
        ...(body.length > 0 || call.method === 'PUT' || call.method === undefined
          ? { 'content-length': String(Buffer.byteLength(body)) }
          : {}),
        ...call.headers,
      },
      body,
    },
    { signingDate: call.signingDate ?? new Date() },
  );
  return signed.headers;
}

function queryOf(query: string): Record<string, string | string[]> {
  const bag: Record<string, string | string[]> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const before = bag[name];
    bag[name] = before === undefined ? value : [before, value].flat();
  }
  return bag;
}
