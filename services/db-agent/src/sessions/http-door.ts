import type { SessionConnection } from '@postern/agent';
import { type DoorLimits, type Exchange, HttpDoor, type HttpFault } from '@postern/http';
import { BODY_IDLE_MS, BODY_MS, HEAD_MS, MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_HEADER_LINES } from '#config.ts';

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
  bodyMs: BODY_MS,
  // An SDK reads the answer only after it has sent its body.
  maxDiscardBytes: 2 * MAX_BODY_BYTES,
};

/** Step 3: an HTTP reader for each stream; what it refuses is worded as AWS words it. */
export function createHttpDoor({ onExchange, onMalformed, limits }: HttpDoorOptions): HttpDoor<SessionConnection> {
  return new HttpDoor<SessionConnection>({
    limits: { ...LIMITS, ...limits },
    onExchange,
    onMalformed: (connection, fault) => {
      onMalformed(connection, fault);
      // Heads that wait behind the bodies of others are sent again by SDKs: nothing of them has been acted on.
      const type = fault.status === 408 ? 'service#RequestTimeoutException' : 'validate#ValidationException';
      const body = { __type: `com.amazon.coral.${type}`, message: fault.message };
      return { contentType: 'application/x-amz-json-1.0', body: Buffer.from(JSON.stringify(body)) };
    },
  });
}
