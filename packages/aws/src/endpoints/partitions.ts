export type PartitionId = 'aws' | 'aws-us-gov' | 'aws-cn' | 'aws-eusc' | 'aws-iso' | 'aws-iso-b' | 'aws-iso-e' | 'aws-iso-f';
export type Partition = { readonly id: PartitionId; readonly dnsSuffix: string; readonly dualStackSuffix: string; readonly region: RegExp };

/**
 * From the partitions of AWS's SDK data. The region decides, never the suffix: aws and aws-us-gov share theirs. The SDK's own lookup answers
 * `aws` for any region it does not know, so it cannot refuse; this table does.
 */
export const partitions: readonly Partition[] = [
  {
    id: 'aws',
    dnsSuffix: 'amazonaws.com',
    dualStackSuffix: 'api.aws',
    region: /^(us|eu|ap|sa|ca|me|af|il|mx)-(?!gov-|iso)[a-z]{1,16}-\d{1,2}$/,
  },
  { id: 'aws-us-gov', dnsSuffix: 'amazonaws.com', dualStackSuffix: 'api.aws', region: /^us-gov-[a-z]{1,16}-\d{1,2}$/ },
  { id: 'aws-cn', dnsSuffix: 'amazonaws.com.cn', dualStackSuffix: 'api.amazonwebservices.com.cn', region: /^cn-[a-z]{1,16}-\d{1,2}$/ },
  { id: 'aws-eusc', dnsSuffix: 'amazonaws.eu', dualStackSuffix: 'api.amazonwebservices.eu', region: /^eusc-de-[a-z]{1,16}-\d{1,2}$/ },
  { id: 'aws-iso', dnsSuffix: 'c2s.ic.gov', dualStackSuffix: 'api.aws.ic.gov', region: /^us-iso-[a-z]{1,16}-\d{1,2}$/ },
  { id: 'aws-iso-b', dnsSuffix: 'sc2s.sgov.gov', dualStackSuffix: 'api.aws.scloud', region: /^us-isob-[a-z]{1,16}-\d{1,2}$/ },
  { id: 'aws-iso-e', dnsSuffix: 'cloud.adc-e.uk', dualStackSuffix: 'api.cloud-aws.adc-e.uk', region: /^eu-isoe-[a-z]{1,16}-\d{1,2}$/ },
  { id: 'aws-iso-f', dnsSuffix: 'csp.hci.ic.gov', dualStackSuffix: 'api.aws.hci.ic.gov', region: /^us-isof-[a-z]{1,16}-\d{1,2}$/ },
];

/** Undefined for a region that no partition knows: refuse it, never guess. */
export function partitionOf(region: string): Partition | undefined {
  return partitions.find((partition) => partition.region.test(region));
}

/** For places where the region was validated before and an unknown one is a fault of ours. */
export function requirePartition(region: string): Partition {
  const partition = partitionOf(region);
  if (partition === undefined) throw new RangeError(`no AWS partition has a region ${JSON.stringify(region)}`);
  return partition;
}
