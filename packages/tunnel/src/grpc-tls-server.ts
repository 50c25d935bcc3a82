import type { X509Certificate } from 'node:crypto';
import type { ServerHttp2Session } from 'node:http2';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Duplex } from 'node:stream';
import { Server as GrpcServer, type ServerOptions } from '@grpc/grpc-js';
import type { CallOrigin, PosternError, ServedService } from '@postern/api';
import { checkGrpcInternals, createWideInjector } from '#grpc-internals.ts';
import { ReceiveWindow } from '#raw-call/receive-window.ts';
import type { ServedConnection } from '#raw-call/server-raw-call.ts';
import { serveRawCalls } from '#raw-call/serve-raw-calls.ts';
import { sayAndEnd } from '#last-words.ts';
import { HandshakeQueue, type HandshakeQueueOptions } from '#handshake-queue.ts';
import { Keepalive, type KeepaliveOptions } from '#keepalive.ts';
import { type ResetLimit, limitResets } from '#reset-limit.ts';
import { tunnelLimits } from '#limits.ts';

export interface Peer {
  /** The certificate that TLS verified against the server's CA list; absent where the client sent none. */
  readonly certificateDer: Buffer | undefined;
  /** host:port as given to acceptSocket; 'unknown' where nothing was given. */
  readonly remoteAddress: string;
}

export interface GrpcConnection extends Peer {
  /** Closes the connection with everything on it. */
  readonly destroy: () => void;
  readonly onClose: (listener: () => void) => void;
}

export interface GrpcTlsServerOptions {
  /** key, cert, ca, requestCert, rejectUnauthorized …; ALPN is set here. */
  readonly tls: TlsOptions;
  readonly services: readonly ServedService[];
  readonly grpcOptions?: ServerOptions;
  /**
   * Decides on a connection after its handshake: false closes it, an error does and tells the peer why. The place for limits per certificate,
   * which is given as Node has read it too: whoever needs that need not read it anew, and whoever keeps it keeps several kB.
   */
  readonly admit?: (connection: GrpcConnection, certificate: X509Certificate | undefined) => boolean | PosternError;
  /** Paces handshakes; without it each begins at once. */
  readonly handshakes?: HandshakeQueueOptions;
  /** For peers that are silent; every 15 s where nothing is said. */
  readonly keepalive?: KeepaliveOptions;
  /** Of calls that end in a reset; without it as many as nghttp2 lets pass, which is for peers that have proven who they are. */
  readonly resets?: ResetLimit;
  readonly onHandshakeFailed?: (error: Error, remoteAddress: string) => void;
}

export interface Origin {
  /** host:port of whoever is at the far end. */
  readonly remoteAddress: string;
  /** Called when the handshake is done and the connection was admitted. */
  readonly onSecure?: () => void;
}

export interface GrpcTlsServer {
  /** Takes a raw connection (a net.Socket or any Duplex), ends TLS on it and serves gRPC. */
  acceptSocket(raw: Duplex, from: Origin): void;
  /** Takes a connection whose TLS a tls.Server has ended and verified. */
  acceptSecure(socket: TLSSocket, from: Origin): void;
  /** Same as the free function. */
  peerOf(call: CallOrigin): Peer;
  /** A renewed certificate or another CA list, for the handshakes that follow. */
  setTls(tls: TlsOptions): void;
  readonly connectionCount: number;
  readonly handshakes: { readonly running: number; readonly waiting: number };
  /** Streams get `graceMs` to end; then connections are closed. */
  stop(options?: { readonly graceMs?: number }): Promise<void>;
}

/** Who is at the far end of a call, as TLS proved it. Works for every call served through a GrpcTlsServer. */
export function peerOf(call: CallOrigin): Peer {
  const { sslPeerCertificate } = call.getAuthContext();
  return { certificateDer: sslPeerCertificate?.raw, remoteAddress: call.getPeer() };
}

/**
 * A gRPC server behind a tls.Server of our own, so that connections may come from anywhere: a listener, a peeked
 * socket, a stream out of a tunnel. grpc-js's own TLS accepts sockets only, gives a stalled handshake 120 s, and
 * has no place for limits.
 */
