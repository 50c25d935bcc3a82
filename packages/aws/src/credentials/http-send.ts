import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export type HttpRequest = {
  /** default POST */
  readonly method?: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly timeoutMs: number;
};
export type HttpAnswer = { readonly status: number; readonly headers: Readonly<Record<string, string | undefined>>; readonly body: Buffer };
/** Asks and reads the answer whole. Rejects when the network fails, time runs out or the answer is too long. */
export type HttpSend = (request: HttpRequest) => Promise<HttpAnswer>;

const maxAnswerBytes = 1024 * 1024;

/** Kept-alive connections, certificates checked against the public roots and NODE_EXTRA_CA_CERTS; redirects are not followed. */
export function nodeHttpSend(): HttpSend {
  const http = new HttpAgent({ keepAlive: true, maxSockets: 16 });
  // What answers as STS hands out keys: said, or NODE_TLS_REJECT_UNAUTHORIZED=0 of the environment would have anybody's certificate do.
  const https = new HttpsAgent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: true });
  return ({ method = 'POST', url, headers, body, timeoutMs }) =>
    new Promise((resolve, reject) => {
      const isTls = url.protocol === 'https:';
      const options = {
        method,
        headers: [...headers],
        setHost: false,
        agent: isTls ? https : http,
        signal: AbortSignal.timeout(timeoutMs),
        // the name of the machine that is dialled: with AWS_ENDPOINT_URL it differs from the Host header
        ...(isTls ? { servername: url.hostname } : {}),
      };
      const outgoing = (isTls ? httpsRequest : httpRequest)(url, options, (answer) => {
        const chunks: Buffer[] = [];
        let length = 0;
        answer.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length > maxAnswerBytes) answer.destroy(new Error('the answer is too long'));
          else chunks.push(chunk);
        });
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, headers: singleHeaders(answer.headers), body: Buffer.concat(chunks) }),
        );
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
}

function singleHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]));
}
