import { type Agent, type ClientRequest, request } from 'node:http';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { type Answer, HANG_MS } from '#load.ts';

export interface EndpointKeys {
  readonly id: string;
  readonly secret: string;
}

export interface EndpointCall {
  readonly service: 's3' | 'sts' | 'dynamodb';
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}
export interface CallOptions {
  readonly agent?: Agent;
  readonly withinMs?: number;
}

/** An upload whose head and first bytes are on their way, and whose end is not. */
export interface Upload {
  readonly answer: Promise<Answer>;
  abandon(): void;
}

/**
 * A program that speaks to the port of `tsh up` in plain HTTP with its keys, and tries nothing again: AWS's own signer for JavaScript signs,
 * so that nothing of ours stands on both sides.
 */
export class EndpointClient {
  readonly #port: number;
  readonly #keys: EndpointKeys;
  readonly #nowMs: () => number;

  constructor(port: number, keys: EndpointKeys, nowMs: () => number = Date.now) {
    this.#port = port;
    this.#keys = keys;
    this.#nowMs = nowMs;
  }

  whoAmI(options?: CallOptions): Promise<Answer> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return this.call({ service: 'sts', method: 'POST', path: '/', headers, body: 'Action=GetCallerIdentity&Version=2011-06-15' }, options);
  }

  putObject(key: string, body: string, options?: CallOptions): Promise<Answer> {
    return this.call({ service: 's3', method: 'PUT', path: `/faults/${key}`, body }, options);
  }

  getObject(key: string, options?: CallOptions): Promise<Answer> {
    return this.call({ service: 's3', method: 'GET', path: `/faults/${key}` }, options);
  }

  dynamoDb(operation: string, input: unknown, options?: CallOptions): Promise<Answer> {
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `DynamoDB_20120810.${operation}` };
    return this.call({ service: 'dynamodb', method: 'POST', path: '/', headers, body: JSON.stringify(input) }, options);
  }

  /** Never rejects: an error is an answer of status 0, and what it was is its body. */
  async call(asked: EndpointCall, options: CallOptions = {}): Promise<Answer> {
    const body = asked.body ?? '';
    const length = body === '' && asked.method === 'GET' ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const headers = await this.#signed(asked, body);
    const { sent, answer } = this.#send(asked, { ...headers, ...length }, options);
    sent.end(body);
    return answer;
  }

  /** PutObject of so many bytes, of which the first few are sent and the rest are owed. */
  async beginUpload(key: string, bytes: number, options: CallOptions = {}): Promise<Upload> {
    const asked = { service: 's3', method: 'PUT', path: `/faults/${key}` } as const;
    const headers = await this.#signed({ ...asked, headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }, '');
    const { sent, answer } = this.#send(asked, { ...headers, 'content-length': String(bytes) }, options);
    sent.write('x'.repeat(Math.min(1000, bytes - 1)));
    return { answer, abandon: () => void sent.destroy() };
  }

  async #signed({ service, method, path, headers = {} }: EndpointCall, body: string): Promise<Record<string, string>> {
    const credentials = { accessKeyId: this.#keys.id, secretAccessKey: this.#keys.secret };
    const isS3 = service === 's3';
    const signer = new SignatureV4({
      credentials,
      region: 'us-east-1',
      service,
      sha256: Sha256,
      uriEscapePath: !isS3,
      applyChecksum: isS3,
    });
    const host = `127.0.0.1:${this.#port}`;
    const signed = await signer.sign(
      { method, protocol: 'http:', hostname: host, path, headers: { ...headers, host }, body },
      { signingDate: new Date(this.#nowMs()) },
    );
    return { ...signed.headers };
  }

  #send(
    { method, path }: Pick<EndpointCall, 'method' | 'path'>,
    headers: Record<string, string>,
    { agent, withinMs = HANG_MS + 5_000 }: CallOptions,
  ): { readonly sent: ClientRequest; readonly answer: Promise<Answer> } {
    const sentMs = Date.now();
    const sent = request({ host: '127.0.0.1', port: this.#port, method, path, headers, agent: agent ?? false });
    const answer = new Promise<Answer>((resolve) => {
      const done = (status: number, text: string) => resolve({ sentMs, tookMs: Date.now() - sentMs, status, body: text });
      sent.on('response', (came) => {
        const chunks: Buffer[] = [];
        came.on('data', (chunk: Buffer) => chunks.push(chunk));
        came.on('end', () => done(came.statusCode ?? 0, Buffer.concat(chunks).toString()));
        came.on('error', (error) => done(0, error.message));
      });
      sent.setTimeout(withinMs, () => sent.destroy(new Error('no answer in time')));
      sent.on('error', (error) => done(0, error.message));
    });
    return { sent, answer };
  }
}
