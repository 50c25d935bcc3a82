import { crc32 } from 'node:zlib';
import { encodeStrings } from '#refusals/cbor.ts';
import { printable } from '#refusals/printable.ts';
import { codeOf, type RefusalKind } from '#refusals/refusal-codes.ts';
import type { AwsProtocol } from '#requests/aws-request.ts';

export type AwsRefusalInput = {
  readonly kind: RefusalKind;
  /** of the request: an SDK reads an answer as what it asked in */
  readonly protocol: AwsProtocol;
  /** HEAD is answered by headers alone */
  readonly method: string;
  /** shown to the user by every SDK */
  readonly message: string;
  readonly requestId: string;
  /** when trying again makes sense */
  readonly retryAfterMs?: number;
};

export type AwsRefusal = { readonly status: number; readonly headers: string[]; readonly body: Buffer };

/**
 * A refusal that every SDK reads as what it is, in the shape of the protocol that the request was written in. boto3 gives up on JSON where it
 * asked in a form, and on CBOR where it asked in JSON; the JavaScript SDK throws a syntax error on whatever is not in the asked shape.
 */
export function awsRefusal(input: AwsRefusalInput): AwsRefusal {
  const { kind, protocol, method, requestId } = input;
  const { code, status } = codeOf(kind, protocol);
  const message = printable(input.message);
  const { type, headers, body } = writers[writerOf[protocol]]({ code, message, requestId, isOurs: status >= 500 });
  const all = ['content-type', type === '' ? `application/x-amz-${protocol}` : type, ...headers];
  if (input.retryAfterMs !== undefined) {
    const delayMs = Math.max(0, Math.ceil(input.retryAfterMs));
    all.push('x-amz-retry-after', String(delayMs), 'retry-after', String(Math.ceil(delayMs / 1000)));
  }
  // content-length of what a GET would have had is allowed with HEAD, and some readers wait for it: none is sent
  if (method === 'HEAD') return { status, headers: all, body: Buffer.alloc(0) };
  all.push('content-length', String(body.length));
  return { status, headers: all, body };
}

type Content = { readonly code: string; readonly message: string; readonly requestId: string; readonly isOurs: boolean };
/** `type` is empty where it is the request's own. */
type Written = { readonly type: string; readonly headers: readonly string[]; readonly body: Buffer };
type Shape = 'json' | 'rest-json' | 'query' | 'ec2' | 's3' | 'cbor';

const writerOf: Record<AwsProtocol, Shape> = {
  'json-1.0': 'json',
  'json-1.1': 'json',
  'rest-json': 'rest-json',
  'rest-xml': 'query',
  query: 'query',
  ec2: 'ec2',
  s3: 's3',
  'rpc-v2-cbor': 'cbor',
};

const writers: Record<Shape, (content: Content) => Written> = {
  /** boto3 takes the code from `__type` in the body alone, Java from the header first; Go needs every member to be a string. */
  json: ({ code, message, requestId }) => {
    const body = Buffer.from(JSON.stringify({ __type: `com.amazon.coral.service#${code}`, message, Message: message }));
    const headers = ['x-amzn-RequestId', requestId, 'x-amzn-ErrorType', code, 'x-amz-crc32', String(crc32(body))];
    return { type: '', headers, body };
  },
  'rest-json': ({ code, message, requestId }) => ({
    type: 'application/json',
    headers: ['x-amzn-RequestId', requestId, 'x-amzn-ErrorType', code],
    body: Buffer.from(JSON.stringify({ __type: code, code, message, Message: message })),
  }),
  query: ({ code, message, requestId, isOurs }) => ({
    type: 'text/xml',
    headers: ['x-amzn-RequestId', requestId],
    body: Buffer.from(
      `<ErrorResponse><Error><Type>${isOurs ? 'Receiver' : 'Sender'}</Type><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>` +
        `<RequestId>${escapeXml(requestId)}</RequestId></ErrorResponse>`,
    ),
  }),
  ec2: ({ code, message, requestId }) => ({
    type: 'text/xml;charset=UTF-8',
    headers: ['x-amzn-RequestId', requestId],
    body: Buffer.from(
      `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error></Errors>` +
        `<RequestID>${escapeXml(requestId)}</RequestID></Response>`,
    ),
  }),
  s3: ({ code, message, requestId }) => ({
    type: 'application/xml',
    headers: ['x-amz-request-id', requestId, 'x-amz-id-2', requestId],
    body: Buffer.from(
      `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${escapeXml(message)}</Message>` +
        `<RequestId>${escapeXml(requestId)}</RequestId><HostId>${escapeXml(requestId)}</HostId></Error>`,
    ),
  }),
  cbor: ({ code, message, requestId }) => ({
    type: 'application/cbor',
    headers: ['smithy-protocol', 'rpc-v2-cbor', 'x-amzn-RequestId', requestId, 'x-amzn-ErrorType', code],
    body: encodeStrings({ __type: `com.amazon.coral.service#${code}`, message, Message: message }),
  }),
};

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

function escapeXml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => entities[char] ?? char);
}
