/** The partitions whose hosts are emulated. Source: AWS regions and endpoints; the suffixes of a partition stand with its regions. */
const partitions = [
  { id: 'aws', region: /^(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d{1,2}$/u, suffixes: ['amazonaws.com', 'api.aws'] },
  { id: 'aws-us-gov', region: /^us-gov-[a-z]+-\d{1,2}$/u, suffixes: ['amazonaws.com', 'api.aws'] },
  { id: 'aws-cn', region: /^cn-[a-z]+-\d{1,2}$/u, suffixes: ['amazonaws.com.cn', 'api.amazonwebservices.com.cn'] },
  { id: 'aws-eusc', region: /^eusc-[a-z]{2}-[a-z]+-\d{1,2}$/u, suffixes: ['amazonaws.eu', 'api.amazonwebservices.eu'] },
] as const;

/** The partition that a region is in, as it stands in ARNs. */
export function partitionOf(region: string): string {
  return partitions.find((partition) => partition.region.test(region))?.id ?? 'aws';
}

export interface RegionalHost {
  /** What stands before the region: `dynamodb`, `my.bucket.s3.dualstack`, `api.ecr`. */
  readonly label: string;
  readonly region: string;
}

/** Cuts `LABEL.REGION.SUFFIX`; undefined where there is no region of a partition that has this suffix. */
export function regionalHost(name: string): RegionalHost | undefined {
  for (const { region, suffixes } of partitions) {
    for (const suffix of suffixes) {
      if (!name.endsWith(`.${suffix}`)) continue;
      const rest = name.slice(0, -suffix.length - 1);
      const dot = rest.lastIndexOf('.');
      if (dot > 0 && region.test(rest.slice(dot + 1))) return { label: rest.slice(0, dot), region: rest.slice(dot + 1) };
    }
  }
  return undefined;
}
