import { PosternError } from '@postern/api';
import type { ResourceJson } from '#resources/stored-resource.ts';

/** When the store forgets the resource: `metadata.expires`, and for a lock `spec.expires` where that is earlier. */
export function expiryOf(resource: ResourceJson, nowMs: number): { readonly expiresMs?: number } {
  const written = [resource.metadata.expires, resource.kind === 'lock' ? resource.spec['expires'] : undefined];
  const times = written.filter((time) => typeof time === 'string').map((time) => Date.parse(time));
  if (times.length === 0) return {};
  const expiresMs = Math.min(...times);
  if (expiresMs <= nowMs) throw new PosternError('bad_request', `${resource.kind} ${resource.metadata.name}: expires lies in the past`);
  return { expiresMs };
}
