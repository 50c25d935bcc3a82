import type { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { CallGate, RawServerCall } from '@postern/api';
import { admits, boundRequest, opens } from '#raw-call/gate-calls.ts';
import { type ServedConnection, ServerRawCall } from '#raw-call/server-raw-call.ts';

export interface RawCallServing {
  /** By path: `implement` of @postern/api made them, with its gate in front of the handler. */
  readonly handlers: ReadonlyMap<string, (call: RawServerCall) => void>;
  /** Of what grpc-js serves, by path. */
  readonly gates: ReadonlyMap<string, CallGate>;
  readonly connectionOf: (session: ServerHttp2Session) => ServedConnection | undefined;
}

/**
 * Takes the calls of raw bytes before grpc-js sees them; every other call that its gate lets in goes on to it. A raw path that came to grpc-js
 * all the same would be answered UNIMPLEMENTED, because `implement` gives it no handler.
 */
export function serveRawCalls(http2Server: EventEmitter, { handlers, gates, connectionOf }: RawCallServing): void {
  const others = http2Server.listeners('stream') as ((
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    ...rest: unknown[]
  ) => void)[];
  http2Server.removeAllListeners('stream');
  http2Server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, ...rest: unknown[]) => {
    // Its errors are told by 'close' as well. Without a listener one would end the process.
    stream.on('error', () => undefined);
    // Over a stream of bytes that is no socket, as one out of a tunnel, frames are read ahead of this event: it may have been reset already.
    if (isGone(stream)) return void stream.destroy();
    const { session } = stream;
    const connection = session === undefined ? undefined : connectionOf(session as ServerHttp2Session);
    // A stream of a connection that nobody admitted.
    if (connection === undefined) return void stream.destroy();
    const call = { stream, headers, connection };
    if (!opens(call)) return;
    const path = headers[':path'] ?? '';
    // What is no gRPC is answered so by grpc-js.
    const isGrpc = headers[':method'] === 'POST' && headers['content-type']?.startsWith('application/grpc') === true;
    const handler = isGrpc ? handlers.get(path) : undefined;
    if (handler !== undefined) return handler(new ServerRawCall(stream, headers, connection));
    const gate = isGrpc ? gates.get(path) : undefined;
    if (gate !== undefined && !admits(gate, call)) return;
    answerNobody(stream);
    for (const other of others) other.call(http2Server, stream, headers, ...rest);
    if (gate?.takesStream !== true) boundRequest(call);
  });
}

/** Closed, and not destroyed, is one that was reset with NO_ERROR. */
function isGone(stream: ServerHttp2Stream): boolean {
  return stream.destroyed || stream.closed;
}

/** Node throws at whoever answers a stream that is gone, and grpc-js (1.14) does not look: it is not answered, and nothing is thrown. */
function answerNobody(stream: ServerHttp2Stream): void {
  const respond = stream.respond.bind(stream);
  const sendTrailers = stream.sendTrailers.bind(stream);
  stream.respond = (...answer) => (isGone(stream) ? undefined : respond(...answer));
  stream.sendTrailers = (trailers) => (isGone(stream) ? undefined : sendTrailers(trailers));
}
