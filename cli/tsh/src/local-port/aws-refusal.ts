import { randomUUID } from 'node:crypto';
import type { ErrorCode } from '@postern/api';

/** Why a local port answers by itself and passes nothing on. */
export type RefusalKind =
  /** Policy says no. */
  | 'denied'
  | 'expired'
  /** No login has the key that the request names. */
  | 'unknown_key'
  /** Tried again by every SDK. */
  | 'unavailable'
  /** Refused before it is looked at as a request to AWS: what a browser or a wrong program sent. */
  | 'forbidden';

/** What is said to a client, as the bytes of a whole answer that ends the connection; `head` is its request's, where one was read. */
export type RefusalText = (refused: {
  readonly kind: RefusalKind;
  readonly message: string;
  readonly head: string | undefined;
}) => string | Buffer;

export function refusalKindOf(code: ErrorCode | undefined): RefusalKind {
  if (code === 'denied' || code === 'locked') return 'denied';
  if (code === 'unauthenticated') return 'unknown_key';
  return code === 'expired' ? 'expired' : 'unavailable';
}

/** The exceptions that every AWS SDK knows from its core: they need no model of the service. */
const shapes: Readonly<Record<RefusalKind, { readonly status: number; readonly reason: string; readonly type: string }>> = {
  denied: { status: 400, reason: 'Bad Request', type: 'AccessDeniedException' },
  expired: { status: 400, reason: 'Bad Request', type: 'ExpiredTokenException' },
  unknown_key: { status: 400, reason: 'Bad Request', type: 'ExpiredTokenException' },
  unavailable: { status: 503, reason: 'Service Unavailable', type: 'ServiceUnavailableException' },
  forbidden: { status: 403, reason: 'Forbidden', type: 'AccessDeniedException' },
};

/**
 * DynamoDB's words. SDKs read the error's name from the body or from the header: both are sent, and both spellings of the message.
 */
export function databaseRefusal(kind: RefusalKind, message: string): string {
  const { status, reason, type } = shapes[kind];
  const body = JSON.stringify({ __type: `com.amazon.coral.service#${type}`, message, Message: message });
  return [
    `HTTP/1.1 ${status} ${reason}`,
    'Content-Type: application/x-amz-json-1.0',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `x-amzn-ErrorType: ${type}`,
    `x-amzn-RequestId: ${randomUUID()}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
