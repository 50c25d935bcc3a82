const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

/**
 * What bounds whatever a stranger, a slow peer or a fault could fill or hold: one table, since a number that stands in two places
 * will one day differ in one. What a single file alone needs (how often it looks, how it grows) stays in that file.
 *
 * Each is tested at the number and one past it, in a test whose title holds `[limit NAME]`; test/house holds this table against the
 * titles, and every name must be used by the code.
 */
export const limits = {
  /** An HTTP request's first line and headers together, at every door that reads HTTP. */
  headerBytes: 16 * KIB,
  headerLines: 100,
  /** From the first byte of a connection, or from the end of the request before, to the end of a header. */
  headerMs: 10 * SECOND,
  /** A DynamoDB request: its own limit is 16 MiB; the slack is for the JSON around it. More is 413, and nothing is forwarded. */
  dbBodyBytes: 16 * MIB + 64 * KIB,
  /** Request bodies that an agent holds at once; a body must be whole before it can be hashed. One user may hold half. */
  dbBodiesBytes: 512 * MIB,
  /** A form for an AWS service of whose operations some hand out keys: it must be whole to be understood, or it is refused. */
  awsFormBytes: MIB,
  /**
   * A request to AWS whose signature covers a body that it does not name the hash of: it is held until it is hashed, first in memory,
   * then in a file, and is 413 beyond (a Lambda archive of 50 MB is 70 MB of base64; the largest that AWS takes is 200 MB).
   */
  appHeldInMemoryBytes: 256 * KIB,
  appHeldBytes: 256 * MIB,
  /** All that an application agent holds at once, in memory and in files. One user may hold half. */
  appMemoryBytes: 128 * MIB,
  appFilesBytes: 2048 * MIB,
  /** Kept besides for bodies of up to so much, where all of that is taken: for everybody, and for one user. */
  appSmallBodyBytes: 64 * KIB,
  appSmallBodiesBytes: 16 * MIB,
  appSmallBodiesPerUserBytes: MIB,
  /**
   * In each such time so much of what is held has to come, and all of it in half an hour, or whoever sends a byte now and then has taken the room
   * of others. It is 4 KiB/s, which a modem does; a Lambda archive of 70 MB needs 40 KiB/s (an uplink of 0.4 Mbit/s), and 256 MiB 1.2 Mbit/s.
   */
  appHeldPace: { bytes: 240 * KIB, everyMs: MINUTE },
  appHeldMs: 30 * MINUTE,
  /** Between two bytes of a request's body. */
  bodyIdleMs: 30 * SECOND,

  /** Connections of HTTP/1.1 of an agent to one host of AWS. One user may have as many requests under way to it as half of them, in both protocols. */
  awsConnectionsPerHost: 512,
  /** Requests and tunnels of one user to all hosts. */
  awsRequestsPerUser: 1024,
  /** Requests of all users to one host; those that have no connection wait for one. Beyond it another is refused. */
  awsRequestsPerHost: 1536,
  /**
   * Connections of HTTP/2 to all hosts of AWS: of one user, whom alone each serves, and of all. Sixteen carry what he may have under way to one
   * host even where it takes sixteen streams on each; one that rests makes room for another.
   */
  awsHttp2ConnectionsPerUser: 16,
  awsHttp2Connections: 2048,
  /**
   * Requests that are broken off on one connection; then it takes no more. With the hundred that may still be on it that is 150 at the most:
   * nghttp2, which is strict, ends a connection after a thousand at once, and after 33 a second later on.
   */
  awsHttp2ResetsPerConnection: 50,
  /** And of one user to all hosts: all that he may have under way to one host at once, and so many in each second after that. */
  awsHttp2ResetsPerUser: { atOnce: 256, perSecond: 10 },

  /** In a body of S3's aws-chunked coding: the line before a chunk, of which 173 bytes can be in use, and everything behind the last chunk. */
  awsChunkHeaderBytes: 256,
  awsTrailerBytes: 4 * KIB,
  /** One message of an event stream to AWS: its signature stands before its payload, so it must be whole before it can be signed anew. */
  awsEventBytes: MIB,

  /** HTTP/2 of programs that speak to AWS: requests at a time on one connection, and connections of one person. */
  http2Streams: 32,
  http2ConnectionsPerUser: 256,
  /** Streams of one connection that may end in a reset at once, and in each second after that; then the connection ends. */
  http2Resets: { atOnce: 100, perSecond: 10 },

  /** From accept to a complete ClientHello, and from there to the end of the handshake. */
  handshakeMs: 10 * SECOND,
  /** Connections that the kernel keeps until they are accepted, and net.core.somaxconn at most. Beyond them it drops SYNs: tried again after 1, 3, 7 s. */
  listenBacklog: 4096,
  /** Connections of one client address, or IPv6 network, that have not proven who they are. */
  socketsPerAddress: 200,

  /** gRPC, on every server. */
  grpcMetadataBytes: 16 * KIB,
  grpcMessageBytes: 4 * MIB,
  /** Of one request, as protobuf sees it: auth takes ten thousand events at once. */
  grpcFields: 16 * 1024,
  /** From the headers of a call whose request is one message to the end of it: 4 MiB at 280 kbit/s. */
  grpcRequestMs: 2 * MINUTE,
  /** Of one who has shown no certificate, who may sign in or join: his request, the time that it may take, his calls at a time on one connection. */
  strangerMessageBytes: 16 * KIB,
  strangerRequestMs: 10 * SECOND,
  strangerCalls: 4,
  /** Calls at a time on one connection, except where a stream is a person's connection (see `streamsPerSession`). */
  streamsPerConnection: 100,
  /** One stream is one local TCP connection, of which the pools of SDKs hold fifty to a few hundred. */
  streamsPerSession: 1000,
  /** TLS connections of one person to one agent; each program that is started anew makes one. Those of everybody share the agent's streams. */
  sessionConnectionsPerUser: 1000,
  /** Tunnel connections of one agent to one proxy. */
  connectionsPerAgent: 4,
  /** Bytes may wait for a peer that takes none of them for so long; then the stream is reset. */
  stallMs: 60 * SECOND,

  /** A document of YAML, and the levels that YAML or JSON may be nested. */
  yamlBytes: MIB,
  nestingDepth: 64,
  /**
   * Levels of the JSON of a request to DynamoDB. It takes attributes that are nested 32 levels deep, each of which is two of JSON, below the
   * six of a transaction or a batch.
   */
  requestNestingDepth: 80,
  /** A regular expression of a role, compiled by RE2. */
  regexCharacters: 1024,
  labelsPerResource: 64,
  /** Hosts of the operator's own that an application may name. */
  ownHostsPerApp: 100,
  labelNameCharacters: 63,
  labelValueCharacters: 256,
  rolesPerUser: 100,
  /** Randomness of a join token; a value that an administrator sets himself has at least so many bits if it is hexadecimal. */
  tokenBits: 128,

  /** Passwords that are tried for one name, and from one client address or IPv6 network. */
  signInsPerName: { count: 5, withinMs: 30 * SECOND },
  signInsPerNetwork: { count: 20, withinMs: MINUTE },

  /** People who are signed in to one proxy with a browser, and the browsers of one of them. */
  webSessions: 2000,
  webSessionsPerUser: 10,

  /** Audit events that an agent keeps until auth has them; beyond it requests are refused. */
  spoolBytes: 256 * MIB,
  /** Of that, what refusals may take, and those of one user; beyond it they are counted, and one event a user says how many there were. */
  spoolRefusalsBytes: 64 * MIB,
  spoolRefusalsPerUserBytes: 16 * MIB,
  /** The fields of one audit event, as JSON. */
  auditFieldsBytes: 64 * KIB,
  /** What waits for a watcher or a reader of the log that does not keep up; then it is told to begin anew. */
  slowConsumerBytes: MIB,
  /** Log lines that wait for whoever reads stdout; beyond it they are dropped and counted. */
  logBufferBytes: 8 * MIB,
} as const;
