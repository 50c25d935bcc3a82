import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { type CallGate, PosternError, statusOf } from '@postern/api';
import { tunnelLimits } from '#limits.ts';
import { type ServedConnection, ServerRawCall } from '#raw-call/server-raw-call.ts';
import { trailersOf } from '#raw-call/status.ts';

export interface OpenedCall {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly connection: ServedConnection;
}

const IDENTIFIED = { bytes: Number.POSITIVE_INFINITY, ms: tunnelLimits.requestMs };
const STRANGER = { bytes: tunnelLimits.strangerMessageBytes, ms: tunnelLimits.strangerRequestMs };
/** In front of a message. */
const PREFIX_BYTES = 5;

/**
 * Of any call, by its headers. grpc-js unpacks what is packed, and makes an object of each piece of a value in base64, before it asks who
 * calls: a few kB become hundreds of MB. Nobody of ours sends either. And a stranger, who has one thing to ask, asks few at a time.
 */
export function opens({ stream, headers, connection }: OpenedCall): boolean {
  const refuse = (reason: string) => {
    new ServerRawCall(stream, headers, connection).refuse(statusOf(new PosternError('unimplemented', reason)));
    return false;
  };
  if (connection.isStranger) {
    if (connection.calls >= tunnelLimits.strangerCalls) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return false;
    }
    connection.calls += 1;
    stream.once('close', () => (connection.calls -= 1));
  }
  if ((headers['grpc-encoding'] ?? 'identity') !== 'identity')
    return refuse('no compression is understood here: send messages as they are');
  if (Object.keys(headers).some((name) => name.endsWith('-bin'))) return refuse('no metadata in base64 is understood here');
  return true;
}

/** Of a call that grpc-js is to serve: whether the caller may call this at all, asked before a byte of his request is taken. */
export function admits(gate: CallGate, { stream, headers, connection }: OpenedCall): boolean {
  const refusal = gate.refusal(connection.origin);
  if (refusal !== undefined) new ServerRawCall(stream, headers, connection).refuse(refusal);
  return refusal === undefined;
}

/** Has a request that is one message be of bounded size and there in time. Called when whoever serves it listens to the stream. */
export function boundRequest({ stream, connection }: OpenedCall): void {
  const { bytes, ms } = connection.isStranger ? STRANGER : IDENTIFIED;
  const end = (error: PosternError) => {
    if (!stream.headersSent && !stream.destroyed && !stream.closed)
      stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto', ...trailersOf(statusOf(error)) }, { endStream: true });
    stream.close(constants.NGHTTP2_NO_ERROR);
  };
  const timer = setTimeout(() => end(new PosternError('unavailable', `the request was not there within ${ms / 1000} s`)), ms);
  const settle = () => clearTimeout(timer);
  stream.once('end', settle).once('close', settle);
  if (bytes === Number.POSITIVE_INFINITY) return;
  let left = bytes + PREFIX_BYTES;
  // Before whoever else hears it: what is too long is not even looked at.
  stream.prependListener('data', (part: Buffer) => {
    left -= part.length;
    if (left < 0) end(new PosternError('limit_exceeded', `without a certificate a request has ${bytes} bytes at most`));
  });
}
