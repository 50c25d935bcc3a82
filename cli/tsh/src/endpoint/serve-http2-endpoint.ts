import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { CONNECT_KEYS, HTTP2 } from '@postern/api/connect-keys';
import { limits } from '@postern/limits';
import { joinStreams } from '@postern/tunnel';
import { keyIdOf, NO_KEY } from '#endpoint/key-id-of.ts';
import type { EndpointConnectionOptions } from '#endpoint/serve-endpoint-connection.ts';
import { type RefusalKind, refusalKindOf } from '#local-port/aws-refusal.ts';
import { refusalOf } from '#local-port/local-guard.ts';
import { headText, http2Of, refuseHttp2, refuseStream } from '#local-port/refuse-http2.ts';
import { codeOf, messageOf, openInTime } from '#local-port/serve-connection.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** What may come before and with a first request's head. */
const MAX_BYTES = 4 * limits.headerBytes;

export function beginsHttp2(bytes: Buffer): boolean {
  return bytes.subarray(0, PREFACE.length).equals(PREFACE);
}

interface FirstRequest {
  readonly stream: ServerHttp2Stream;
  readonly rawHeaders: readonly string[];
}

/**
 * A local connection that speaks HTTP/2 without TLS, as SDKs do to an endpoint with http://. All of it goes to the session whose key its first
 * request names, as it came: of a request with another key the agent says so. To find that key the bytes are shown to a server of our
 * own, whose answers nobody gets, but where it has to say no.
 */
export function serveHttp2Endpoint(socket: Socket, beginning: Buffer, options: EndpointConnectionOptions): void {
  const { port, refusal, notice } = options;
  const [near, far] = duplexPair();
  const session = http2Of(far);
  const seen: Buffer[] = [];
  let seenBytes = 0;
  let isDecided = false;
  const show = (piece: Buffer): void => {
    seen.push(piece);
    seenBytes += piece.length;
    near.write(piece);
    if (seenBytes > MAX_BYTES && !isDecided) socket.destroy();
  };
  const refuse = ({ stream, rawHeaders }: FirstRequest, kind: RefusalKind, message: string): void => {
    notice(`refused a request: ${message}`);
    const refused = { refusal, kind, message };
    refuseStream(stream, rawHeaders, refused);
    refuseHttp2(session, refused);
    near.pipe(socket);
  };
  const decide = async (first: FirstRequest): Promise<void> => {
    const { rawHeaders } = first;
    const guarded = refusalOf(headText(rawHeaders), { port, allowAddresses: false });
    if (guarded !== undefined) return refuse(first, 'forbidden', guarded);
    const keyId = keyIdOf({ target: valueOf(rawHeaders, ':path'), fields: rawHeaders });
    if (keyId === undefined) return refuse(first, 'forbidden', NO_KEY);
    try {
      const stream = await openInTime(options.openStream(keyId, { [CONNECT_KEYS.protocol]: HTTP2 }));
      stream.on('error', (error) => notice(messageOf(error)));
      socket.off('data', show);
      session.destroy();
      near.destroy();
      if (socket.destroyed) return void stream.destroy();
      stream.write(Buffer.concat(seen.splice(0)));
      joinStreams(socket, stream);
    } catch (error) {
      refuse(first, refusalKindOf(codeOf(error)), messageOf(error));
    }
  };
  socket.setTimeout(limits.headerMs, () => socket.destroy());
  socket.once('close', () => session.destroy());
  near.on('error', () => near.destroy());
  session.once('stream', (stream, _headers, _flags, rawHeaders) => {
    isDecided = true;
    socket.setTimeout(0);
    // What comes while the session is opened waits where it is.
    socket.pause();
    decide({ stream, rawHeaders })
      .catch((error: unknown) => {
        notice(messageOf(error));
        socket.destroy();
      })
      .finally(() => socket.resume());
  });
  socket.on('data', show);
  show(beginning);
  socket.resume();
}

function valueOf(rawHeaders: readonly string[], name: string): string {
  const at = rawHeaders.indexOf(name);
  return at < 0 ? '' : (rawHeaders[at + 1] ?? '');
}
