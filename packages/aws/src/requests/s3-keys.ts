import type { RequestHead } from '#requests/aws-request.ts';
import { matchesRoute } from '#requests/rest-route.ts';
import { serviceTable, speaksS3 } from '#requests/service-table.ts';

/**
 * The operation of S3 or S3 Control that a request asks keys by, at whichever host of theirs: which of the two a host is, is the operator's word
 * where it is his own, and a mistake there must not hand out keys. `GET /*?session` is asked of a bucket, which stands in path or host.
 */
export function keysOfS3(head: RequestHead): string | undefined {
  if (!speaksS3(head.service)) return undefined;
  const known = serviceTable().credentials.find(({ service, operation, route }) => {
    if (service !== 's3' || route === undefined) return false;
    return matchesRoute(operation === 'CreateSession' ? { ...head, path: '/bucket' } : head, route);
  });
  return known?.operation;
}
