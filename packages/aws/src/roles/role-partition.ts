import { partitionOf } from '#endpoints/partitions.ts';
import type { Refusal } from '#refusals/refusal.ts';
import type { ApplicationRole } from '#roles/application-roles.ts';

/** AWS's credentials are worth nothing in another partition: said here, before a session token goes where it has no business. */
export function samePartition(role: ApplicationRole, region: string): Refusal | undefined {
  // a region set of SigV4a: multi-region access points are there in the first partition alone
  const partition = region === '*' ? 'aws' : partitionOf(region)?.id;
  if (partition === undefined) return { refusal: `no AWS partition has a region ${JSON.stringify(region.slice(0, 64))}` };
  if (partition === role.partition) return undefined;
  return {
    refusal: `region ${region} is in partition ${partition}, and role ${role.arn} in ${role.partition}: its credentials are not valid there`,
  };
}
