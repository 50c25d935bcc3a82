import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { X509Certificate } from 'node:crypto';
import { type Caller, Identity, Identity_Kind, implement, services } from '@postern/api';
import { createGrpcTlsServer, peerOf, type GrpcTlsServer } from '#grpc-tls-server.ts';
import { type TunnelLimits, tunnelLimits } from '#limits.ts';
import { ReverseTunnelClient, type ReverseTunnelClientOptions } from '#reverse/tunnel-client.ts';
import type { TunnelCredentials } from '#reverse/tunnel-session.ts';
import { ReverseTunnelServer } from '#reverse/tunnel-server.ts';
import { authority, listen } from '#testing/echo.ts';

const nameOf = (der: Buffer) => new X509Certificate(der).subject.replace('CN=', '');

export interface TestProxy {
  readonly tunnels: ReverseTunnelServer;
  readonly server: GrpcTlsServer;
  readonly address: string;
  readonly sockets: Set<Socket>;
  readonly changes: string[];
  readonly refusals: string[];
  /** Tokens of lines that came, each as hexadecimal digits. */
  readonly lines: string[];
  stop(): Promise<void>;
}

/** `open`: lines are taken; `silent`: they connect, and nobody hears of them; `deaf`: they are taken, and lead nowhere. */
export type LineDoor = 'open' | 'silent' | 'deaf';

/** The tunnel door of a proxy: who calls is the common name of its certificate here, and one that starts with `proxy` is a proxy's. */
export async function testProxy(
  options: { readonly limits?: Partial<TunnelLimits>; readonly proxyId?: string; readonly port?: number; readonly lines?: LineDoor } = {},
): Promise<TestProxy> {
  const lines: string[] = [];
  const changes: string[] = [];
  const refusals: string[] = [];
  const tunnels = new ReverseTunnelServer({
    proxyId: options.proxyId ?? 'proxy-1',
    version: '0.1.0',
    ...(options.limits ? { limits: options.limits } : {}),
    asksForLines: options.lines !== undefined,
    onChange: ({ agentId, state, reason }) => changes.push(`${agentId} ${state}: ${reason}`),
    onRefused: ({ hostId, reason }) => refusals.push(`${hostId}: ${reason}`),
  });
  const identify = (call: Parameters<typeof peerOf>[0]): Caller => {
    const { certificateDer, remoteAddress } = peerOf(call);
    if (!certificateDer) return { kind: 'anonymous', address: remoteAddress };
    const name = nameOf(certificateDer);
    const kind = name.startsWith('proxy') ? Identity_Kind.PROXY : Identity_Kind.DB_AGENT;
    const identity = Identity.create({ kind, name, cluster: 'test' });
    return { kind: 'identified', identity, serial: '1', notAfterMs: Date.now() + 3_600_000, address: remoteAddress };
  };
  const server = createGrpcTlsServer({
    tls: { ...authority.issue('proxy.test'), ca: authority.caPem, requestCert: true, rejectUnauthorized: true },
    services: [implement(services.reverseTunnel, tunnels.handlers, { identify, nowMs: Date.now, onUnexpected: () => undefined })],
    grpcOptions: { 'grpc.max_concurrent_streams': options.limits?.streamsPerTunnelConnection ?? tunnelLimits.streamsPerTunnelConnection },
    handshakes: { atOnce: tunnelLimits.handshakesAtOnce },
    resets: tunnels.resets,
    admit: (connection) => connection.certificateDer !== undefined && tunnels.admit(nameOf(connection.certificateDer), connection),
  });
  const sockets = new Set<Socket>();
  const listener: NetServer = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const from = { remoteAddress: `${socket.remoteAddress}:${socket.remotePort}` };
    if (options.lines === undefined) return server.acceptSocket(socket, from);
    socket.once('readable', () => {
      const head = socket.read() as Buffer | null;
      if (head === null) return void socket.destroy();
      const [, token] = /([0-9a-f]{32})\.line\.postern\.internal/.exec(head.toString('latin1')) ?? [];
      if (token === undefined) {
        socket.unshift(head);
        return server.acceptSocket(socket, from);
      }
      lines.push(token);
      if (options.lines === 'deaf') socket.write = () => true;
      if (options.lines !== 'silent' && !tunnels.acceptLine(token, socket)) socket.destroy();
    });
  });
  const port = await listen(listener, options.port);
  return {
    tunnels,
    server,
    sockets,
    changes,
    refusals,
    lines,
    address: `127.0.0.1:${port}`,
    async stop() {
      tunnels.stop();
      listener.close();
      await server.stop();
    },
  };
}

export function credentialsOf(name: string): TunnelCredentials {
  const { cert, key } = authority.issue(name);
  return {
    context: { ca: authority.caPem, cert, key },
    checkServer: (_host, certificate) => (certificate.subject === 'CN=proxy.test' ? undefined : new Error('not a proxy')),
  };
}

export function testAgent(
  name: string,
  options: Pick<ReverseTunnelClientOptions, 'proxies' | 'onConnection'> & Partial<ReverseTunnelClientOptions>,
): ReverseTunnelClient {
  const credentials = credentialsOf(name);
  return new ReverseTunnelClient({
    version: '0.1.0',
    credentials: () => credentials,
    backoff: { baseMs: 20, capMs: 100 },
    ...options,
  });
}
