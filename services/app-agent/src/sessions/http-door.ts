import type { SessionConnection } from '@postern/agent';
import { type DoorLimits, type Exchange, HttpDoor, type HttpFault } from '@postern/http';
import { BODY_IDLE_MS, HEAD_MS, MAX_DISCARD_BYTES, MAX_HEADER_BYTES, MAX_HEADER_LINES } from '#config.ts';

/** One request of a session, and its answer. */
export type ClientExchange = Exchange<SessionConnection>;

export interface HttpDoorOptions {
  readonly onExchange: (exchange: ClientExchange) => void;
  /** Bytes that are no HTTP/1.1 request: the connection is closed after a short answer. */
  readonly onMalformed: (connection: SessionConnection, fault: HttpFault) => void;
  /** For tests. */
  readonly limits?: Partial<DoorLimits>;
}

const LIMITS: DoorLimits = {
  maxBytes: MAX_HEADER_BYTES,
  maxLines: MAX_HEADER_LINES,
  headMs: HEAD_MS,
  bodyIdleMs: BODY_IDLE_MS,
  // An upload of five gibibytes takes what it takes; it is cut where it stops.
  bodyMs: Number.POSITIVE_INFINITY,
  maxDiscardBytes: MAX_DISCARD_BYTES,
};

/** Step 3: an HTTP reader for each stream. Which service was meant is not known of what is no request: the answer is plain words. */
export function createHttpDoor({ onExchange, onMalformed, limits }: HttpDoorOptions): HttpDoor<SessionConnection> {
  return new HttpDoor<SessionConnection>({
    limits: { ...LIMITS, ...limits },
    onExchange,
    onMalformed: (connection, fault) => {
      onMalformed(connection, fault);
      const { message } = fault;
      return { contentType: 'application/json', body: Buffer.from(JSON.stringify({ __type: 'BadRequest', message, Message: message })) };
    },
  });
}
