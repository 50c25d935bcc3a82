import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Duplex } from 'node:stream';
import { Server, type ServerOptions } from '@grpc/grpc-js';
import type { ServedService, ServerSurfaceCall } from '@postern/api';
import { checkGrpcInternals, createWideInjector } from '#grpc-internals.ts';
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
  /** Decides on a connection after its handshake: false closes it. The place for limits per certificate. */
  readonly admit?: (connection: GrpcConnection) => boolean;
  readonly onHandshakeFailed?: (error: Error, remoteAddress: string) => void;
}

export interface GrpcTlsServer {
  /** Takes a raw connection (a net.Socket or any Duplex), ends TLS on it and serves gRPC. */
  acceptSocket(raw: Duplex, from: { readonly remoteAddress: string }): void;
  /** Takes a connection whose TLS a tls.Server has ended and verified. */
  acceptSecure(socket: TLSSocket, from: { readonly remoteAddress: string }): void;
  /** Same as the free function. */
  peerOf(call: ServerSurfaceCall): Peer;
  /** A renewed certificate or another CA list, for the handshakes that follow. */
  setTls(tls: TlsOptions): void;
  readonly connectionCount: number;
  /** Streams get `graceMs` to end; then connections are closed. */
  stop(options?: { readonly graceMs?: number }): Promise<void>;
}

/** Who is at the far end of a call, as TLS proved it. Works for every call served through a GrpcTlsServer. */
export function peerOf(call: ServerSurfaceCall): Peer {
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
  const server = new Server({
    'grpc.enable_channelz': 0,
    'grpc.max_receive_message_length': tunnelLimits.maxMessageBytes,
    'grpc.max_concurrent_streams': tunnelLimits.streamsPerConnection,
    'grpc.keepalive_time_ms': tunnelLimits.keepaliveMs,
    'grpc.keepalive_timeout_ms': tunnelLimits.keepaliveTimeoutMs,
    ...options.grpcOptions,
  });
  for (const { definition, implementation } of options.services) server.addService(definition, implementation);
  const { injector, sessions } = createWideInjector(server);
  const addresses = new WeakMap<object, string>();
  const open = new Set<Duplex>();
  let stopped = false;

  const tls = createServer({ handshakeTimeout: tunnelLimits.handshakeMs, ...options.tls, ALPNProtocols: ['h2'] });
  tls.on('tlsClientError', (error, socket) => {
    options.onHandshakeFailed?.(error, addresses.get(rawOf(socket)) ?? 'unknown');
    // Node reports a handshake that took too long and leaves the socket open.
    socket.destroy();
  });
  tls.on('secureConnection', (socket) => serve(socket, addresses.get(rawOf(socket)) ?? 'unknown'));

  function serve(socket: TLSSocket, remoteAddress: string): void {
    socket.on('error', () => socket.destroy());
    const { raw } = socket.getPeerCertificate();
    // Where certificates are optional Node goes on with one that did not verify. It is not the same as none.
    const unverified = raw !== undefined && !socket.authorized;
    // A resumed session is accepted after the certificate has expired.
    if (stopped || unverified || socket.isSessionReused()) return void socket.destroy();
    const connection: GrpcConnection = {
      certificateDer: socket.authorized ? raw : undefined,
      remoteAddress,
      destroy: () => socket.destroy(),
      onClose: (listener) => void socket.once('close', listener),
    };
    if (options.admit?.(connection) === false) return void socket.destroy();
    socket.setNoDelay(true);
    // What grpc-js reads for getPeer(). A socket out of a tunnel has no address of its own.
    Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress });
    Object.defineProperty(socket, 'remotePort', { value: undefined });
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    injector.injectConnection(socket);
  }

  return {
    acceptSocket(raw, from) {
      raw.on('error', () => raw.destroy());
      if (stopped) return void raw.destroy();
      addresses.set(raw, from.remoteAddress);
      tls.emit('connection', raw);
    },
    acceptSecure: (socket, from) => serve(socket, from.remoteAddress),
    peerOf,
    setTls: (next) => tls.setSecureContext(next),
    get connectionCount() {
      return open.size;
    },
    async stop({ graceMs = 0 } = {}) {
      stopped = true;
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

/** The connection that a TLSSocket of a tls.Server was made from: Node keeps it, wrapped where it is no net.Socket. */
function rawOf(socket: TLSSocket): object {
  const parent = (socket as unknown as { _parent?: { stream?: object } })._parent;
  return parent?.stream ?? parent ?? socket;
}
