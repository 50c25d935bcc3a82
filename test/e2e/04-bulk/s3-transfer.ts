// A client as light as one can be, so that it is the way that is measured: `node s3-transfer.ts` reads a Transfer as JSON from standard
// input, makes it, and prints a Transferred. The head was signed by whoever started it.
import { createHmac, hash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { crc32 } from 'node:zlib';

export interface Transfer {
  readonly to: Way;
  /** Request line and headers, up to and with the empty line. */
  readonly head: string;
  readonly upload?: Upload;
}

/** A port of this machine. */
export interface Way {
  readonly port: number;
  /** An HTTPS proxy, which is asked for `name` at `port`. */
  readonly proxyPort?: number;
  /** Whom TLS is spoken with, by the authority; plain HTTP where absent. */
  readonly name?: string;
  readonly ca?: string;
}

export interface Upload {
  readonly bytes: number;
  /** Content of a chunk of aws-chunked; a plain body where absent. */
  readonly frameBytes?: number;
  /** So much is sent, and then the client leaves. */
  readonly leavesAfter?: number;
  readonly hasTrailer?: boolean;
  readonly chain?: Chain;
}

export interface Chain {
  readonly seed: string;
  /** Hexadecimal. */
  readonly key: string;
  readonly amzDate: string;
  readonly scope: string;
  /** Of a single frame that is too large to be hashed by the way. */
  readonly onlyFrameSha256?: string;
}

export interface Transferred {
  readonly status: number;
  readonly head: string;
  /** The answer's body where it is short. */
  readonly body: string;
  readonly bytes: number;
  /** The first of the downloaded bytes that is not what it should be. */
  readonly wrongAt?: number;
  /** From the first byte of the content to the last of the answer. */
  readonly seconds: number;
  /** Of this process meanwhile. */
  readonly cpuSeconds: number;
}

const PERIOD = 251;
const WRITE_BYTES = 256 * 1024;
const SHORT_BYTES = 64 * 1024;
/** Byte number i is i modulo 251, as the emulator makes objects. */
const PATTERN = Buffer.from(Uint8Array.from({ length: 2 * WRITE_BYTES }, (_, i) => i % PERIOD));
export const contentAt = (at: number, bytes: number) => PATTERN.subarray(at % PERIOD, (at % PERIOD) + bytes);
const EMPTY_SHA256 = hash('sha256', '', 'hex');

async function open({ port, proxyPort, name = '', ca }: Way): Promise<Socket> {
  const socket = connect({ port: proxyPort ?? port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  if (proxyPort !== undefined) {
    socket.write(`CONNECT ${name}:${port} HTTP/1.1\r\nHost: ${name}:${port}\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    if (!answer.toString('latin1').startsWith('HTTP/1.1 200 ')) throw new Error(answer.toString());
  }
  if (ca === undefined) return socket;
  const secure = connectTls({ socket, servername: name, ca, ALPNProtocols: ['http/1.1'] });
  await once(secure, 'secureConnect');
  return secure;
}

/** Writes a body; false where nobody takes it any more. */
class Writer {
  readonly #socket: Socket;
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(socket: Socket, mostBytes: number) {
    this.#socket = socket;
    this.#mostBytes = mostBytes;
  }

  async write(bytes: Buffer): Promise<boolean> {
    if (!this.#socket.writable || this.#bytes >= this.#mostBytes) return false;
    this.#bytes += bytes.length;
    if (!this.#socket.write(bytes)) await this.#taken();
    return true;
  }

  #taken(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve) => {
      const settle = () => {
        socket.off('drain', settle).off('close', settle);
        resolve();
      };
      socket.on('drain', settle).on('close', settle);
    });
  }

  /** Content from `from` up to `to`. */
  async content(from: number, to: number): Promise<boolean> {
    for (let at = from; at < to; at += WRITE_BYTES) if (!(await this.write(contentAt(at, Math.min(WRITE_BYTES, to - at))))) return false;
    return true;
  }
}

async function send(writer: Writer, upload: Upload): Promise<void> {
  const { bytes, frameBytes, hasTrailer = false, chain } = upload;
  if (frameBytes === undefined) return void (await writer.content(0, bytes));
  const signer = chain === undefined ? undefined : new ChunkSigner(chain);
  const header = (size: number, sha256: () => string) =>
    Buffer.from(
      `${size.toString(16)}${signer === undefined ? '' : `;chunk-signature=${signer.sign('PAYLOAD', `${EMPTY_SHA256}\n${sha256()}`)}`}\r\n`,
    );
  let sum = 0;
  for (let at = 0; at < bytes; at += frameBytes) {
    const size = Math.min(frameBytes, bytes - at);
    const head = header(size, () => hashOf(at, size, chain));
    if (size > WRITE_BYTES) {
      if (!(await writer.write(head)) || !(await writer.content(at, at + size)) || !(await writer.write(CRLF))) return;
      continue;
    }
    const content = contentAt(at, size);
    if (hasTrailer) sum = crc32(content, sum);
    if (!(await writer.write(Buffer.concat([head, content, CRLF])))) return;
  }
  await writer.write(Buffer.concat([header(0, () => EMPTY_SHA256), hasTrailer ? trailer(sum, signer) : CRLF]));
}

const CRLF = Buffer.from('\r\n');

function trailer(sum: number, signer: ChunkSigner | undefined): Buffer {
  const value = Buffer.alloc(4);
  value.writeUInt32BE(sum);
  const line = `x-amz-checksum-crc32:${value.toString('base64')}`;
  const signature = signer === undefined ? '' : `x-amz-trailer-signature:${signer.sign('TRAILER', hash('sha256', `${line}\n`, 'hex'))}\r\n`;
  return Buffer.from(`${line}\r\n${signature}\r\n`);
}

/** Frames begin at as many places of the pattern as it has bytes. */
const hashes = new Map<string, string>();
function hashOf(at: number, size: number, chain: Chain | undefined): string {
  if (chain?.onlyFrameSha256 !== undefined) return chain.onlyFrameSha256;
  const key = `${at % PERIOD} ${size}`;
  const known = hashes.get(key) ?? hash('sha256', contentAt(at, size), 'hex');
  hashes.set(key, known);
  return known;
}

/** Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html */
class ChunkSigner {
  readonly #chain: Chain;
  readonly #key: Buffer;
  #previous: string;

  constructor(chain: Chain) {
    this.#chain = chain;
    this.#key = Buffer.from(chain.key, 'hex');
    this.#previous = chain.seed;
  }

  sign(what: 'PAYLOAD' | 'TRAILER', covered: string): string {
    const { amzDate, scope } = this.#chain;
    const words = [`AWS4-HMAC-SHA256-${what}`, amzDate, scope, this.#previous, covered].join('\n');
    this.#previous = createHmac('sha256', this.#key).update(words).digest('hex');
    return this.#previous;
  }
}

/** Reads an answer to its end, holding none of it that is long, and compares it with what it should be. */
async function receive(socket: Socket): Promise<Omit<Transferred, 'seconds' | 'cpuSeconds'> & { readonly firstAtMs: number }> {
  let head = '';
  let length = 0;
  let bytes = 0;
  let firstAtMs = 0;
  let wrongAt: number | undefined;
  const short: Buffer[] = [];
  let held = Buffer.alloc(0);
  const take = (piece: Buffer): void => {
    if (length > SHORT_BYTES) {
      const end = bytes + piece.length;
      for (let at = bytes, i = 0; at < end && wrongAt === undefined; at += WRITE_BYTES, i += WRITE_BYTES) {
        const size = Math.min(WRITE_BYTES, end - at);
        if (!contentAt(at, size).equals(piece.subarray(i, i + size))) wrongAt = at;
      }
    } else short.push(piece);
    bytes += piece.length;
  };
  for await (const piece of socket as AsyncIterable<Buffer>) {
    let rest = piece;
    if (head === '') {
      held = Buffer.concat([held, piece]);
      const at = held.indexOf('\r\n\r\n');
      if (at < 0) continue;
      head = held.toString('latin1', 0, at);
      rest = held.subarray(at + 4);
      length = Number(/\r\ncontent-length: ?(\d+)/i.exec(head)?.[1] ?? 0);
      firstAtMs = performance.now();
    }
    take(rest);
    if (bytes >= length) break;
  }
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0);
  return { status, head, body: Buffer.concat(short).toString(), bytes, firstAtMs, ...(wrongAt === undefined ? {} : { wrongAt }) };
}

async function transfer({ to, head, upload }: Transfer): Promise<Transferred> {
  const socket = await open(to);
  socket.on('error', () => undefined);
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  socket.write(head, 'latin1');
  const answer = receive(socket);
  if (upload !== undefined) await send(new Writer(socket, upload.leavesAfter ?? Number.POSITIVE_INFINITY), upload);
  if (upload?.leavesAfter !== undefined) {
    socket.destroy();
    // Whoever leaves has no answer.
    await answer.catch(() => undefined);
    return { status: 0, head: '', body: '', bytes: 0, seconds: 0, cpuSeconds: 0 };
  }
  const { firstAtMs, ...received } = await answer;
  const { user, system } = process.cpuUsage(cpu);
  const sinceMs = upload === undefined ? firstAtMs : startedMs;
  return { ...received, seconds: (performance.now() - sinceMs) / 1000, cpuSeconds: (user + system) / 1e6 };
}

if (import.meta.main) {
  const done = await transfer(JSON.parse(await text(process.stdin)) as Transfer);
  process.stdout.write(`${JSON.stringify(done)}\n`);
  process.exit(0);
}
