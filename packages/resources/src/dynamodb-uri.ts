import { partitionOf } from '#aws-partitions.ts';

/** What an address of DynamoDB says. */
export type DynamoDbAddress = { readonly region: string } | { readonly refusal: string };

const refusal =
  'is not an address of DynamoDB, such as dynamodb.us-east-1.amazonaws.com:443; leave it out, and the address follows from the region (VPC and test endpoints are set on the agent with AWS_ENDPOINT_URL)';

/**
 * Reads `dynamodb.us-east-1.amazonaws.com:443` and the other hosts that AWS has for DynamoDB, its account endpoints and
 * Streams, also with `https://` or `aws://` before it. Not parsed as a URL and then compared: the host is built for the
 * region it names, and must be the very text that was written. So nothing that two parsers read differently gets through.
 */
export function dynamoDbUri(uri: string): DynamoDbAddress {
  const host = uri
    .replace(/^(?:https|aws):\/\//u, '')
    .replace(/\/$/u, '')
    .replace(/:443$/u, '');
  if (host.length > 128) return { refusal };
  for (const region of new Set(host.split('.'))) {
    const partition = partitionOf(region);
    if (partition === undefined) continue;
    const { suffix, dualStackSuffix } = partition;
    const built = [
      `dynamodb.${region}.${suffix}`,
      `dynamodb-fips.${region}.${suffix}`,
      `dynamodb.${region}.${dualStackSuffix}`,
      `dynamodb-fips.${region}.${dualStackSuffix}`,
      `streams.dynamodb.${region}.${suffix}`,
      `streams.dynamodb-fips.${region}.${suffix}`,
      `streams-dynamodb.${region}.${dualStackSuffix}`,
      `streams-dynamodb-fips.${region}.${dualStackSuffix}`,
    ];
    const account = /^\d{12}(?=\.ddb\.)/u.exec(host)?.[0];
    if (account !== undefined) built.push(`${account}.ddb.${region}.${suffix}`, `${account}.ddb.${region}.${dualStackSuffix}`);
    if (built.includes(host)) return { region };
  }
  return { refusal };
}
