/**
 * AWS partitions: how their regions are named and under which domains their services answer. Source: partitions.json of
 * botocore (Apache-2.0). The partition follows from the region, never from a domain: two of them share theirs.
 */
export interface Partition {
  readonly name: string;
  readonly region: RegExp;
  readonly suffix: string;
  readonly dualStackSuffix: string;
}

export const partitions: readonly Partition[] = [
  { name: 'aws', region: /^(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d{1,2}$/u, suffix: 'amazonaws.com', dualStackSuffix: 'api.aws' },
  { name: 'aws-cn', region: /^cn-[a-z]+-\d{1,2}$/u, suffix: 'amazonaws.com.cn', dualStackSuffix: 'api.amazonwebservices.com.cn' },
  { name: 'aws-us-gov', region: /^us-gov-[a-z]+-\d{1,2}$/u, suffix: 'amazonaws.com', dualStackSuffix: 'api.aws' },
  { name: 'aws-eusc', region: /^eusc-de-[a-z]+-\d{1,2}$/u, suffix: 'amazonaws.eu', dualStackSuffix: 'api.amazonwebservices.eu' },
  { name: 'aws-iso', region: /^us-iso-[a-z]+-\d{1,2}$/u, suffix: 'c2s.ic.gov', dualStackSuffix: 'api.aws.ic.gov' },
  { name: 'aws-iso-b', region: /^us-isob-[a-z]+-\d{1,2}$/u, suffix: 'sc2s.sgov.gov', dualStackSuffix: 'api.aws.scloud' },
  { name: 'aws-iso-e', region: /^eu-isoe-[a-z]+-\d{1,2}$/u, suffix: 'cloud.adc-e.uk', dualStackSuffix: 'api.cloud-aws.adc-e.uk' },
  { name: 'aws-iso-f', region: /^us-isof-[a-z]+-\d{1,2}$/u, suffix: 'csp.hci.ic.gov', dualStackSuffix: 'api.aws.hci.ic.gov' },
];

/** "us-gov-west-1" has one dash more than a region of `aws`, so at most one partition matches. */
export function partitionOf(region: string): Partition | undefined {
  return partitions.find((partition) => partition.region.test(region));
}

export function partitionOfRegion(region: string): string | undefined {
  return partitionOf(region)?.name;
}

export function isRegion(text: string): boolean {
  return text.length <= 32 && partitionOf(text) !== undefined;
}
