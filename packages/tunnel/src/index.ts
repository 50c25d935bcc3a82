export { type Backoff, fullJitterBackoff } from '#backoff.ts';
export { type ByteCall, ByteStream, type ByteStreamOptions, byteStream } from '#byte-stream.ts';
export { checkGrpcInternals, wideChannelOptions, widenSession } from '#grpc-internals.ts';
export {
  createGrpcTlsServer,
  type GrpcConnection,
  type GrpcTlsServer,
  type GrpcTlsServerOptions,
  type Peer,
  peerOf,
} from '#grpc-tls-server.ts';
export { type TunnelLimits, tunnelLimits } from '#limits.ts';
