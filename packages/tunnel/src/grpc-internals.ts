import { type ChannelOptions, Client, type ConnectionInjector, Server, ServerCredentials } from '@grpc/grpc-js';
import type { EventEmitter } from 'node:events';
import type { ServerHttp2Session } from 'node:http2';
import { tunnelLimits } from '#limits.ts';

/** The options of every client channel between our own parts. */
export function wideChannelOptions(extra: ChannelOptions = {}): ChannelOptions {
  return {
    'grpc-node.flow_control_window': tunnelLimits.windowBytes,
    'grpc.max_receive_message_length': tunnelLimits.maxMessageBytes,
    'grpc.keepalive_time_ms': tunnelLimits.keepaliveMs,
    'grpc.keepalive_timeout_ms': tunnelLimits.keepaliveTimeoutMs,
    'grpc.keepalive_permit_without_calls': 1,
    // Left to itself a channel waits up to two minutes between dials: too long after a restart of the other end.
    'grpc.initial_reconnect_backoff_ms': tunnelLimits.redialFirstMs,
    'grpc.max_reconnect_backoff_ms': tunnelLimits.redialMs,
    // Retries keep a copy of what was sent; a byte stream can never be sent twice.
    'grpc.enable_retries': 0,
    'grpc.enable_channelz': 0,
    // Two channels to one address must be two connections: a shared one would mix certificates and break limits.
    'grpc.use_local_subchannel_pool': 1,
    ...extra,
  };
}

/** 8 MiB for the connection as a whole; the windows of streams are set by SETTINGS when the session is made. */
export function widenSession(session: Pick<ServerHttp2Session, 'setLocalWindowSize' | 'destroyed'>): void {
  if (!session.destroyed) session.setLocalWindowSize(tunnelLimits.windowBytes);
}

interface ClientInternals {
  readonly internalChannel?: { readonly wrappedSubchannels?: ReadonlySet<{ readonly child: { continueConnecting?: boolean } }> };
}

/**
 * A client whose close is final. In grpc-js (1.14) a channel that is closed between two dials dials once more when its pause is over,
 * and keeps that connection, which nobody can use or close, for as long as the process lives: whoever asks a cluster that is just
 * starting, again and again, holds one for each time. The private field that says "dial again" is taken back.
 */
export class ClosingClient extends Client {
  override close(): void {
    const { internalChannel } = this.getChannel() as unknown as ClientInternals;
    const dialled = [...(internalChannel?.wrappedSubchannels ?? [])].map(({ child }) => child);
    super.close();
    // What the channel had on its mind sets the field at the end of this turn.
    setImmediate(() => {
      for (const subchannel of dialled) subchannel.continueConnecting = false;
    });
  }
}

/**
 * grpc-js has no option for the windows and header limits of its server (1.14), so two private fields of `Server`
 * are used: `commonServerOptions`, from which it makes its HTTP/2 server, and `http2Servers`, where it keeps it.
 */
interface ServerInternals {
  readonly commonServerOptions: {
    settings?: Record<string, number | boolean>;
    streamResetBurst?: number;
    streamResetRate?: number;
  };
  readonly http2Servers: Map<EventEmitter, { readonly sessions: Set<ServerHttp2Session> }>;
}

export interface WideInjector {
  readonly injector: ConnectionInjector;
  /** grpc-js's HTTP/2 server, whose events may be heard. */
  readonly http2Server: EventEmitter;
  readonly sessions: ReadonlySet<ServerHttp2Session>;
}

/** Nobody comes to it: whoever has a limit of his own has the say. */
const RESETS_OF_NGHTTP2 = 1_000_000;

export interface WideOptions {
  readonly streamWindowBytes?: number;
  /** Resets are counted elsewhere. nghttp2 counts all alike, and ends a connection after a thousand and 33 a second. */
  readonly countsResets?: boolean;
}

/** Makes the injector of a server whose sessions have wide windows and bounded headers. One injector a server. */
export function createWideInjector(
  server: Server,
  { streamWindowBytes = tunnelLimits.windowBytes, countsResets = true }: WideOptions = {},
): WideInjector {
  const internals = internalsOf(server);
  if (!countsResets) {
    internals.commonServerOptions.streamResetBurst = RESETS_OF_NGHTTP2;
    internals.commonServerOptions.streamResetRate = RESETS_OF_NGHTTP2;
  }
  internals.commonServerOptions.settings = {
    ...internals.commonServerOptions.settings,
    initialWindowSize: streamWindowBytes,
    maxHeaderListSize: tunnelLimits.maxMetadataBytes,
  };
  const before = new Set(internals.http2Servers.keys());
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const made = [...internals.http2Servers].find(([http2Server]) => !before.has(http2Server));
  if (!made) throw moved('Server.http2Servers holds no new server after createConnectionInjector');
  const [http2Server, info] = made;
  http2Server.on('session', (session: ServerHttp2Session) => widenSession(session));
  return { injector, http2Server, sessions: info.sessions };
}

/** Fails at start-up, not under load, where another version of grpc-js has moved what is used here. */
export function checkGrpcInternals(): void {
  internalsOf(new Server({ 'grpc.enable_channelz': 0 }));
}

function internalsOf(server: Server): ServerInternals {
  const internals = server as unknown as Partial<ServerInternals>;
  if (typeof internals.commonServerOptions !== 'object') throw moved('Server.commonServerOptions is gone');
  if (!(internals.http2Servers instanceof Map)) throw moved('Server.http2Servers is gone');
  return internals as ServerInternals;
}

function moved(what: string): Error {
  return new Error(`@grpc/grpc-js is not the version this was written for (1.14): ${what}`);
}
