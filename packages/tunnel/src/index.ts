// The whole surface:
//   byteStream(call: grpc duplex of Buffers): Duplex     a node Duplex over a raw-bytes gRPC stream: frames of at most 64 KiB, write()===false and
//        'drain' obeyed both ways, half-close, abort; has setTimeout, setNoDelay, setKeepAlive so that tls.Server and node:http take it
//   widenSession(call | channel | server socket): void   8 MiB connection and stream windows; grpc-js internals, checked at start-up
//   ReverseTunnelServer (for the proxy), ReverseTunnelClient (for an agent): Attach, Carry, pre-opened carries, heartbeats, drain
//   fullJitterBackoff({baseMs, capMs, random}): delays
export {};
