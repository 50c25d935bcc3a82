import { PosternError } from '@postern/api';
import type { SessionConnection } from '@postern/agent';
import { type DoorLimits, type Exchange, Http2Door, type Http2DoorLimits, HttpDoor, type HttpFault, type ShortAnswer } from '@postern/http';
import { limits as table } from '@postern/limits';
import { limitResets } from '@postern/tunnel';
import { BODY_IDLE_MS, HEAD_MS, MAX_DISCARD_BYTES, MAX_HEADER_BYTES, MAX_HEADER_LINES } from '#config.ts';

/** One request of a session, and its answer. */
export type ClientExchange = Exchange<SessionConnection>;

export interface HttpDoorOptions {
  readonly onExchange: (exchange: ClientExchange) => void;
  /** Bytes that are no request: answered shortly, and in HTTP/1.1 the connection is closed. */
  readonly onMalformed: (connection: SessionConnection, fault: HttpFault) => void;
  /** For tests. */
  readonly limits?: Partial<DoorLimits & Http2DoorLimits>;
}

export interface SessionDoor {
  accept(connection: SessionConnection): void;
  close(): void;
}

const LIMITS: DoorLimits & Http2DoorLimits = {
  maxBytes: MAX_HEADER_BYTES,
  maxLines: MAX_HEADER_LINES,
  headMs: HEAD_MS,
  bodyIdleMs: BODY_IDLE_MS,
  // An upload of five gibibytes takes what it takes; it is cut where it stops. What is held here has a pace of its own.
  bodyMs: Number.POSITIVE_INFINITY,
  maxDiscardBytes: MAX_DISCARD_BYTES,
  streams: table.http2Streams,
  stallMs: table.stallMs,
};

/** Step 3: a reader for each stream of a session, of the HTTP that its client speaks. Whichever it is, the same exchanges come of it. */
export function createHttpDoor({ onExchange, onMalformed, limits: others }: HttpDoorOptions): SessionDoor {
  const limits = { ...LIMITS, ...others };
  const common = {
    onExchange,
    onMalformed: (connection: SessionConnection, fault: HttpFault): ShortAnswer => {
      onMalformed(connection, fault);
      return shortAnswer(fault);
    },
  };
  const http1 = new HttpDoor<SessionConnection>({ ...common, limits });
  const http2 = new Http2Door<SessionConnection>({ ...common, limits, onSession: (session) => limitResets(session, table.http2Resets) });
  const counts = new Map<string, number>();
  return {
    accept(connection) {
      const { stream, isHttp2, session } = connection;
      if (!isHttp2) return http1.accept(stream, connection);
      const { user } = session;
      const count = (counts.get(user) ?? 0) + 1;
      if (count > table.http2ConnectionsPerUser)
        return void stream.destroy(new PosternError('unavailable', `${user} has ${count - 1} connections of HTTP/2 open: close some`));
      counts.set(user, count);
      stream.once('close', () => {
        const left = (counts.get(user) ?? 1) - 1;
        if (left > 0) counts.set(user, left);
        else counts.delete(user);
      });
      http2.accept(stream, connection);
    },
    close() {
      http1.close();
      http2.close();
    },
  };
}

/** Which service was meant is not known of what is no request: the answer is plain words. */
function shortAnswer({ message }: HttpFault): ShortAnswer {
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify({ __type: 'BadRequest', message, Message: message })) };
}
