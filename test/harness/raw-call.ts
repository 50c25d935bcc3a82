import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Held } from '#dial.ts';

/** Where a call is made, and from which address of this machine: auth counts and limits strangers by address. */
export interface RawDoor {
  readonly port: number;
  readonly serverName: string;
  readonly hostCaPems: readonly string[];
  readonly held?: Held | undefined;
  readonly localAddress?: string;
}

/** What came of one call, as it stood on the wire. */
export interface RawAnswer {
  /** `answered`: a message or an OK; `status`: gRPC's number; `cut`: TLS or the connection ended first; `silent`: nothing in time. */
  readonly kind: 'answered' | 'status' | 'cut' | 'silent';
  readonly status: number | undefined;
  /** Our own code beside it, '' where none was sent. */
  readonly code: string;
  readonly details: string;
  /** The first bytes of the answer's body, frame header included. */
  readonly body: Buffer;
}

export interface RawRequest {
  readonly path: string;
  /** Messages, each sent in a frame of its own; none for a call that opens and waits. */
  readonly messages?: readonly Uint8Array[];
  /** Bytes instead of messages, framed by nobody. */
  readonly bytes?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** False leaves the client's half open. */
  readonly end?: boolean;
  readonly waitMs?: number;
}

export function grpcFrame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** One TLS connection and HTTP/2 on it, by Node alone: no gRPC library stands between an attacker and the wire. */
export class RawChannel {
  readonly #session: ClientHttp2Session;
  readonly #socket: TLSSocket;

  private constructor(session: ClientHttp2Session, socket: TLSSocket) {
    this.#session = session;
    this.#socket = socket;
  }

  /** Resolves as soon as there is something to call on; a handshake that fails shows in the calls. */
  static open({ port, serverName, hostCaPems, held, localAddress }: RawDoor): RawChannel {
    const socket = connectTls({
      host: '127.0.0.1',
      port,
      servername: serverName,
      ca: [...hostCaPems],
      ALPNProtocols: ['h2'],
      checkServerIdentity: () => undefined,
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(held === undefined ? {} : { key: held.privateKeyPem, cert: held.certificatePem }),
    });
    socket.on('error', () => undefined);
    const session = connect(`https://${serverName}`, { createConnection: () => socket });
    session.on('error', () => undefined);
    return new RawChannel(session, socket);
  }

  get isOpen(): boolean {
    return !this.#session.closed && !this.#session.destroyed && !this.#socket.destroyed;
  }

  /** When the far end has closed the connection. */
  closed(): Promise<void> {
    return this.#socket.destroyed ? Promise.resolve() : new Promise((resolve) => this.#socket.once('close', () => resolve()));
  }

  call({ path, messages = [], bytes, headers = {}, end = true, waitMs = 3_000 }: RawRequest): Promise<RawAnswer> {
    return new Promise((resolve) => {
      const settle = (kind: RawAnswer['kind'], body: Buffer = Buffer.alloc(0), head?: IncomingHttpHeaders) => {
        clearTimeout(timer);
        this.#socket.off('close', onCut);
        const text = (name: string) => String(head?.[name] ?? '');
        const status = head?.['grpc-status'];
        resolve({
          kind,
          status: status === undefined ? undefined : Number(status),
          code: text('postern-error'),
          details: decodeURIComponent(text('grpc-message')),
          body,
        });
        stream?.on('error', () => undefined).close();
      };
      const onCut = () => settle('cut');
      const timer = setTimeout(() => settle('silent'), waitMs);
      this.#socket.once('close', onCut);
      if (!this.isOpen) {
        settle('cut');
        return;
      }
      const stream = this.#session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      });
      const onHead = (head: IncomingHttpHeaders) => {
        if (head['grpc-status'] !== undefined) settle(head['grpc-status'] === '0' ? 'answered' : 'status', undefined, head);
        else if (head[':status'] !== '200' && Number(head[':status']) !== 200) settle('status', undefined, head);
      };
      stream.on('response', onHead).on('trailers', onHead);
      stream.on('data', (chunk: Buffer) => settle('answered', chunk));
      stream.on('error', () => setTimeout(() => settle(this.isOpen ? 'status' : 'cut'), 20));
      for (const message of messages) stream.write(grpcFrame(message));
      if (bytes !== undefined) stream.write(bytes);
      if (end) stream.end();
    });
  }

  close(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }
}
