import { type Duplex, duplexPair } from 'node:stream';
import { joinStreams } from '@postern/tunnel';
import { refusalKindOf } from '#local-port/aws-refusal.ts';
import { http2Of, refuseHttp2 } from '#local-port/refuse-http2.ts';
import { codeOf, type ConnectionOptions, messageOf, openInTime } from '#local-port/serve-connection.ts';

/** A local connection on which HTTP/2 was agreed: its bytes are the agent's, who ends it. Never rejects. */
export async function serveHttp2(
  connection: Duplex,
  { openStream, refusal, notice }: Pick<ConnectionOptions, 'openStream' | 'refusal' | 'notice'>,
): Promise<void> {
  connection.on('error', () => connection.destroy());
  try {
    const stream = await openInTime(openStream());
    stream.on('error', (error) => notice(messageOf(error)));
    if (connection.destroyed) stream.destroy();
    else joinStreams(connection, stream);
  } catch (error) {
    const message = messageOf(error);
    notice(message);
    // Not on the connection itself, of which something may have been read already.
    const [near, far] = duplexPair();
    joinStreams(connection, near);
    refuseHttp2(http2Of(far), { refusal, kind: refusalKindOf(codeOf(error)), message });
  }
}
