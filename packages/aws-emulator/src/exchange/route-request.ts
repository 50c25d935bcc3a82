import { type RequestHead, header, hostOf, splitTarget } from '#exchange/request-head.ts';
import { type AwsHost, type ServiceId, awsHost } from '#hosts/aws-host.ts';
import { AwsError } from '#protocols/aws-error.ts';
import { isUnsigned, readClaim } from '#sigv4/claim.ts';

/** Services by the name that requests are signed with, where a client is pointed at the emulator and the host says nothing. */
const signingNames: Readonly<Record<string, ServiceId>> = {
  sts: 'sts',
  dynamodb: 'dynamodb',
  s3: 's3',
  lambda: 'lambda',
  iam: 'iam',
  bedrock: 'bedrock-runtime',
  ec2: 'ec2',
  monitoring: 'cloudwatch',
  route53: 'route53',
};

/** What a request is for, as far as its head says; nothing of it is verified yet. */
export function routeRequest(head: RequestHead, hosts: 'aws' | 'any'): AwsHost {
  const host = hostOf(head);
  const named = awsHost(host);
  if (named !== undefined) return named;
  const loopback = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/u.test(host);
  const page = loopback ? pageOf(head) : undefined;
  if (page !== undefined) return page;
  if (hosts === 'aws')
    throw new AwsError('UnknownOperationException', `${host} is not the host of an AWS service that is emulated here`, 421);
  return isUnsigned(head) ? { service: 'sts', signingName: 'sts' } : signedFor(head);
}

/** The pages of sign-in and console, at the emulator's own address. */
function pageOf(head: RequestHead): AwsHost | undefined {
  const { path } = splitTarget(head);
  if (!isUnsigned(head)) return undefined;
  if (path === '/federation' || path === '/oauth') return { service: 'signin', signingName: 'signin' };
  return /\/(?:home|view)$|^\/console\//u.test(path) && head.method === 'GET' ? { service: 'console', signingName: 'signin' } : undefined;
}

function signedFor(head: RequestHead): AwsHost {
  const { service: signingName } = readClaim(head);
  const streams = (header(head, 'x-amz-target') ?? '').startsWith('DynamoDBStreams_');
  if (signingName === 'dynamodb' && streams) return { service: 'dynamodb-streams', signingName };
  if (signingName === 's3') return { service: 's3', signingName, verbatimPath: true };
  return { service: Object.hasOwn(signingNames, signingName) ? (signingNames[signingName] ?? 'other') : 'other', signingName };
}
