import { awsHosts } from '#endpoints/aws-hosts.ts';
import type { AwsScope } from '#endpoints/aws-target.ts';
import { hostLabels, partitionUnder, splitSuffix } from '#endpoints/host-labels.ts';

/**
 * The service and region of a host by the table, for requests that carry no signature to say so: what their refusal looks like, and whether
 * the operation is one that takes none. Undefined where the table knows none, or two. S3 has no such operations, and is known by its shape.
 */
export function scopeOfHost(text: string): AwsScope | undefined {
  const labels = hostLabels(text);
  const split = labels && splitSuffix(labels);
  if (labels === undefined || split === undefined) return undefined;
  const { prefixes, regionless } = awsHosts();
  const fixed = regionless.get(labels.join('.'));
  if (fixed !== undefined) return one([fixed.service], fixed.regions);
  if (split.inFront.some((label) => /^s3(?:$|-)/.test(label))) return { service: 's3', region: split.inFront.at(-1) ?? '' };
  const region = split.inFront.at(-1) ?? '';
  if (partitionUnder(split.suffix, region) === undefined) return undefined;
  return one(prefixes.get(split.inFront.slice(0, -1).join('.')) ?? [], [region]);
}

function one(services: readonly string[], regions: readonly string[]): AwsScope | undefined {
  const [service, otherService] = services;
  const [region, otherRegion] = regions;
  if (service === undefined || region === undefined || otherService !== undefined || otherRegion !== undefined) return undefined;
  return { service, region };
}
