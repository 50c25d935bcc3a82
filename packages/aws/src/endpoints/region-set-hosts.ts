/** A service that has one host for many regions: its requests carry SigV4a for the region set `*`, and nothing else. */
export type RegionSetHost = { readonly service: string; readonly accountId?: string };

/** The id of an endpoint is `abcde.veo`: one label, or two. Source: the rules of botocore that name sigv4a, in the partition aws alone. */
const shapes: readonly { readonly host: RegExp; readonly service: string }[] = [
  { host: /^[a-z0-9-]+(?:\.[a-z0-9-]+)?\.endpoint\.events\.(?:amazonaws\.com|api\.aws)$/, service: 'events' },
  { host: /^[a-z0-9-]+(?:\.[a-z0-9-]+)?\.endpoints\.email\.(?:amazonaws\.com|global\.api\.aws)$/, service: 'ses' },
  { host: /^(?<account>\d{12})\.cloudfront-kvs\.global\.api\.aws$/, service: 'cloudfront-keyvaluestore' },
];

/** Global endpoints of EventBridge and SES, and CloudFront's KeyValueStore; those of S3 are in s3-hosts. */
export function regionSetHost(host: string): RegionSetHost | undefined {
  for (const { host: shape, service } of shapes) {
    const found = shape.exec(host);
    if (found === null) continue;
    const accountId = found.groups?.['account'];
    return { service, ...(accountId !== undefined && { accountId }) };
  }
  return undefined;
}
