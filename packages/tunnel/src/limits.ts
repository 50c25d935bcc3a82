import { limits } from '@postern/limits';

/** Every number that bounds a tunnel or a session, in one place. */
export const tunnelLimits = {
  /** The largest frame on a byte stream; a larger write is cut. */
  maxFrameBytes: 64 * 1024,
  /** Bytes handed to gRPC and not yet taken by HTTP/2; beyond it the writer waits. */
  maxInFlightBytes: 256 * 1024,
  /** HTTP/2 windows: 8 MiB carries 77 MB/s at 50 ms of round trip, the default 64 KiB 0.7 MB/s. */
  windowBytes: 8 * 1024 * 1024,
  /** Where the streams of sessions and tunnels begin; they grow to the one above as the path needs it. */
  streamWindowBytes: 256 * 1024,
  maxMetadataBytes: limits.grpcMetadataBytes,
  maxMessageBytes: limits.grpcMessageBytes,
  requestMs: limits.grpcRequestMs,
  strangerMessageBytes: limits.strangerMessageBytes,
  strangerRequestMs: limits.strangerRequestMs,
  strangerCalls: limits.strangerCalls,
  streamsPerConnection: limits.streamsPerConnection,
  /** At a proxy's tunnel door, for agents and for other proxies: a Carry stream each session. Both ends go by it. */
  streamsPerTunnelConnection: 1_000,
  connectionsPerAgent: limits.connectionsPerAgent,
  /** What one agent, or one other proxy, may keep open towards one proxy, idle and busy together. */
  carriesPerAgent: 4_000,
  idleCarriesPerAgent: 8,
  handshakeMs: limits.handshakeMs,
  /** TLS handshakes of a tunnel door, or of auth, under way: 40 kB each. */
  handshakesAtOnce: 1_024,
  handshakesWaiting: 10_000,
  /** A handshake takes a few round trips; one that lasts longer gives way to one that waits. */
  handshakeGiveWayMs: 2_000,
  /** Between the dials of one channel; half as much again and no more by chance. */
  redialFirstMs: 500,
  redialMs: 5_000,
  helloMs: 10_000,
  /** An agent's patience with a proxy. Where thousands come back at once, whoever turns away just before his turn has to begin again. */
  answerMs: 30_000,
  /** As long waits at the tunnel door whoever has no turn yet. */
  handshakeTurnMs: 25_000,
  keepaliveMs: 15_000,
  keepaliveTimeoutMs: 10_000,
  /** Of a server whose clients say something by themselves: only what they forgot to close is found by it. */
  keepaliveOfWatchedMs: 40_000,
  /** PINGs of an agent: what an idle proxy does is to answer them. A segment that is lost is sent again after 6 and 12.6 s, and still counts. */
  heartbeatMs: 15_000,
  silenceMs: 30_000,
  /** What a proxy may ask of agents that it loses, and what many may be asked to add to the time between two of what they say again and again. */
  maxSpreadMs: 30_000,
  /** What auth may ask of those that watch it: they come after the tunnels, and nobody waits for them. */
  maxWatchSpreadMs: 45_000,
  /** What one agent that attaches takes of a proxy's processor, with room for the people who come meanwhile. */
  attachMs: 4.5,
  dialMs: 5_000,
  /** A stream whose peer takes nothing for so long while bytes wait is reset. */
  stallMs: limits.stallMs,
} as const;

export type TunnelLimits = { readonly [K in keyof typeof tunnelLimits]: number };
