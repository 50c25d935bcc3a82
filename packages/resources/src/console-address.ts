import { partitionOfRegion } from '#aws-partitions.ts';

/** The partitions whose console can be signed in to; those of the intelligence community have no public federation. */
export type ConsolePartition = 'aws' | 'aws-us-gov' | 'aws-cn' | 'aws-eusc';
/** What an address of the AWS console says: its partition, and the region where the host names one. */
export type ConsoleAddress = { readonly partition: ConsolePartition; readonly region?: string } | { readonly refusal: string };

/** The European Sovereign Cloud has no console host without a region. */
const consoles: readonly { readonly partition: ConsolePartition; readonly host: string; readonly regional?: true }[] = [
  { partition: 'aws', host: 'console.aws.amazon.com' },
  { partition: 'aws-us-gov', host: 'console.amazonaws-us-gov.com' },
  { partition: 'aws-cn', host: 'console.amazonaws.cn' },
  { partition: 'aws-eusc', host: 'console.amazonaws-eusc.eu', regional: true },
];

const refusal =
  'is not an address of the AWS console, such as https://console.aws.amazon.com/console/home, and applications of other kinds are not served';

/**
 * Reads `https://console.aws.amazon.com/console/home`, with a region before the host or without. The host is compared with those of the
 * table as it was written, not as a URL parser would read it: nothing that two parsers read differently gets through.
 */
export function consoleAddress(uri: string): ConsoleAddress {
  const match = uri.length > 2048 ? null : /^https:\/\/(?<host>[a-z0-9.-]+)(?::443)?(?:[/?][\w./~%+:@=&?#!$'()*,;-]*)?$/u.exec(uri);
  const host = match?.groups?.['host'] ?? '';
  for (const { partition, host: console, regional } of consoles) {
    if (host === console && regional !== true) return { partition };
    const region = host.endsWith(`.${console}`) ? host.slice(0, -console.length - 1) : undefined;
    if (region !== undefined && partitionOfRegion(region) === partition) return { partition, region };
  }
  return { refusal };
}
