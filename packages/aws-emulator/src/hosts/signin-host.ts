/** Partitions with a console, by the domains of sign-in and console. Source: IAM user guide, "Enabling custom identity broker access". */
const domains = [
  { partition: 'aws', signin: 'signin.aws.amazon.com', console: 'console.aws.amazon.com' },
  { partition: 'aws-us-gov', signin: 'signin.amazonaws-us-gov.com', console: 'console.amazonaws-us-gov.com' },
  { partition: 'aws-cn', signin: 'signin.amazonaws.cn', console: 'console.amazonaws.cn' },
  { partition: 'aws-eusc', signin: 'signin.amazonaws-eusc.eu', console: 'console.amazonaws-eusc.eu' },
] as const;

export interface SigninHost {
  readonly service: 'signin' | 'console';
  readonly partition: string;
  /** What stands before the domain: a region, or of the console also ACCOUNT-HASH.REGION. */
  readonly prefix: string;
}

/** The hosts of federation and of the console: the domain itself and what stands in front of it. */
export function signinHost(name: string): SigninHost | undefined {
  for (const domain of domains) {
    for (const service of ['signin', 'console'] as const) {
      const suffix = domain[service];
      if (name === suffix) return { service, partition: domain.partition, prefix: '' };
      if (name.endsWith(`.${suffix}`)) return { service, partition: domain.partition, prefix: name.slice(0, -suffix.length - 1) };
    }
  }
  return undefined;
}

/** The console's host in the partition of a region, where a login without a destination ends. */
export function consoleHost(partition: string): string {
  return domains.find((domain) => domain.partition === partition)?.console ?? domains[0].console;
}
