import { requirePartition } from '#endpoints/partitions.ts';

export type DynamoDbService = 'dynamodb' | 'streams';
export type DynamoDbVariant = 'standard' | 'fips' | 'dualstack';
export type DynamoDbTarget = {
  readonly service: DynamoDbService;
  readonly region: string;
  /** asks for the account's own host where AWS has one */
  readonly accountId?: string;
  readonly variant?: DynamoDbVariant;
};

/** Labels in front of the region. Streams moves its dot to a dash in the dual-stack form. */
const labels: Record<DynamoDbService, Record<DynamoDbVariant, string>> = {
  dynamodb: { standard: 'dynamodb', fips: 'dynamodb-fips', dualstack: 'dynamodb' },
  streams: { standard: 'streams.dynamodb', fips: 'streams.dynamodb-fips', dualstack: 'streams-dynamodb' },
};

/**
 * The host of DynamoDB or its Streams, built from tables and from nothing that a client sent. Throws RangeError for a region of no partition.
 * The account's host exists for DynamoDB in the `aws` partition only, neither with FIPS nor for Streams; elsewhere the plain host is the answer.
 */
export function dynamodbHost({ service, region, accountId, variant = 'standard' }: DynamoDbTarget): string {
  const partition = requirePartition(region);
  const suffix = variant === 'dualstack' ? partition.dualStackSuffix : partition.dnsSuffix;
  if (accountId !== undefined) {
    if (!isAccountId(accountId)) throw new RangeError('an AWS account id has twelve digits');
    if (service === 'dynamodb' && partition.id === 'aws' && variant !== 'fips') return `${accountId}.ddb.${region}.${suffix}`;
  }
  return `${labels[service][variant]}.${region}.${suffix}`;
}

/** The regional endpoint always: the global one is missing outside `aws` and gives tokens that opt-in regions refuse. */
export function stsHost(region: string): string {
  return `sts.${region}.${requirePartition(region).dnsSuffix}`;
}

export function isAccountId(text: string): boolean {
  return /^\d{12}$/.test(text);
}
