import { dynamodbHost, type DynamoDbService, type DynamoDbVariant } from '#endpoints/hosts.ts';
import { partitionOf } from '#endpoints/partitions.ts';
import type { Refusal } from '#refusals/refusal.ts';

export type DynamoDbEndpoint = {
  readonly service: DynamoDbService;
  readonly region: string;
  /** rebuilt from the tables; only a VPC endpoint's own label comes from the text */
  readonly host: string;
  readonly variant: DynamoDbVariant | 'account' | 'vpc';
  readonly accountId?: string;
};

/**
 * Reads the `uri` of a database. Only hosts of DynamoDB itself pass, in full and in their exact spelling: anything else under
 * `amazonaws.com` may be a stranger's machine, and a signed request sent there carries a live session token. The host is not judged but
 * built: region and service are read out of the text, the host is made from them, and the two must be equal.
 */
export function resolveDynamoDbUri(uri: string): DynamoDbEndpoint | Refusal {
  if (uri.length > 300) return refuse('it is longer than any DynamoDB endpoint');
  const host = /^(?:aws:\/\/|https:\/\/)?([a-z0-9][a-z0-9.-]*[a-z0-9])(?::443)?\/?$/.exec(uri)?.[1];
  if (host === undefined) return refuse('it is not a host name, optionally with https:// or aws:// and port 443');
  const labels = host.split('.');
  const region = labels.find((label) => partitionOf(label) !== undefined);
  if (region === undefined) return refuse('it names no AWS region');
  return standardEndpoint(host, region) ?? vpcEndpoint(host, region) ?? refuse('it is not an endpoint of DynamoDB or DynamoDB Streams');
}

const variants: readonly DynamoDbVariant[] = ['standard', 'fips', 'dualstack'];

function standardEndpoint(host: string, region: string): DynamoDbEndpoint | undefined {
  for (const service of ['dynamodb', 'streams'] as const) {
    for (const variant of variants) {
      if (host === dynamodbHost({ service, region, variant })) return { service, region, host, variant };
    }
  }
  const accountId = /^\d{12}(?=\.ddb\.)/.exec(host)?.[0];
  if (accountId === undefined) return undefined;
  const accountHosts = variants.map((variant) => dynamodbHost({ service: 'dynamodb', region, accountId, variant }));
  return accountHosts.includes(host) ? { service: 'dynamodb', region, host, variant: 'account', accountId } : undefined;
}

/**
 * An interface endpoint of DynamoDB in somebody's VPC, for explicit configuration. The service label before the region is AWS's: endpoint
 * services of third parties have `vpce-svc-…` there.
 */
function vpcEndpoint(host: string, region: string): DynamoDbEndpoint | undefined {
  const label = /^vpce-[0-9a-f]{8,17}-[0-9a-z]{4,16}(?:-[a-z0-9-]{3,32})?(?=\.)/.exec(host)?.[0];
  const suffix = partitionOf(region)?.dnsSuffix;
  if (label === undefined || suffix === undefined) return undefined;
  if (host === `${label}.dynamodb.${region}.vpce.${suffix}`) return { service: 'dynamodb', region, host, variant: 'vpc' };
  if (host === `${label}.streams.dynamodb.${region}.vpce.${suffix}`) return { service: 'streams', region, host, variant: 'vpc' };
  return undefined;
}

function refuse(reason: string): Refusal {
  return { refusal: `the uri cannot be used: ${reason}; leave it out to use the endpoint of the region` };
}
