import { AwsError } from '#aws-error.ts';
import { awsHost } from '#aws-host.ts';
import { type Received, header } from '#received.ts';

/** What a request is for, as far as its host and its headers say; nothing of it is verified yet. */
export interface Routed {
  readonly service: 'sts' | 'dynamodb' | 'dynamodb-streams';
  /** Undefined where the host does not name one: then the signature's counts. */
  readonly region: string | undefined;
  readonly operation: string;
}

const targets = [
  ['DynamoDB_20120810.', 'dynamodb'],
  ['DynamoDBStreams_20120810.', 'dynamodb-streams'],
] as const;

export function routeRequest(request: Received, hosts: 'aws' | 'any'): Routed {
  const host = (header(request, 'host') ?? '').toLowerCase();
  const target = header(request, 'x-amz-target') ?? '';
  const found = targets.find(([prefix]) => target.startsWith(prefix));
  const operation = found === undefined ? actionOf(request) : target.slice(found[0].length);
  const named = awsHost(host);
  if (named !== undefined) {
    // A host answers only its own operations: Streams and DynamoDB share a signing name, not a host.
    if (found !== undefined && found[1] !== named.service)
      throw new AwsError('UnknownOperationException', `${target} is not an operation of ${host}`);
    return { service: named.service, region: named.region, operation };
  }
  if (hosts === 'aws')
    throw new AwsError('UnknownOperationException', `${host} is not the host of an AWS service that is emulated here`, 421);
  return { service: found?.[1] ?? 'sts', region: undefined, operation };
}

function actionOf(request: Received): string {
  const mark = request.target.indexOf('?');
  const form = request.method === 'GET' && mark >= 0 ? request.target.slice(mark + 1) : request.body.subarray(0, 8192).toString('utf8');
  return /(?:^|&)Action=(?<action>\w+)/u.exec(form)?.groups?.['action'] ?? '';
}
