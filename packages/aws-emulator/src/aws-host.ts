/** What an AWS host stands for. Only the services emulated here are known. */
export interface AwsHost {
  readonly service: 'sts' | 'dynamodb' | 'dynamodb-streams';
  readonly region: string;
  /** Of an account endpoint. */
  readonly accountId?: string;
}

const suffix = String.raw`(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws|api\.amazonwebservices\.(?:com\.cn|eu))`;
const shapes: readonly (readonly [AwsHost['service'], RegExp])[] = [
  ['dynamodb', new RegExp(`^(?:(?<account>\\d{12})\\.ddb|dynamodb(?:-fips)?)\\.(?<region>[a-z0-9-]+)\\.${suffix}$`, 'u')],
  ['dynamodb-streams', new RegExp(`^streams[.-]dynamodb(?:-fips)?\\.(?<region>[a-z0-9-]+)\\.${suffix}$`, 'u')],
  ['sts', new RegExp(`^sts(?:-fips)?\\.(?<region>[a-z0-9-]+)\\.${suffix}$`, 'u')],
];

export function awsHost(host: string): AwsHost | undefined {
  const name = host.replace(/:(?:443|80)$/u, '');
  if (name === 'sts.amazonaws.com') return { service: 'sts', region: 'us-east-1' };
  for (const [service, shape] of shapes) {
    const groups = shape.exec(name)?.groups;
    if (groups === undefined) continue;
    const { region = '', account } = groups;
    if (/^[a-z]{2,4}(?:-[a-z]+){1,2}-\d{1,2}$/u.test(region))
      return { service, region, ...(account === undefined ? {} : { accountId: account }) };
  }
  return undefined;
}

/** The partition that a region is in, as it stands in ARNs. */
export function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  if (region.startsWith('us-gov-')) return 'aws-us-gov';
  return region.startsWith('eusc-') ? 'aws-eusc' : 'aws';
}
