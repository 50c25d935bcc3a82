import { randomUUID } from 'node:crypto';
import type { ErrorCode } from '@postern/api';

/** The exceptions that every AWS SDK knows from its core: they need no model of the service. */
export interface Shape {
  readonly status: number;
  readonly reason: string;
  readonly type: string;
}
const DENIED: Shape = { status: 400, reason: 'Bad Request', type: 'AccessDeniedException' };
const EXPIRED: Shape = { status: 400, reason: 'Bad Request', type: 'ExpiredTokenException' };
const UNAVAILABLE: Shape = { status: 503, reason: 'Service Unavailable', type: 'ServiceUnavailableException' };
/** 403 and not 400: what a browser or a wrong program sent is refused before it is looked at as a request to AWS. */
export const FORBIDDEN: Shape = { status: 403, reason: 'Forbidden', type: 'AccessDeniedException' };

/** What is said to a client, as the bytes of a whole answer; `head` is its request's, where one was read. */
export type RefusalText = (refused: { readonly shape: Shape; readonly message: string; readonly head: string | undefined }) => string;

export function shapeOf(code: ErrorCode | undefined): Shape {
  if (code === 'denied' || code === 'locked' || code === 'not_found') return DENIED;
  return code === 'expired' || code === 'unauthenticated' ? EXPIRED : UNAVAILABLE;
}

/**
 * A whole HTTP/1.1 answer that ends the connection. SDKs read the error's name from the body or from the header:
 * both are sent, and both spellings of the message.
 */
export function awsRefusal(shape: Shape, message: string): string {
  const body = JSON.stringify({ __type: `com.amazon.coral.service#${shape.type}`, message, Message: message });
  return [
    `HTTP/1.1 ${shape.status} ${shape.reason}`,
    'Content-Type: application/x-amz-json-1.0',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `x-amzn-ErrorType: ${shape.type}`,
    `x-amzn-RequestId: ${randomUUID()}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
