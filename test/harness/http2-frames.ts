import { connect, type TLSSocket } from 'node:tls';
import type { Held } from '#dial.ts';

/** HTTP/2 as no client library would send it: frames by hand (RFC 9113), header blocks without compression (RFC 7541). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const [DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE, CONTINUATION] = [0, 1, 3, 4, 8, 9];
const END_HEADERS = 4;
const CANCEL = 8;
const MAX_PAYLOAD = 16_384;
const FRAME_HEADER = 9;

/** The preface with empty SETTINGS. */
export const HELLO = Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]);

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(FRAME_HEADER);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** RFC 7541, 5.1: an integer after a prefix of seven bits. */
function lengthOf(bytes: number): Buffer {
  if (bytes < 127) return Buffer.from([bytes]);
  const out = [127];
  let rest = bytes - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  return Buffer.from([...out, rest]);
}
function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([lengthOf(bytes.length), bytes]);
}
const field = (name: string, value: string | Buffer) => Buffer.concat([Buffer.from([0]), text(name), text(value)]);

export type Fields = readonly (readonly [name: string, value: string | Buffer])[];

/** A gRPC call's headers, in as many frames as they take. */
export function callFrames(stream: number, path: string, metadata: Readonly<Record<string, Buffer>> = {}): Buffer {
  return headFrames(stream, [
    [':method', 'POST'],
    [':scheme', 'https'],
    [':path', path],
    [':authority', 'postern.internal'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ...Object.entries(metadata),
  ]);
}

/** The head of a stream whose body is to follow. */
export function headFrames(stream: number, fields: Fields): Buffer {
  const block = Buffer.concat(fields.map(([name, value]) => field(name, value)));
  const frames: Buffer[] = [];
  for (let at = 0; at < block.length; at += MAX_PAYLOAD) {
    const isLast = at + MAX_PAYLOAD >= block.length;
    frames.push(frame(at === 0 ? HEADERS : CONTINUATION, isLast ? END_HEADERS : 0, stream, block.subarray(at, at + MAX_PAYLOAD)));
  }
  return Buffer.concat(frames);
}

/** Some of the body of a stream that goes on, in as many frames as it takes. */
export function dataFrames(stream: number, body: Buffer): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < body.length; at += MAX_PAYLOAD) frames.push(frame(DATA, 0, stream, body.subarray(at, at + MAX_PAYLOAD)));
  return Buffer.concat(frames);
}

export const resetFrame = (stream: number, code = CANCEL): Buffer => frame(RST_STREAM, 0, stream, uint32(code));
export const windowFrame = (stream: number, bytes: number): Buffer => frame(WINDOW_UPDATE, 0, stream, uint32(bytes));

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A connection after its TLS handshake, with the preface sent; what it is sent is thrown away. Rejects where it is refused. */
export function openHttp2(to: { readonly port: number; readonly serverName: string; readonly held?: Held }): Promise<TLSSocket> {
  const { port, serverName, held } = to;
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: serverName,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    ...(held === undefined ? {} : { key: held.privateKeyPem, cert: held.certificatePem }),
  });
  return new Promise((resolve, reject) => {
    socket.on('error', reject).on('close', () => reject(new Error('closed')));
    socket.once('secureConnect', () => {
      socket.resume();
      socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), frame(SETTINGS, 1, 0)]));
      resolve(socket);
    });
  });
}
