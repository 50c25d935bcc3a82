import { constants, performServerHandshake } from 'node:http2';
import type { Duplex } from 'node:stream';
import { errorCodes, PosternError } from '@postern/api';

/** For the words to leave; whoever does not read them is cut. */
const LEAVE_MS = 1_000;
const MAX_BYTES = 2_048;

/**
 * Ends a connection that TLS has proven, and that may not go on, with the reason: an HTTP/2 GOAWAY whose debug data are the code and the
 * words. No call is ever served on it.
 */
export function sayAndEnd(socket: Duplex, { code, message }: PosternError): void {
  const session = performServerHandshake(socket, { settings: { maxConcurrentStreams: 0 } });
  session.on('error', () => socket.destroy());
  const words = Buffer.from(`${code} ${message}`).subarray(0, MAX_BYTES);
  session.goaway(constants.NGHTTP2_NO_ERROR, 0, words);
  const cut = setTimeout(() => socket.destroy(), LEAVE_MS).unref();
  socket.once('close', () => clearTimeout(cut));
  session.close();
}

/** What a server has said as it ended the connection; undefined where it only left, as one that is stopped does. */
export function lastWordsIn(debugData: Uint8Array | undefined): PosternError | undefined {
  if (debugData === undefined || debugData.length === 0 || debugData.length > MAX_BYTES) return undefined;
  const text = Buffer.from(debugData).toString('utf8');
  const at = text.indexOf(' ');
  const code = errorCodes.find((known) => known === text.slice(0, at));
  return code === undefined ? undefined : new PosternError(code, text.slice(at + 1));
}
