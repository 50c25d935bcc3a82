import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { dynamodbRefusal } from '#refusals/dynamodb-refusal.ts';

describe('dynamodbRefusal', () => {
  test.each([
    ['AccessDeniedException', 400],
    ['ThrottlingException', 400],
    ['ExpiredTokenException', 400],
    ['UnrecognizedClientException', 400],
    ['ValidationException', 400],
    ['RequestEntityTooLargeException', 413],
    ['InternalServerError', 500],
    ['ServiceUnavailableException', 503],
  ] as const)('%s is a %i that boto3 reads from the body and Java from the header', (code, status) => {
    const { headers, body, ...answer } = dynamodbRefusal({ code, message: 'alice may not "read" Müsic', requestId: 'id-1' });
    expect(answer.status).toBe(status);
    const sent = Object.fromEntries(headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1]]] : [])));
    expect(sent).toEqual({
      'content-type': 'application/x-amz-json-1.0',
      'content-length': String(body.length),
      'x-amzn-RequestId': 'id-1',
      'x-amzn-ErrorType': code,
      'x-amz-crc32': String(crc32(body)),
    });
    const text = 'alice may not "read" Müsic';
    expect(JSON.parse(body.toString())).toEqual({ __type: `com.amazon.coral.service#${code}`, message: text, Message: text });
  });

  test('a wait is given in milliseconds and in whole seconds', () => {
    const { headers } = dynamodbRefusal({ code: 'ThrottlingException', message: 'slow down', requestId: 'x', retryAfterMs: 1200.5 });
    expect(headers.slice(-4)).toEqual(['x-amz-retry-after', '1201', 'retry-after', '2']);
  });

  test('a message of 2000 characters stays and a longer one is cut', () => {
    const lengthOf = (length: number): number => {
      const parsed: { message: string } = JSON.parse(
        dynamodbRefusal({ code: 'ValidationException', message: 'x'.repeat(length), requestId: 'x' }).body.toString(),
      );
      return parsed.message.length;
    };
    expect(lengthOf(2000)).toBe(2000);
    expect(lengthOf(2001)).toBe(2001);
    expect(lengthOf(50_000)).toBe(2001);
  });
});
