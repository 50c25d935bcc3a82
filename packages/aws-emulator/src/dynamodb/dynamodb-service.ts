import { header, hostOf, mediaType } from '#exchange/request-head.ts';
import type { Call, Service } from '#exchange/service.ts';
import { type DynamoDbRegions } from '#dynamodb/regions.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';

const prefixes = { dynamodb: 'DynamoDB_20120810.', 'dynamodb-streams': 'DynamoDBStreams_20120810.' } as const;

/** DynamoDB takes 16 MiB; the rest is slack so that the refusal is DynamoDB's own. */
const maxBodyBytes = 17 * 1024 * 1024;

/** A host answers only its own operations: Streams and DynamoDB share a signing name, not a host. */
export function dynamoDbService(service: keyof typeof prefixes, regions: DynamoDbRegions): Service {
  return {
    protocol: () => ({ kind: 'json', contentType: 'application/x-amz-json-1.0' }),
    operationOf: (head) => (header(head, 'x-amz-target') ?? '').split('.').at(-1) ?? '',
    maxBodyBytes,
    dynamodb: true,
    answer: (call) => {
      checkForm(call);
      const target = header(call.head, 'x-amz-target') ?? '';
      if (!target.startsWith(prefixes[service]))
        throw new AwsError('UnknownOperationException', `${target} is not an operation of ${header(call.head, 'host')}`);
      // Whoever discovers endpoints is told to stay.
      if (target === `${prefixes.dynamodb}DescribeEndpoints`) return endpoints(hostOf(call.head));
      const region = regions.get(call.region);
      return service === 'dynamodb' ? region.call(call.operation, call.body) : region.callStreams(call.operation, call.body);
    },
  };
}

function endpoints(host: string): Answer {
  const body = { Endpoints: [{ Address: host, CachePeriodInMinutes: 1440 }] };
  return { status: 200, headers: { 'content-type': 'application/x-amz-json-1.0' }, body: Buffer.from(JSON.stringify(body)) };
}

function checkForm({ head }: Call): void {
  if (head.method !== 'POST' || head.target !== '/' || mediaType(head) !== 'application/x-amz-json-1.0')
    throw new AwsError('UnknownOperationException', '');
  if (header(head, 'content-encoding') !== undefined) throw new AwsError('SerializationException', '');
}
