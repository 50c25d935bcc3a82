import { AwsError } from '#protocols/aws-error.ts';
import { element, escapeXml } from '#protocols/xml.ts';
import type { Bucket, StoredObject } from '#s3/buckets.ts';
import { percentEncode } from '#sigv4/percent.ts';

const maxPage = 1000;
const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** ListObjectsV2 and ListObjects: in the order of the keys' bytes, in pages, with what shares a prefix up to the delimiter as one. */
export function listObjects(bucket: Bucket, query: ReadonlyMap<string, string>): string {
  const v2 = query.get('list-type') === '2';
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const encoded = query.get('encoding-type') === 'url';
  const shown = (text: string): string => (encoded ? percentEncode(Buffer.from(text)).replaceAll('%2F', '/') : text);
  const after = v2 ? (tokenKey(query.get('continuation-token')) ?? query.get('start-after') ?? '') : (query.get('marker') ?? '');
  const size = pageSize(query.get('max-keys'));
  const { entries, next } = page(bucket, { prefix, delimiter, after, size });
  const contents = entries.flatMap(({ object }) => (object === undefined ? [] : [contentsOf(object, shown)]));
  const prefixes = entries.flatMap(({ object, name }) =>
    object === undefined ? [`<CommonPrefixes>${element('Prefix', shown(name))}</CommonPrefixes>`] : [],
  );
  const token = query.get('continuation-token');
  const more = [
    ...(v2 ? [element('KeyCount', entries.length)] : [element('Marker', shown(after))]),
    ...(v2 && token !== undefined ? [element('ContinuationToken', token)] : []),
    ...(v2 && query.has('start-after') ? [element('StartAfter', shown(query.get('start-after') ?? ''))] : []),
    ...(next === undefined ? [] : [v2 ? element('NextContinuationToken', tokenOf(next)) : element('NextMarker', shown(next))]),
    ...(delimiter === '' ? [] : [element('Delimiter', shown(delimiter))]),
    ...(encoded ? [element('EncodingType', 'url')] : []),
  ];
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="${namespace}">` +
    element('Name', bucket.name) +
    element('Prefix', shown(prefix)) +
    element('MaxKeys', size) +
    element('IsTruncated', String(next !== undefined)) +
    more.join('') +
    contents.join('') +
    prefixes.join('') +
    '</ListBucketResult>'
  );
}

interface Paging {
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: string;
  readonly size: number;
}
interface Entry {
  readonly name: string;
  /** Undefined for a common prefix. */
  readonly object: StoredObject | undefined;
}

function page(
  bucket: Bucket,
  { prefix, delimiter, after, size }: Paging,
): { readonly entries: readonly Entry[]; readonly next: string | undefined } {
  const keys = [...bucket.objects.keys()]
    .filter((key) => key.startsWith(prefix))
    .map((key) => ({ key, bytes: Buffer.from(key) }))
    .sort((left, right) => Buffer.compare(left.bytes, right.bytes));
  const afterBytes = Buffer.from(after);
  const entries: Entry[] = [];
  for (const { key, bytes } of keys) {
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const name = cut < 0 ? key : key.slice(0, cut + delimiter.length);
    const object = cut < 0 ? bucket.objects.get(key) : undefined;
    const seen = cut < 0 ? Buffer.compare(bytes, afterBytes) <= 0 : Buffer.compare(Buffer.from(name), afterBytes) <= 0;
    if ((after !== '' && seen) || (object === undefined && entries.at(-1)?.name === name)) continue;
    if (entries.length === size) return { entries, next: size === 0 ? undefined : entries.at(-1)?.name };
    entries.push({ name, object });
  }
  return { entries, next: undefined };
}

function contentsOf({ key, modifiedMs, etag, content }: StoredObject, shown: (text: string) => string): string {
  return (
    `<Contents><Key>${escapeXml(shown(key))}</Key>${element('LastModified', new Date(modifiedMs).toISOString())}` +
    `${element('ETag', `"${etag}"`)}${element('Size', content.size)}<StorageClass>STANDARD</StorageClass></Contents>`
  );
}

function pageSize(text: string | undefined): number {
  if (text === undefined) return maxPage;
  if (!/^\d{1,9}$/u.test(text)) throw new AwsError('InvalidArgument', 'Argument max-keys must be an integer between 0 and 2147483647');
  return Math.min(maxPage, Number(text));
}

function tokenOf(key: string): string {
  return Buffer.from(key).toString('base64url');
}

function tokenKey(token: string | undefined): string | undefined {
  return token === undefined ? undefined : Buffer.from(token, 'base64url').toString();
}
