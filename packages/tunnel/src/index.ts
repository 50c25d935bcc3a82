export { type Backoff, fullJitterBackoff, spreadMs } from '#backoff.ts';
export { ByteStream, type ByteStreamOptions, byteStream } from '#byte-stream.ts';
export { checkGrpcInternals, ClosingClient, wideChannelOptions, widenSession } from '#grpc-internals.ts';
export {
  createGrpcTlsServer,
  type GrpcConnection,
  type GrpcTlsServer,
  type GrpcTlsServerOptions,
  type Origin,
  type Peer,
  peerOf,
} from '#grpc-tls-server.ts';
export type { HandshakeQueueOptions } from '#handshake-queue.ts';
export { joinStreams } from '#join-streams.ts';
export { type TunnelLimits, tunnelLimits } from '#limits.ts';
export { callUnaryOver } from '#raw-call/call-unary-over.ts';
export { RawConnection, type RawConnectionOptions } from '#raw-call/raw-connection.ts';
export { ServerRawCall } from '#raw-call/server-raw-call.ts';
export { limitResets } from '#reset-limit.ts';
export { lineNameOf } from '#reverse/line-hello.ts';
export { AGENT_ID_KEY } from '#reverse/peer-door.ts';
export { type PeerStatus, PeerTunnel, type PeerTunnelOptions } from '#reverse/peer-tunnel.ts';
export { type ProxyStatus, ReverseTunnelClient, type ReverseTunnelClientOptions } from '#reverse/tunnel-client.ts';
export { type DialOptions, ReverseTunnelServer, type ReverseTunnelServerOptions } from '#reverse/tunnel-server.ts';
export { type DialInfo, TUNNEL_SERVER_NAME, type TunnelCredentials } from '#reverse/tunnel-session.ts';
export { youngMemory } from '#young-memory.ts';
