import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { until } from '@postern/test-harness/processes.ts';
import { type Keys, sha256, sign, type Signed, type ToSign } from '#03-aws-requests/signer.ts';

/** One of the doors on a person's machine, as a program whose every byte is the test's own goes through it. */
export interface Door {
  readonly keys: Keys;
  /** What Host says of a request to this host of AWS. */
  hostFor(awsHost: string): string;
  open(awsHost: string): Promise<Wire>;
}

export interface Wire {
  send(bytes: string | Buffer): void;
  /** Everything that came, a letter for a byte. */
  said(): string;
  isClosed(): boolean;
  close(): void;
}

export interface Answer {
  readonly status: number;
  /** By names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** With interim answers before it. */
  readonly raw: string;
}

/** What `tsh proxy aws` prints. */
export function proxyDoor(env: Readonly<Record<string, string>>): Door {
  const { AWS_ACCESS_KEY_ID: id = '', AWS_SECRET_ACCESS_KEY: secret = '', AWS_CA_BUNDLE: bundle = '', HTTPS_PROXY: proxy = '' } = env;
  return {
    keys: { id, secret },
    hostFor: (awsHost) => awsHost,
    async open(awsHost) {
      const socket = connect(Number(new URL(proxy).port), '127.0.0.1');
      socket.write(`CONNECT ${awsHost}:443 HTTP/1.1\r\nHost: ${awsHost}:443\r\n\r\n`);
      const [said] = (await once(socket, 'data')) as [Buffer];
      if (!said.toString().startsWith('HTTP/1.1 200 ')) throw new Error(said.toString());
      const secure = connectTls({ socket, servername: awsHost, ca: readFileSync(bundle) });
      await once(secure, 'secureConnect');
      return wireOver(secure);
    },
  };
}

/** The port of `tsh up`. */
export function endpointDoor(port: number, keys: Keys): Door {
  return {
    keys,
    hostFor: () => `127.0.0.1:${port}`,
    async open() {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return wireOver(socket);
    },
  };
}

function wireOver(socket: Socket): Wire {
  let said = '';
  let closed = false;
  socket.on('data', (bytes) => (said += bytes.toString('latin1')));
  socket.on('error', () => undefined).on('close', () => (closed = true));
  return { send: (bytes) => void socket.write(bytes), said: () => said, isClosed: () => closed, close: () => void socket.destroy() };
}

export type Call = Omit<ToSign, 'host' | 'payload'> & {
  readonly awsHost: string;
  /** The hash of the body where absent. */
  readonly payload?: string;
  readonly body?: Buffer | ((seed: Signed) => Buffer);
  /** Sent after the signature was made, and not under it. */
  readonly unsigned?: readonly (readonly [name: string, value: string])[];
};

/** One request and its answer, on a connection of their own. */
export async function call(door: Door, asked: Call): Promise<Answer> {
  const wire = await door.open(asked.awsHost);
  const { head, body } = written(door, asked, [['Connection', 'close']]);
  wire.send(Buffer.concat([Buffer.from(head, 'latin1'), body]));
  await until(`the answer to ${asked.method} ${asked.path}`, 30_000, () => (wire.isClosed() ? true : undefined));
  return answerOf(wire.said());
}

/** Head and body as they go over the wire. */
export function written(
  door: Door,
  { awsHost, body = Buffer.alloc(0), unsigned = [], ...asked }: Call,
  more: NonNullable<Call['unsigned']> = [],
): { readonly head: string; readonly body: Buffer } {
  const payload = asked.payload ?? sha256(Buffer.isBuffer(body) ? body : '');
  const seed = sign({ ...asked, payload, host: door.hostFor(awsHost) }, door.keys);
  const bytes = Buffer.isBuffer(body) ? body : body(seed);
  const isSigned = seed.headers.some(([name]) => name.toLowerCase() === 'content-length');
  const bare = isSigned || asked.method === 'GET' || asked.method === 'HEAD';
  const length = bare ? [] : ([['Content-Length', String(bytes.length)]] as const);
  const lines = [...seed.headers, ...length, ...unsigned, ...more].map(([name, value]) => `${name}: ${value}\r\n`);
  const target = asked.query === undefined ? asked.path : `${asked.path}?${asked.query}`;
  return { head: `${asked.method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`, body: bytes };
}

/** The last answer of what came, without the frame of its body. */
export function answerOf(raw: string): Answer {
  const final = raw.replace(/^(?:HTTP\/1\.1 1\d\d [^\r]*\r\n(?:[^\r]+\r\n)*\r\n)+/, '');
  const cut = final.indexOf('\r\n\r\n');
  const [first = '', ...lines] = final.slice(0, Math.max(0, cut)).split('\r\n');
  const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
  const framed = final.slice(cut + 4);
  const body = headers.get('transfer-encoding') === 'chunked' ? unframed(framed) : framed;
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0), headers, body: Buffer.from(body, 'latin1'), raw };
}

function unframed(text: string): string {
  const size = Number.parseInt(text, 16);
  const start = text.indexOf('\r\n') + 2;
  return size > 0 ? text.slice(start, start + size) + unframed(text.slice(start + size + 2)) : '';
}
