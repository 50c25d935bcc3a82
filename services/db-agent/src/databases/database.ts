import { dynamodbHost, type DynamoDbEndpoint, partitionOf, resolveDynamoDbUri } from '@postern/aws';
import type { DatabaseAws } from '#config.ts';

/** A database that may be served: checked, immutable, with the hosts that it is reached at built from tables. */
export interface Database {
  readonly name: string;
  /** As written, or what the region stands for; shown and recorded, never dialled. */
  readonly uri: string;
  readonly description: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly region: string;
  readonly accountId: string;
  readonly origin: 'config' | 'dynamic';
  readonly hosts: { readonly dynamodb: string; readonly streams: string };
  readonly assumeRoleArn: string | undefined;
  readonly externalId: string | undefined;
  readonly sessionTags: Readonly<Record<string, string>>;
}

export interface WrittenDatabase {
  readonly name: string;
  readonly description?: string | undefined;
  readonly protocol: string;
  readonly uri?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly aws: DatabaseAws;
  readonly origin: 'config' | 'dynamic';
}

const NAME = /^[a-zA-Z](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;
const ACCOUNT = /^[0-9]{12}$/;

/**
 * The last of three doors (auth and the configuration check before): what was stored by an older version or by hand is
 * checked again where it is used. A problem is a sentence that names the field.
 */
export function readDatabase(written: WrittenDatabase): Database | { readonly problem: string } {
  const { name, protocol, aws } = written;
  if (!NAME.test(name)) return problem(name, 'name must begin with a letter and hold letters, digits and hyphens, 63 at most');
  if (protocol !== 'dynamodb') return problem(name, `protocol is ${protocol}, and this agent serves dynamodb`);
  const endpoint = written.uri === undefined || written.uri === '' ? undefined : resolveDynamoDbUri(written.uri);
  if (endpoint && 'refusal' in endpoint) return problem(name, `uri ${written.uri ?? ''}: ${endpoint.refusal}`);
  const region = aws.region ?? endpoint?.region;
  if (region === undefined || region === '') return problem(name, 'aws.region is missing, and no uri says which');
  if (!partitionOf(region)) return problem(name, `aws.region ${region} is not a region of AWS`);
  if (endpoint && endpoint.region !== region) return problem(name, `aws.region is ${region}, and uri names ${endpoint.region}`);
  const accountId = aws.accountId ?? endpoint?.accountId;
  if (accountId === undefined || !ACCOUNT.test(accountId)) return problem(name, 'aws.account_id must be twelve digits');
  if (endpoint?.accountId !== undefined && endpoint.accountId !== accountId)
    return problem(name, `aws.account_id is ${accountId}, and uri names ${endpoint.accountId}`);
  const hosts = hostsOf(endpoint, region, accountId);
  return {
    name,
    uri: written.uri === undefined || written.uri === '' ? `${hosts.dynamodb}:443` : written.uri,
    description: written.description ?? '',
    labels: written.labels,
    region,
    accountId,
    origin: written.origin,
    hosts,
    assumeRoleArn: aws.assumeRoleArn,
    externalId: aws.externalId,
    sessionTags: aws.sessionTags ?? {},
  };
}

/** A uri chooses between AWS's own forms of a host. It never adds a host to those that the tables know. */
function hostsOf(endpoint: DynamoDbEndpoint | undefined, region: string, accountId: string): Database['hosts'] {
  const variant = endpoint?.variant === 'fips' || endpoint?.variant === 'dualstack' ? endpoint.variant : 'standard';
  const streams =
    endpoint?.variant === 'vpc' && endpoint.service === 'streams' ? endpoint.host : dynamodbHost({ service: 'streams', region, variant });
  if (endpoint?.variant === 'vpc' && endpoint.service === 'dynamodb') return { dynamodb: endpoint.host, streams };
  if (endpoint?.variant === 'account') return { dynamodb: dynamodbHost({ service: 'dynamodb', region, accountId }), streams };
  return { dynamodb: dynamodbHost({ service: 'dynamodb', region, variant }), streams };
}

function problem(name: string, why: string): { readonly problem: string } {
  return { problem: `database ${name}: ${why}` };
}
