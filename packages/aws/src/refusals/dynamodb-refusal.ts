import { crc32 } from 'node:zlib';

export type DynamoDbRefusalCode =
  | 'AccessDeniedException'
  | 'ThrottlingException'
  | 'ServiceUnavailableException'
  | 'ExpiredTokenException'
  | 'UnrecognizedClientException'
  | 'ValidationException'
  | 'RequestEntityTooLargeException'
  | 'RequestTimeoutException'
  | 'InternalServerError';

/**
 * 400 and not 403 for a denial: that is what DynamoDB does. The SDKs retry ThrottlingException, RequestTimeoutException and the 5xx, and
 * nothing else here.
 */
const statusOf: Record<DynamoDbRefusalCode, number> = {
  AccessDeniedException: 400,
  ThrottlingException: 400,
  ServiceUnavailableException: 503,
  ExpiredTokenException: 400,
  UnrecognizedClientException: 400,
  ValidationException: 400,
  RequestEntityTooLargeException: 413,
  RequestTimeoutException: 408,
  InternalServerError: 500,
};

export type DynamoDbRefusalInput = {
  readonly code: DynamoDbRefusalCode;
  /** shown to the user by every SDK */
  readonly message: string;
  readonly requestId: string;
  /** when trying again makes sense; for ThrottlingException and ServiceUnavailableException */
  readonly retryAfterMs?: number;
};

/** Where a message is cut: an SDK logs it whole. */
const maxMessageLength = 2000;

/**
 * A refusal that every SDK reads as what it is. boto3 takes the code from `__type` in the body alone, Java from the header first; the
 * JavaScript SDK throws a syntax error on any body that is not JSON; Go needs every member to be a string.
 */
export function dynamodbRefusal(input: DynamoDbRefusalInput): {
  readonly status: number;
  readonly headers: string[];
  readonly body: Buffer;
} {
  const message = input.message.length > maxMessageLength ? `${input.message.slice(0, maxMessageLength)}…` : input.message;
  const body = Buffer.from(JSON.stringify({ __type: `com.amazon.coral.service#${input.code}`, message, Message: message }), 'utf8');
  const headers = [
    'content-type',
    'application/x-amz-json-1.0',
    'content-length',
    String(body.length),
    'x-amzn-RequestId',
    input.requestId,
    'x-amzn-ErrorType',
    input.code,
    'x-amz-crc32',
    String(crc32(body)),
  ];
  if (input.retryAfterMs !== undefined) {
    const delayMs = Math.max(0, Math.ceil(input.retryAfterMs));
    headers.push('x-amz-retry-after', String(delayMs), 'retry-after', String(Math.ceil(delayMs / 1000)));
  }
  return { status: statusOf[input.code], headers, body };
}
