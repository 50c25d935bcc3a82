import type { ServiceId } from '#hosts/aws-host.ts';

interface Named {
  readonly service: ServiceId;
  readonly signingName: string;
}

/** Where what stands before the region is not the name that requests are signed with. Source: AWS General Reference, service endpoints. */
const labels: Readonly<Record<string, Named>> = {
  dynamodb: { service: 'dynamodb', signingName: 'dynamodb' },
  'streams.dynamodb': { service: 'dynamodb-streams', signingName: 'dynamodb' },
  'streams-dynamodb': { service: 'dynamodb-streams', signingName: 'dynamodb' },
  sts: { service: 'sts', signingName: 'sts' },
  lambda: { service: 'lambda', signingName: 'lambda' },
  'bedrock-runtime': { service: 'bedrock-runtime', signingName: 'bedrock' },
  ec2: { service: 'ec2', signingName: 'ec2' },
  monitoring: { service: 'cloudwatch', signingName: 'monitoring' },
  ssmmessages: { service: 'ssmmessages', signingName: 'ssmmessages' },
  logs: { service: 'logs', signingName: 'logs' },
  'stream-logs': { service: 'logs', signingName: 'logs' },
  iam: { service: 'iam', signingName: 'iam' },
  route53: { service: 'route53', signingName: 'route53' },
  bedrock: other('bedrock'),
  'bedrock-agent': other('bedrock'),
  'bedrock-agent-runtime': other('bedrock'),
  email: other('ses'),
  'mail-manager': other('ses'),
  'api.ecr': other('ecr'),
  'api.sagemaker': other('sagemaker'),
  'runtime.sagemaker': other('sagemaker'),
  'data-ats.iot': other('iotdata'),
  'data.iot': other('iotdata'),
  'data.jobs.iot': other('iot-jobs-data'),
  'api.tunneling.iot': other('IoTSecuredTunneling'),
  'portal.sso': other('awsssoportal'),
  oidc: other('sso-oauth'),
  'participant.connect': other('execute-api'),
  'models.lex': other('lex'),
  'runtime.lex': other('lex'),
  'models-v2-lex': other('lex'),
  'runtime-v2-lex': other('lex'),
  pinpoint: other('mobiletargeting'),
  appstream2: other('appstream'),
  cloudhsmv2: other('cloudhsm'),
  'memory-db': other('memorydb'),
  'query.timestream': { service: 'timestream', signingName: 'timestream' },
  'ingest.timestream': { service: 'timestream', signingName: 'timestream' },
  'query-cell1.timestream': other('timestream'),
  'ingest-cell1.timestream': other('timestream'),
  'entitlement.marketplace': other('aws-marketplace'),
  'metering.marketplace': other('aws-marketplace'),
};

/** Services whose host names no region; without one where partitions share the host, and the signature says which. */
const globals: Readonly<Record<string, Named & { readonly region?: string }>> = {
  'sts.amazonaws.com': { service: 'sts', signingName: 'sts', region: 'us-east-1' },
  'iam.amazonaws.com': { service: 'iam', signingName: 'iam', region: 'us-east-1' },
  'iam.global.api.aws': { service: 'iam', signingName: 'iam', region: 'us-east-1' },
  'iam.us-gov.amazonaws.com': { service: 'iam', signingName: 'iam', region: 'us-gov-west-1' },
  'route53.amazonaws.com': { service: 'route53', signingName: 'route53', region: 'us-east-1' },
  'route53.global.api.aws': { service: 'route53', signingName: 'route53', region: 'us-east-1' },
  'route53.us-gov.amazonaws.com': { service: 'route53', signingName: 'route53', region: 'us-gov-west-1' },
  'route53.amazonaws.com.cn': { service: 'route53', signingName: 'route53', region: 'cn-northwest-1' },
  'route53.amazonaws.eu': { service: 'route53', signingName: 'route53', region: 'eusc-de-east-1' },
  'cloudfront.amazonaws.com': other('cloudfront'),
  'cloudfront.amazonaws.eu': { ...other('cloudfront'), region: 'eusc-de-east-1' },
  'budgets.amazonaws.com': other('budgets'),
  'budgets.amazonaws.com.cn': { ...other('budgets'), region: 'cn-northwest-1' },
  'global.health.amazonaws.com': { ...other('health'), region: 'us-east-1' },
};

export function namedByLabel(label: string): Named | undefined {
  const account = /^\d{12}\.(?<streams>streams-)?ddb$/u.exec(label);
  // An API of API Gateway: a customer's host, behind which whatever he has put there answers.
  if (/^[a-z0-9]{10}\.execute-api$/u.test(label)) return other('execute-api');
  const place = account === null ? label : account.groups?.['streams'] === undefined ? 'dynamodb' : 'streams.dynamodb';
  if (/^[a-z]-[0-9a-f]{8}\.kinesisvideo$/u.test(label)) return { service: 'kinesisvideo', signingName: 'kinesisvideo' };
  const plain = place.replace(/^fips\.|-fips$/u, '');
  // Any other service is called as its requests are signed, in one label: nothing is answered for hosts that customers own.
  return Object.hasOwn(labels, plain) ? labels[plain] : /^[a-z0-9-]+$/u.test(plain) ? other(plain) : undefined;
}

/** Hosts that serve many regions, and take SigV4a alone. Source: the guides of EventBridge, SES and CloudFront's KeyValueStore. */
export function namedEverywhere(host: string): (Named & { readonly sigV4a: true }) | undefined {
  const [, service] =
    /^(?:[a-z0-9-]+\.){1,2}(endpoint\.events|endpoints\.email)\.(?:amazonaws\.com|api\.aws|global\.api\.aws)$/u.exec(host) ??
    /^\d{12}\.(cloudfront-kvs)\.global\.api\.aws$/u.exec(host) ??
    [];
  const name = { 'endpoint.events': 'events', 'endpoints.email': 'ses', 'cloudfront-kvs': 'cloudfront-keyvaluestore' }[service ?? ''];
  return name === undefined ? undefined : { ...other(name), sigV4a: true };
}

export function namedGlobally(host: string): (Named & { readonly region?: string }) | undefined {
  return Object.hasOwn(globals, host) ? globals[host] : undefined;
}

function other(signingName: string): Named {
  return { service: 'other', signingName };
}