export function createGrpcTlsServer(options: GrpcTlsServerOptions): GrpcTlsServer {
  checkGrpcInternals();
  const server = new GrpcServer({
    'grpc.enable_channelz': 0,
    'grpc.max_receive_message_length': tunnelLimits.maxMessageBytes,
    'grpc.max_concurrent_streams': tunnelLimits.streamsPerConnection,
    ...options.grpcOptions,
  });
  for (const { definition, implementation } of options.services) server.addService(definition, implementation);
  const rawCalls = new Map(options.services.flatMap((service) => [...(service.rawCalls ?? [])]));
  // Where no bytes are carried nothing would make the windows grow: there they are wide from the start.
  const streamWindowBytes = rawCalls.size > 0 ? tunnelLimits.streamWindowBytes : tunnelLimits.windowBytes;
  const { injector, http2Server, sessions } = createWideInjector(server, { streamWindowBytes, countsResets: options.resets === undefined });
  const open = new Set<Duplex>();
  // What TLS proved is read once a connection: getPeerCertificate takes longer than a whole small request.
  const served = new WeakMap<ServerHttp2Session, ServedConnection>();
  const keepalive = new Keepalive(
    options.keepalive ?? { everyMs: () => tunnelLimits.keepaliveMs, timeoutMs: tunnelLimits.keepaliveTimeoutMs },
  );
  let injected: (Peer & { readonly socket: TLSSocket }) | undefined;
  http2Server.on('session', (session: ServerHttp2Session) => {
    if (injected === undefined) return;
    const { certificateDer, remoteAddress, socket } = injected;
    const origin = {
      getPeer: () => remoteAddress,
      getAuthContext: () => (certificateDer === undefined ? {} : { sslPeerCertificate: { raw: certificateDer } }),
    };
    const window = new ReceiveWindow(session, tunnelLimits);
    served.set(session, { origin, isStranger: certificateDer === undefined, window, calls: 0 });
    keepalive.watch(session, socket);
    if (rawCalls.size > 0) session.once('remoteSettings', () => window.sample());
    if (options.resets) limitResets(session, options.resets);
  });
  serveRawCalls(http2Server, {
    handlers: rawCalls,
    gates: new Map(options.services.flatMap((service) => [...(service.gates ?? [])])),
    connectionOf: (session) => served.get(session),
  });
  const queue = new HandshakeQueue(options.handshakes ?? { atOnce: Number.POSITIVE_INFINITY });
  let stopped = false;

  const tls = createServer({ handshakeTimeout: tunnelLimits.handshakeMs, ...options.tls, ALPNProtocols: ['h2'] });

  function serve(socket: TLSSocket, { remoteAddress, onSecure }: Origin): void {
    socket.on('error', () => socket.destroy());
    const certificate = socket.getPeerX509Certificate();
    const raw = certificate?.raw;
    // Where certificates are optional Node goes on with one that did not verify. It is not the same as none.
    const unverified = raw !== undefined && !socket.authorized;
    if (stopped) return void socket.destroy();
    // A resumed session is accepted after the certificate has expired.
    if (unverified || socket.isSessionReused()) {
      const reason = unverified ? `the certificate does not verify: ${verificationError(socket)}` : 'a resumed TLS session';
      options.onHandshakeFailed?.(new Error(reason), remoteAddress);
      return void socket.destroy();
    }
    const connection: GrpcConnection = {
      certificateDer: socket.authorized ? raw : undefined,
      remoteAddress,
      destroy: () => socket.destroy(),
      onClose: (listener) => void socket.once('close', listener),
    };
    const admitted = options.admit?.(connection, connection.certificateDer && certificate) ?? true;
    if (admitted === false) return void socket.destroy();
    socket.setNoDelay(true);
    if (admitted !== true) return sayAndEnd(socket, admitted);
    // What grpc-js reads for getPeer(). A socket out of a tunnel has no address of its own.
    Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress });
    Object.defineProperty(socket, 'remotePort', { value: undefined });
    // It asks for this with each call, and OpenSSL's answer takes longer than a whole small request.
    Object.defineProperty(socket, 'getPeerCertificate', { value: () => ({ raw }) });
    // HTTP/2 knows no half-close, and Node's does not look for one: where the connection below allows it, as a peeked socket or a
    // stream out of a tunnel does, a killed peer would be missed for as long as keepalive takes.
    socket.once('end', () => socket.destroy());
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    onSecure?.();
    injected = { ...connection, socket };
    injector.injectConnection(socket);
    injected = undefined;
  }

  return {
    acceptSocket(raw, from) {
      raw.on('error', () => raw.destroy());
      if (stopped) return void raw.destroy();
      const refused = (error: Error) => options.onHandshakeFailed?.(error, from.remoteAddress);
      queue.enter(
        raw,
        (turn) => {
          if (stopped) return void raw.destroy();
          endTls(tls, raw, {
            secured: (socket) => {
              turn.over('well');
              serve(socket, from);
            },
            failed: (error, socket) => {
              if (turn.over('badly')) refused(error);
              // Node reports a handshake that took too long and leaves the socket open.
              socket.destroy();
            },
          });
        },
        refused,
      );
    },
    acceptSecure: (socket, from) => serve(socket, from),
    peerOf,
    setTls: (next) => tls.setSecureContext(next),
    handshakes: queue,
    get connectionCount() {
      return open.size;
    },
    async stop({ graceMs = 0 } = {}) {
      stopped = true;
      keepalive.stop();
      injector.destroy();
      const until = performance.now() + graceMs;
      while (open.size > 0 && performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, Math.min(50, graceMs)));
      }
      for (const session of sessions) session.destroy();
      for (const socket of open) socket.destroy();
      server.forceShutdown();
    },
  };
}

/** Node's types have an Error here, and Node itself a code. */
function verificationError({ authorizationError }: TLSSocket): string {
  const error: unknown = authorizationError;
  return error instanceof Error ? error.message : String(error);
}

interface Outcome {
  readonly secured: (socket: TLSSocket) => void;
  readonly failed: (error: Error, socket: TLSSocket) => void;
}

/**
 * Runs the handshake of one connection as the tls.Server would, and says which connection became which TLSSocket:
 * Node's events do not, where the connection is a Duplex. The server is stood in for by an object that inherits
 * everything from it and hears its events first.
 */
function endTls(server: Server, raw: Duplex, outcome: Outcome): void {
  const heard: Server = Object.create(server, {
    emit: {
      value: (event: string, ...values: unknown[]): boolean => {
        if (event === 'secureConnection') outcome.secured(values[0] as TLSSocket);
        else if (event === 'tlsClientError') outcome.failed(values[0] as Error, values[1] as TLSSocket);
        else return server.emit(event, ...values);
        return true;
      },
    },
  });
  for (const listener of server.listeners('connection')) listener.call(heard, raw);
}
