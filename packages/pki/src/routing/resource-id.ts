import { createHash } from 'node:crypto';

export const RESOURCE_ID_BYTES = 8;

/** Names a resource on the wire, in tickets and tunnels, without showing its name to whoever watches. */
export function resourceId(kind: string, name: string): Buffer {
  return createHash('sha256').update(`${kind}/${name}`).digest().subarray(0, RESOURCE_ID_BYTES);
}
