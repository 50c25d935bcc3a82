import { hostLabels, partitionUnder, splitSuffix } from '#endpoints/host-labels.ts';
import type { PartitionId } from '#endpoints/partitions.ts';

export type AwsTunnel = { readonly host: string; readonly region: string; readonly partition: PartitionId };

/**
 * A host whose bytes pass untouched where policy allows it: the WebSocket of Session Manager, whose token the signed StartSession gave out
 * and which carries no signature. Undefined for every other.
 */
export function awsTunnel(text: string): AwsTunnel | undefined {
  const labels = hostLabels(text);
  const split = labels && splitSuffix(labels);
  if (split === undefined || split.inFront.length !== 2) return undefined;
  const [service, region = ''] = split.inFront;
  const partition = partitionUnder(split.suffix, region);
  if (partition === undefined || (service !== 'ssmmessages' && service !== 'ssmmessages-fips')) return undefined;
  return { host: `${service}.${region}.${split.suffix.text}`, region, partition: partition.id };
}
