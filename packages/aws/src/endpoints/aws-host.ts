import { awsHosts } from '#endpoints/aws-hosts.ts';
import { placeOf } from '#endpoints/aws-target.ts';
import { hostLabels, partitionUnder, splitSuffix } from '#endpoints/host-labels.ts';
import { partitionOf, partitions } from '#endpoints/partitions.ts';

/**
 * Whether signed requests to this host are meant for AWS itself, so that a program's proxy has to read them: what the table knows, and
 * `name.REGION.suffix`, which is a service's, be it one that is younger than the table, or a region that was typed wrong: it is refused in
 * words then. Under AWS's suffixes the rest belongs to customers (clusters, databases, registries, downloads) and carries credentials of its own.
 */
export function isAwsHost(text: string): boolean {
  const labels = hostLabels(text);
  if (labels === undefined) return false;
  const place = placeOf(labels);
  if (place !== undefined) return place.host === labels.join('.');
  const split = splitSuffix(labels);
  const [prefix = '', region = '', ...more] = split?.inFront ?? [];
  if (split === undefined || region === '' || more.length > 0) return false;
  const isRegionOfNone = partitionOf(region) === undefined;
  return partitionUnder(split.suffix, region) !== undefined || (isRegionOfNone && awsHosts().prefixes.has(prefix));
}

/** The domains of every partition that AWS's own hosts stand below: what a local certificate authority may sign for. */
export function awsDomains(): readonly string[] {
  return [...new Set(partitions.flatMap(({ dnsSuffix, dualStackSuffix }) => [dnsSuffix, dualStackSuffix]))];
}
