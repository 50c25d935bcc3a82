import { createServer, connect, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { Client, credentials } from '@grpc/grpc-js';
import { AgentSession, type ServedService } from '@postern/api';
import { wideChannelOptions } from '#grpc-internals.ts';
import type { RawCall } from '#raw-call/raw-call.ts';
import { RawConnection } from '#raw-call/raw-connection.ts';
import { ServerRawCall } from '#raw-call/server-raw-call.ts';
import { createGrpcTlsServer, type GrpcTlsServer, type GrpcTlsServerOptions } from '#grpc-tls-server.ts';
import { testAuthority } from '#testing/certificates.ts';

export const authority = testAuthority();
const serverIdentity = authority.issue('server.test');
const clientIdentity = authority.issue('client.test');

export interface SessionPair {
  readonly server: GrpcTlsServer;
  /** The same server as grpc-js reaches it. */
  readonly client: Client;
  readonly connection: RawConnection;
  readonly port: number;
  readonly open: () => RawCall;
  stop(): Promise<void>;
}

/** A real gRPC server over TLS on loopback, its `connect` handled by `serve`, and a client with a certificate. */
export async function sessionPair(
  serve: (call: ServerRawCall) => void,
  options: { readonly delayMs?: number; readonly server?: Partial<GrpcTlsServerOptions> } = {},
): Promise<SessionPair> {
  const server = createGrpcTlsServer({
    tls: { ...serverIdentity, ca: authority.caPem, requestCert: true, rejectUnauthorized: true },
    services: [connectService(serve)],
    ...options.server,
  });
  const listener = createServer((socket) => server.acceptSocket(socket, { remoteAddress: `${socket.remoteAddress}:${socket.remotePort}` }));
  const inner = await listen(listener);
  const relay = options.delayMs === undefined ? undefined : delayRelay(inner, options.delayMs);
  const port = relay ? await listen(relay) : inner;
  const client = connectClient(port);
  const connection = new RawConnection({
    address: `127.0.0.1:${port}`,
    serverName: 'server.test',
    context: { ca: authority.caPem, ...clientIdentity },
    checkServer: () => undefined,
  });
  await connection.ready;
  return {
    server,
    client,
    connection,
    port,
    open: () => connection.open(AgentSession.connect.path),
    async stop() {
      client.close();
      connection.end();
      await server.stop();
      listener.close();
      relay?.close();
    },
  };
}

export function connectService(serve: (call: ServerRawCall) => void): ServedService {
  return {
    definition: { connect: AgentSession.connect },
    implementation: {},
    rawCalls: new Map([[AgentSession.connect.path, (call) => serve(ServerRawCall.of(call))]]),
  };
}

export function connectClient(port: number): Client {
  const context = createSecureContext({ ca: authority.caPem, cert: clientIdentity.cert, key: clientIdentity.key });
  return new Client(
    `127.0.0.1:${port}`,
    credentials.createFromSecureContext(context),
    wideChannelOptions({ 'grpc.ssl_target_name_override': 'server.test' }),
  );
}

export function listen(server: NetServer, port = 0): Promise<number> {
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}

/** Holds every byte back for `delayMs`, each way, without limiting how many are on the way: a long wire. */
export function delayRelay(target: number, delayMs: number): NetServer {
  return createServer((near) => {
    const far = connect(target, '127.0.0.1');
    near.setNoDelay(true);
    far.setNoDelay(true);
    pump(near, far, delayMs);
    pump(far, near, delayMs);
  });
}

function pump(from: Socket, to: Socket, delayMs: number): void {
  from.on('data', (bytes) => setTimeout(() => to.write(bytes), delayMs));
  from.on('end', () => setTimeout(() => to.end(), delayMs));
  from.on('error', () => to.destroy());
  from.on('close', () => setTimeout(() => to.destroy(), delayMs));
}
