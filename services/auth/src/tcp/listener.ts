import type { X509Certificate } from 'node:crypto';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { ServedService } from '@postern/api';
import { limits } from '@postern/limits';
import { type HostIdentityMaterial, serverTlsOptions } from '@postern/pki';
import { createGrpcTlsServer, type GrpcConnection, type GrpcTlsServer, tunnelLimits } from '@postern/tunnel';
import type { Authorities } from '#authorities/authorities.ts';
import { anonymousLimit } from '#tcp/anonymous-limit.ts';
import type { Callers } from '#tcp/callers.ts';
import { readClientAddress } from '#tcp/read-client-address.ts';
import { quietMs } from '#watch/watch-cost.ts';

export interface ListenerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly identity: HostIdentityMaterial;
  readonly authorities: Authorities;
  readonly services: readonly ServedService[];
  readonly callers: Callers;
  readonly routeKeys: () => readonly Buffer[];
  /** A certificate that TLS or the identity check did not accept; told, not logged here. */
  readonly onRefused: (refusal: { readonly address: string; readonly reason: string }) => void;
}
export interface Listener {
  readonly address: { readonly host: string; readonly port: number };
  /** Past their handshake. */
  readonly connectionCount: number;
  renewIdentity(identity: HostIdentityMaterial): void;
  stop(): Promise<void>;
}

const HEADER_TIMEOUT_MS = limits.headerMs;
const MAX_BEFORE_HANDSHAKE = 2000;
/** A client with nothing to ask is closed; watches have heartbeats and stay. */
const IDLE_MS = 10 * 60_000;
const GRACE_MS = 2000;
/** Connections of which each is asked as soon as it is silent. */
const ASKED_OFTEN = 1_500;
/** A watch or two that are withdrawn; anybody may call here. */
const RESETS = { atOnce: 100, perSecond: 10 };

/** Auth's one port: an optional PROXY header, then TLS with a client certificate where there is one, then gRPC. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const grpc = createGrpcTlsServer({
    tls: tlsOptions(options, options.identity),
    services: options.services,
    grpcOptions: {
      'grpc.max_connection_idle_ms': IDLE_MS,
      'grpc.max_send_message_length': limits.grpcMessageBytes,
    },
    // Hosts that watch have nothing to say for minutes. What one held that vanished is given back within a minute; with thousands of them each
    // PING is felt by the proxy in between as well, and what they announce again and again then comes before they are asked.
    keepalive: {
      everyMs: () => tunnelLimits.keepaliveOfWatchedMs + (grpc.connectionCount > ASKED_OFTEN ? 6 * quietMs(grpc.connectionCount) : 0),
      timeoutMs: tunnelLimits.keepaliveTimeoutMs,
    },
    // Thousands of agents that come back at once come in turns; without, none of them and no person gets an answer for seconds.
    handshakes: { atOnce: tunnelLimits.handshakesAtOnce },
    resets: RESETS,
    admit: admission(options),
    onHandshakeFailed: (error, address) => options.onRefused({ address, reason: `handshake failed: ${error.message}` }),
  });
  let waiting = 0;
  const server = createServer({ pauseOnConnect: false }, (socket) => {
    socket.on('error', () => socket.destroy());
    if (waiting >= MAX_BEFORE_HANDSHAKE) return void socket.destroy();
    waiting++;
    void acceptSocket(socket, { grpc, keys: options.routeKeys }).finally(() => waiting--);
  });
  await bind(server, options.listen);
  const bound = server.address() as AddressInfo;
  return {
    address: { host: bound.address, port: bound.port },
    get connectionCount() {
      return grpc.connectionCount;
    },
    renewIdentity: (identity) => grpc.setTls(tlsOptions(options, identity)),
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await grpc.stop({ graceMs: GRACE_MS });
      await closed;
    },
  };
}

async function acceptSocket(socket: Socket, to: { readonly grpc: GrpcTlsServer; readonly keys: () => readonly Buffer[] }): Promise<void> {
  const remoteAddress = await readClientAddress(socket, { keys: to.keys, timeoutMs: HEADER_TIMEOUT_MS });
  if (remoteAddress === undefined) return void socket.destroy();
  to.grpc.acceptSocket(socket, { remoteAddress });
}

/** No certificate is anonymous, and so many of those a network may have; a certificate that is not ours is no certificate at all. */
function admission(options: ListenerOptions): (connection: GrpcConnection, certificate: X509Certificate | undefined) => boolean {
  const admitAnonymous = anonymousLimit({ nowMs: () => performance.now() });
  return (connection, certificate) => {
    const { certificateDer, remoteAddress } = connection;
    if (certificateDer === undefined) return admitAnonymous(connection);
    try {
      options.callers.check(certificateDer, certificate);
      return true;
    } catch (error) {
      options.onRefused({ address: remoteAddress, reason: error instanceof Error ? error.message : 'the certificate cannot be read' });
      return false;
    }
  };
}

function tlsOptions(options: ListenerOptions, identity: HostIdentityMaterial) {
  const { authorities } = options;
  return serverTlsOptions({
    identity,
    clientCas: [...authorities.trustedPems('host'), ...authorities.trustedPems('user')],
    requestCert: true,
    // No certificate is welcome; one that does not verify is closed by the gRPC server behind.
    rejectUnauthorized: false,
  });
}

function bind(server: Server, at: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...at, backlog: limits.listenBacklog }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
