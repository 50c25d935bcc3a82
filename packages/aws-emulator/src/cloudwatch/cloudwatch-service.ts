import { gunzipSync } from 'node:zlib';

import { type RequestHead, header, mediaType, splitTarget } from '#exchange/request-head.ts';
import type { Call, Service } from '#exchange/service.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';
import { type Cbor, decodeCbor, encodeCbor } from '#protocols/cbor.ts';
import type { Protocol } from '#protocols/error-answer.ts';

const path = /^\/service\/GraniteServiceVersion20100801\/operation\/(?<operation>\w+)$/u;

/** CloudWatch in Smithy's RPC v2 with CBOR, and in AWS JSON: PutMetricData, whose body may be compressed, and ListMetrics. */
export function cloudWatchService(): Service {
  const names = new Set<string>();
  return {
    protocol: protocolOf,
    operationOf: (head) =>
      path.exec(splitTarget(head).path)?.groups?.['operation'] ?? header(head, 'x-amz-target')?.split('.').at(-1) ?? '',
    answer: (call) => answer(call, names),
  };
}

function protocolOf(head: RequestHead): Protocol {
  return header(head, 'smithy-protocol') === 'rpc-v2-cbor' ? { kind: 'cbor' } : { kind: 'json', contentType: 'application/x-amz-json-1.0' };
}

function answer({ head, body, operation }: Call, names: Set<string>): Answer {
  const cbor = protocolOf(head).kind === 'cbor';
  const bytes = header(head, 'content-encoding') === 'gzip' ? gunzipSync(body) : body;
  if (cbor && body.length > 0 && mediaType(head) !== 'application/cbor')
    throw new AwsError('SerializationException', 'the body is not called CBOR');
  const input = bytes.length === 0 ? {} : cbor ? decodeCbor(bytes) : (JSON.parse(bytes.toString('utf8')) as Cbor);
  if (operation === 'PutMetricData') {
    const { MetricData: data = [] } = input as { readonly MetricData?: readonly { readonly MetricName: string }[] };
    for (const { MetricName } of data) names.add(MetricName);
    return answered({}, cbor);
  }
  if (operation === 'ListMetrics')
    return answered({ Metrics: [...names].map((MetricName) => ({ Namespace: 'emulated', MetricName })) }, cbor);
  throw new AwsError('UnknownOperationException', `${operation} is not an operation of this service`, cbor ? 404 : 400);
}

function answered(value: { readonly [name: string]: Cbor }, cbor: boolean): Answer {
  if (!cbor) return { status: 200, headers: { 'content-type': 'application/x-amz-json-1.0' }, body: Buffer.from(JSON.stringify(value)) };
  return { status: 200, headers: { 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor' }, body: encodeCbor(value) };
}
