import { type RequestHead, header } from '#exchange/request-head.ts';
import { AwsError } from '#protocols/aws-error.ts';
import { keyOf } from '#s3/address.ts';
import type { Buckets, StoredObject } from '#s3/buckets.ts';
import type { Content } from '#s3/content.ts';
import { findObject } from '#s3/get-object.ts';
import type { TakenObject } from '#s3/take-object.ts';
import type { Spool } from '#s3/spool.ts';
import { createHash } from 'node:crypto';

/** What x-amz-copy-source names: `[/]BUCKET/KEY`, percent-encoded once. */
export function copySource(head: RequestHead, buckets: Buckets): StoredObject {
  const source = (header(head, 'x-amz-copy-source') ?? '').replace(/^\//u, '').replace(/\?versionId=[^?]*$/u, '');
  const slash = source.indexOf('/');
  if (slash < 1 || slash === source.length - 1)
    throw new AwsError('InvalidArgument', 'Copy Source must mention the source bucket and key: sourcebucket/sourcekey');
  return findObject(buckets.get(source.slice(0, slash)), keyOf(source.slice(slash + 1)));
}

/** The bytes once more, in a place of their own: the source may go away. */
export async function copyContent(content: Content, spool: Spool, range?: string): Promise<TakenObject> {
  const groups = /^bytes=(?<from>\d+)-(?<to>\d+)$/u.exec(range ?? '')?.groups;
  const start = groups === undefined ? 0 : Number(groups['from']);
  const end = groups === undefined ? content.size : Number(groups['to']) + 1;
  if (end > content.size || (range !== undefined && groups === undefined))
    throw new AwsError('InvalidArgument', 'The x-amz-copy-source-range value must be of the form bytes=first-last within the source');
  const md5 = createHash('md5');
  for await (const piece of content.read(start, end)) {
    md5.update(piece);
    await spool.write(piece);
  }
  return { content: await spool.finish(), etag: md5.digest('hex'), checksums: {} };
}
