import { type RequestHead, decoded, header, splitTarget } from '#exchange/request-head.ts';
import type { Call, Service } from '#exchange/service.ts';
import { event, streamEvents } from '#event-stream/stream-events.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';

/** Operations by method and path, which is cut as it stands: an ARN as a function's name is one segment with %3A in it. */
const operations: readonly (readonly [string, RegExp, string])[] = [
  ['POST', /^\/2015-03-31\/functions\/(?<name>[^/]+)\/invocations$/u, 'Invoke'],
  ['POST', /^\/2021-11-15\/functions\/(?<name>[^/]+)\/response-streaming-invocations$/u, 'InvokeWithResponseStream'],
  ['PUT', /^\/2015-03-31\/functions\/(?<name>[^/]+)\/code$/u, 'UpdateFunctionCode'],
  ['GET', /^\/2015-03-31\/functions\/?$/u, 'ListFunctions'],
];
/** A zip file of 50 MB in base64, and what stands around it. */
const maxBodyBytes = 80 * 1024 * 1024;
const functionName = /^(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:|\d{12}:function:)?[\w-]{1,64}(?::(?:\$LATEST|[\w-]+))?$/u;

/** Lambda: functions give back what they are given, whole or message by message. A function called "missing" is not there. */
export const lambdaService: Service = {
  protocol: () => ({ kind: 'rest-json' }),
  operationOf: (head) => operationAt(head)?.operation ?? '',
  maxBodyBytes,
  answer: (call) => answer(call),
};

function operationAt(head: RequestHead): { readonly operation: string; readonly name: string } | undefined {
  const { path } = splitTarget(head);
  for (const [method, shape, operation] of operations) {
    const match = head.method === method ? shape.exec(path) : null;
    if (match !== null) return { operation, name: decoded(match.groups?.['name'] ?? '') };
  }
  return undefined;
}

function answer({ head, body, mode }: Call): Answer {
  const found = operationAt(head);
  if (found === undefined) throw new AwsError('UnknownOperationException', 'there is no such operation', 404);
  const { operation, name } = found;
  if (operation === 'ListFunctions') return json({ Functions: [] });
  if (!functionName.test(name)) throw new AwsError('ValidationException', `Value '${name}' at 'functionName' failed to satisfy constraint`);
  if (name.replace(/^.*function:/u, '').split(':', 1)[0] === 'missing')
    throw new AwsError('ResourceNotFoundException', `Function not found: ${name}`, 404);
  if (operation === 'UpdateFunctionCode') return json({ FunctionName: name, CodeSize: body.length });
  if (operation === 'InvokeWithResponseStream') return streamed(body, mode?.messageDelayMs);
  const version = { 'x-amz-executed-version': '$LATEST' };
  const type = header(head, 'x-amz-invocation-type');
  if (type === 'Event') return { status: 202, headers: {}, body: Buffer.alloc(0) };
  if (type === 'DryRun') return { status: 204, headers: {}, body: Buffer.alloc(0) };
  return { status: 200, headers: { 'content-type': 'application/json', ...version }, body };
}

/** The payload in ten pieces, one message each, and a last one. */
function streamed(body: Buffer, delayMs: number | undefined): Answer {
  const size = Math.max(1, Math.ceil(body.length / 10));
  const pieces = Array.from({ length: Math.ceil(body.length / size) }, (_, index) => body.subarray(index * size, (index + 1) * size));
  const chunks = pieces.map((piece) => event('PayloadChunk', piece, 'application/octet-stream'));
  return {
    status: 200,
    headers: { 'content-type': 'application/vnd.amazon.eventstream', 'x-amz-executed-version': '$LATEST' },
    body: streamEvents([...chunks, event('InvokeComplete', {})], delayMs),
  };
}

function json(value: object): Answer {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(value)) };
}
