import type { AwsHost } from '#hosts/aws-host.ts';
import type { RegionalHost } from '#hosts/partitions.ts';

const flavours = String.raw`(?:-fips)?(?:\.dualstack)?`;
const bucket = String.raw`(?<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])`;
const regional: readonly { readonly label: RegExp; readonly signingName: string; readonly service?: 'other' }[] = [
  // Both before the plain shapes, which would take what stands in front for a bucket.
  { label: new RegExp(`^(?<bucket>[a-z0-9-]+-\\d{12})\\.s3-accesspoint${flavours}$`, 'u'), signingName: 's3' },
  { label: /^(?<bucket>[a-z0-9-]+-\d{12})\.s3-object-lambda(?:-fips)?$/u, signingName: 's3-object-lambda' },
  { label: /^(?<bucket>[a-z0-9-]+-\d{12})\.op-[a-z0-9]+\.s3-outposts$/u, signingName: 's3-outposts' },
  { label: /^(?<bucket>[a-z0-9-]+--(?<zone>[a-z0-9]+-az\d+)--x-s3)\.s3express-\k<zone>$/u, signingName: 's3express' },
  { label: new RegExp(`^\\d{12}\\.s3-control${flavours}$`, 'u'), signingName: 's3', service: 'other' },
  { label: new RegExp(`^(?:${bucket}\\.)?s3${flavours}$`, 'u'), signingName: 's3' },
];
/** Hosts without a region: the oldest one, the accelerated ones (the region is the signature's), and multi-region access points. */
const global: readonly { readonly name: RegExp; readonly region?: string; readonly sigV4a?: true }[] = [
  { name: /^(?<bucket>[a-z0-9.-]+)\.s3-accelerate(?:\.dualstack)?\.amazonaws\.com$/u },
  { name: /^(?<bucket>[a-z0-9]+\.mrap)\.accesspoint\.s3-global\.amazonaws\.com$/u, sigV4a: true },
  { name: new RegExp(`^(?:${bucket}\\.)?s3\\.amazonaws\\.com$`, 'u'), region: 'us-east-1' },
];

/** S3 in all the shapes of its hosts: path style, virtual host, dual stack, FIPS, access points. Source: S3 user guide, "Endpoints". */
export function s3Host(name: string, parts: RegionalHost | undefined): AwsHost | undefined {
  if (parts === undefined) return globalHost(name);
  for (const { label, signingName, service = 's3' } of regional) {
    const match = label.exec(parts.label);
    if (match !== null) return { service, signingName, region: parts.region, verbatimPath: true, ...bucketOf(match) };
  }
  return undefined;
}

function globalHost(name: string): AwsHost | undefined {
  for (const { name: shape, region, sigV4a } of global) {
    const match = shape.exec(name);
    if (match === null) continue;
    return {
      service: 's3',
      signingName: 's3',
      verbatimPath: true,
      ...(region === undefined ? {} : { region }),
      ...(sigV4a === undefined ? {} : { sigV4a }),
      ...bucketOf(match),
    };
  }
  return undefined;
}

function bucketOf(match: RegExpExecArray): { readonly bucket?: string } {
  const name = match.groups?.['bucket'];
  return name === undefined ? {} : { bucket: name };
}
