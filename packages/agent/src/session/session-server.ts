import type { Duplex } from 'node:stream';
import type { TlsOptions } from 'node:tls';
import {
  type Caller,
  type ConsoleSignIn,
  implement,
  PosternError,
  type CallOrigin,
  services,
  type SessionInfo,
  type SignInToConsoleRequest,
  statusOf,
} from '@postern/api';
import { limits } from '@postern/limits';
import { byteStream, createGrpcTlsServer, peerOf, ServerRawCall } from '@postern/tunnel';
import { type ConnectFacts, readConnectFacts } from '#session/connect-facts.ts';
import { errorCodeOf, type LiveSession } from '#session/live-session.ts';
import type { OpenSessions } from '#session/open-sessions.ts';

const SWEEP_MS = 1000;
const HANDSHAKES_AT_ONCE = 64;
const MAX_HANDSHAKES_WAITING = 1_000;
const HANDSHAKE_GIVES_WAY_MS = 1_000;

export interface SessionConnection extends ConnectFacts {
  readonly session: LiveSession;
  /** The bytes of one local connection: HTTP/1.1, HTTP/2 where `isHttp2`, or the client's own TLS where `tunnelHost` is named. */
  readonly stream: Duplex;
}

export interface SessionServerOptions {
  /** The agent's certificate and the user CAs; client certificates are demanded. */
  readonly tls: TlsOptions;
  readonly sessions: OpenSessions;
  readonly onConnection: (connection: SessionConnection) => void;
  readonly describe: (session: LiveSession) => SessionInfo;
  /** Rejects with a PosternError; `unimplemented` where the agent's resources have no console. */
  readonly signInToConsole: (session: LiveSession, request: SignInToConsoleRequest) => Promise<ConsoleSignIn>;
  readonly onHandshakeFailed: (error: Error, clientAddress: string) => void;
  readonly onUnexpected: (error: unknown, method: string) => void;
  readonly nowMs: () => number;
}

export interface SessionServer {
  /** Takes a connection that came out of a tunnel. */
  accept(raw: Duplex, from: { readonly remoteAddress: string }): void;
  setTls(tls: TlsOptions): void;
  stop(options: { readonly graceMs: number }): Promise<void>;
}

/** TLS ends here and nowhere before: the proxy has carried records that it cannot read. */
export function createSessionServer(options: SessionServerOptions): SessionServer {
  const { sessions } = options;
  const sessionOf = (call: CallOrigin): LiveSession => {
    const session = sessions.find(peerOf(call).certificateDer);
    if (!session) throw new PosternError('unauthenticated', 'this connection has no session');
    return session;
  };

  const calledBy = (caller: Caller): LiveSession => {
    const session = caller.kind === 'identified' ? sessions.withSerial(caller.serial) : undefined;
    if (!session) throw new PosternError('unauthenticated', 'this connection has no session');
    return session;
  };

  const identify = (call: CallOrigin): Caller => {
    const { identity, serial, notAfterMs, clientAddress } = sessionOf(call).facts;
    return { kind: 'identified', identity, serial, notAfterMs, address: clientAddress };
  };

  const served = implement(
    services.agentSession,
    {
      connect(call, context) {
        const session = sessionOf(call);
        const stopped = session.endedBy ?? sessions.whyNot(session);
        if (stopped) return call.refuse(statusOf(new PosternError(errorCodeOf(stopped), stopped.reason)));
        const stream = byteStream(ServerRawCall.of(call), { remoteAddress: session.facts.clientAddress });
        // A stream that is cut tells so by 'close'; without a listener the error would end the process.
        stream.on('error', () => stream.destroy());
        session.addStream(stream);
        options.onConnection({ session, stream, ...readConnectFacts(context.metadata) });
      },
      async describe(_request, context) {
        return options.describe(calledBy(context.caller));
      },
      async signInToConsole(request, context) {
        const session = calledBy(context.caller);
        const stopped = session.endedBy ?? sessions.whyNot(session);
        if (stopped) throw new PosternError(errorCodeOf(stopped), stopped.reason);
        return options.signInToConsole(session, request);
      },
    },
    { identify, nowMs: options.nowMs, onUnexpected: options.onUnexpected },
  );

  const server = createGrpcTlsServer({
    tls: options.tls,
    services: [served],
    grpcOptions: { 'grpc.max_concurrent_streams': limits.streamsPerSession },
    // Whoever holds a ticket may begin a handshake here: those that stall give way to one that waits.
    handshakes: { atOnce: HANDSHAKES_AT_ONCE, maxWaiting: MAX_HANDSHAKES_WAITING, giveWayMs: HANDSHAKE_GIVES_WAY_MS },
    admit: (connection) => sessions.admit(connection),
    onHandshakeFailed: options.onHandshakeFailed,
  });
  const sweeper = setInterval(() => sessions.sweep(), SWEEP_MS).unref();

  return {
    accept: (raw, from) => server.acceptSocket(raw, from),
    setTls: (tls) => server.setTls(tls),
    stop: (stopping) => {
      clearInterval(sweeper);
      return server.stop(stopping);
    },
  };
}
