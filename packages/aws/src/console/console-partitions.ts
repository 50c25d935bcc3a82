import type { PartitionId } from '#endpoints/partitions.ts';

export type ConsolePartition = {
  /** of the sign-in service; getSigninToken and login are asked of `/federation` there */
  readonly signInHost: string;
  /** the console, itself and under a region's label */
  readonly consoleHost: string;
  /** the only region there is, where the console has no host without one */
  readonly region?: string;
  /** pages of the console that have a host of their own, without a region */
  readonly otherHosts: readonly string[];
};

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html and the partitions' own user guides. */
const consoles: Partial<Record<PartitionId, ConsolePartition>> = {
  aws: {
    signInHost: 'signin.aws.amazon.com',
    consoleHost: 'console.aws.amazon.com',
    otherHosts: ['health.aws.amazon.com', 'lightsail.aws.amazon.com'],
  },
  'aws-cn': { signInHost: 'signin.amazonaws.cn', consoleHost: 'console.amazonaws.cn', otherHosts: [] },
  'aws-us-gov': { signInHost: 'signin.amazonaws-us-gov.com', consoleHost: 'console.amazonaws-us-gov.com', otherHosts: [] },
  'aws-eusc': {
    signInHost: 'eusc-de-east-1.signin.amazonaws-eusc.eu',
    consoleHost: 'console.amazonaws-eusc.eu',
    region: 'eusc-de-east-1',
    otherHosts: [],
  },
};

/** Undefined for the secret regions, whose consoles take no federation from outside. */
export function consolePartition(partition: PartitionId): ConsolePartition | undefined {
  return consoles[partition];
}

export const signInHosts = (): ReadonlySet<string> => new Set(Object.values(consoles).map(({ signInHost }) => signInHost));

/** The partition whose console a host is, `us-west-2.console.aws.amazon.com` → `aws`; undefined for every other host. */
export function partitionOfConsole(host: string, isRegionOf: (region: string) => PartitionId | undefined): PartitionId | undefined {
  for (const id of Object.keys(consoles) as PartitionId[]) {
    const known = consoles[id];
    if (known === undefined) continue;
    if ((host === known.consoleHost && known.region === undefined) || known.otherHosts.includes(host)) return id;
    const region = host.endsWith(`.${known.consoleHost}`) ? host.slice(0, -known.consoleHost.length - 1) : undefined;
    if (region !== undefined && isRegionOf(region) === id) return id;
  }
  return undefined;
}
