import { Sha256 } from '@aws-crypto/sha256-js';
import { EventStreamCodec } from '@smithy/core/event-streams';
import { SignatureV4 } from '@smithy/signature-v4';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { LOCAL_KEY } from '#testing/local-agent.ts';

export const BEDROCK_HOST = 'bedrock-runtime.us-east-1.amazonaws.com';
export const MODEL_PATH = '/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream';
const SCOPE = { region: 'us-east-1', service: 'bedrock', sha256: Sha256 };

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
);

export interface StreamWish {
  readonly host?: string;
  readonly path?: string;
  readonly key?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent without being signed. */
  readonly unsigned?: Readonly<Record<string, string>>;
}

/** One event stream as an SDK has it, signed by AWS's own signer and framed by AWS's own codec. */
export interface EventStream {
  readonly stream: ClientHttp2Stream;
  readonly status: Promise<number>;
  /** What has come so far, as text: the messages' payloads where they are whole. */
  readonly heard: () => readonly string[];
  readonly raw: () => string;
  readonly closed: Promise<number>;
  /** The next message, signed; not sent. An empty text ends the stream. */
  readonly sign: (text: string, date?: Date) => Promise<Buffer>;
  readonly say: (text: string) => Promise<void>;
}

export function http2To(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  return session;
}

export async function openEvents(session: ClientHttp2Session, wish: StreamWish = {}): Promise<EventStream> {
  const { host = BEDROCK_HOST, path = MODEL_PATH, key = LOCAL_KEY } = wish;
  const signer = new SignatureV4({ ...SCOPE, credentials: key });
  const base = {
    host,
    'content-type': 'application/vnd.amazon.eventstream',
    'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-EVENTS',
    ...wish.headers,
  };
  const { headers } = await signer.sign({ method: 'POST', protocol: 'https:', hostname: host, path, query: {}, headers: base });
  const stream = session.request({ ...headers, ':method': 'POST', ':path': path, ...wish.unsigned });
  const status = Promise.withResolvers<number>();
  const closed = Promise.withResolvers<number>();
  const pieces: Buffer[] = [];
  stream.on('error', () => undefined);
  stream.on('response', (answer) => status.resolve(Number(answer[':status'])));
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  stream.on('close', () => {
    status.resolve(0);
    closed.resolve(stream.rstCode ?? 0);
  });
  let priorSignature = /Signature=(\w+)/.exec(headers['authorization'] ?? '')?.[1] ?? '';
  const sign = async (text: string, date = new Date()): Promise<Buffer> => {
    const part = Buffer.from(JSON.stringify({ bytes: Buffer.from(text).toString('base64') }));
    const type = { ':event-type': { type: 'string' as const, value: 'chunk' } };
    const body = text === '' ? new Uint8Array() : codec.encode({ headers: type, body: part });
    const dated = { ':date': { type: 'timestamp' as const, value: date } };
    const { signature } = await signer.signMessage({ message: { headers: dated, body }, priorSignature }, { signingDate: date });
    priorSignature = signature;
    const signed = { ...dated, ':chunk-signature': { type: 'binary' as const, value: Buffer.from(signature, 'hex') } };
    return Buffer.from(codec.encode({ headers: signed, body }));
  };
  return {
    stream,
    status: status.promise,
    closed: closed.promise,
    raw: () => Buffer.concat(pieces).toString('latin1'),
    heard: () => [...messagesIn(Buffer.concat(pieces))],
    sign,
    say: async (text) => {
      stream.write(await sign(text));
      if (text === '') stream.end();
    },
  };
}

function* messagesIn(bytes: Buffer): Generator<string> {
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (at + length > bytes.length) return;
    const { headers, body } = codec.decode(bytes.subarray(at, at + length));
    const code = headers[':error-code']?.value ?? headers[':exception-type']?.value;
    if (code === undefined) {
      const { bytes: part } = JSON.parse(Buffer.from(body).toString()) as { readonly bytes: string };
      yield Buffer.from(part, 'base64').toString();
    } else yield `${String(code)}: ${String(headers[':error-message']?.value ?? Buffer.from(body).toString())}`;
    at += length;
  }
}
