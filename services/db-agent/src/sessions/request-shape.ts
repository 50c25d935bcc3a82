import type { RequestHead } from '@postern/agent';
import { MAX_BODY_BYTES, MAX_HEADER_LINES } from '#config.ts';

export interface ShapeRefusal {
  readonly code: 'ValidationException' | 'RequestEntityTooLargeException';
  readonly reason: string;
  /** Where the client may mean something else than what was read, nothing more is read from it. */
  readonly close: boolean;
}

/** Connection may name headers that end at the next hop: so a client could take X-Amz-Target away after it was judged. */
const PLAIN_CONNECTION = /^[ \t]*(?:keep-alive|close)?[ \t]*$/i;
/** Another charset could make other bytes of the body the names of tables than those that were read here. */
const JSON_10 = /^application\/x-amz-json-1\.0[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i;

/**
 * DynamoDB speaks one dialect: POST / with JSON 1.0. Everything else is refused, so that no other protocol of AWS's can
 * ever pass by the rules made for this one.
 */
export function shapeRefusal(request: {
  readonly method: string;
  readonly target: string;
  readonly head: RequestHead;
}): ShapeRefusal | undefined {
  const { method, target, head } = request;
  if (head.duplicate !== undefined) return refused(`the header ${head.duplicate} stands twice`);
  if (head.lines > MAX_HEADER_LINES) return refused(`more than ${MAX_HEADER_LINES} header lines`);
  if (method !== 'POST') return refused(`method ${method} is not POST`);
  if (target !== '/') return refused('the path must be / and there must be no query');
  if (head.upgrade) return refused('an upgrade to another protocol is not possible');
  if (head.connection !== undefined && head.connection !== 'keep-alive' && !PLAIN_CONNECTION.test(head.connection))
    return refused('the header Connection may say keep-alive or close');
  if (head.expect !== undefined && head.expect.toLowerCase() !== '100-continue') return refused('the expectation cannot be met');
  if (head.transferEncoding !== undefined && head.transferEncoding.toLowerCase() !== 'chunked')
    return refused('the header Transfer-Encoding may say chunked');
  if (head.contentType !== 'application/x-amz-json-1.0' && !JSON_10.test(head.contentType ?? ''))
    return refused('the content type must be application/x-amz-json-1.0');
  if (head.contentEncoding !== undefined) return refused('a request with a content encoding is not possible');
  if (head.target === undefined) return refused('the header X-Amz-Target is missing');
  if (head.contentLength !== undefined && head.contentLength > MAX_BODY_BYTES) return tooLarge();
  return undefined;
}

export function tooLarge(): ShapeRefusal {
  return { code: 'RequestEntityTooLargeException', reason: `the request body is over the limit of ${MAX_BODY_BYTES} bytes`, close: false };
}

function refused(reason: string): ShapeRefusal {
  return { code: 'ValidationException', reason, close: true };
}
