import { type RequestHead, header } from '#exchange/request-head.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';
import type { Bucket, StoredObject } from '#s3/buckets.ts';

/** Query parameters of GetObject that stand for headers of its answer. */
const overrides = ['content-type', 'content-language', 'expires', 'cache-control', 'content-disposition', 'content-encoding'];

export function findObject(bucket: Bucket, key: string): StoredObject {
  const object = bucket.objects.get(key);
  if (object === undefined) throw new AwsError('NoSuchKey', 'The specified key does not exist.', 404, { details: { Key: key } });
  return object;
}

/** GetObject and HeadObject: conditions, then the range, then the bytes as they are read. Source: RFC 9110, 13 and 14; S3 API reference. */
export function getObject(head: RequestHead, object: StoredObject, query: ReadonlyMap<string, string>): Answer {
  const about = describe(head, object);
  if (!checkConditions(head, object)) return { status: 304, headers: about, body: Buffer.alloc(0) };
  const { size } = object.content;
  const range = rangeOf(header(head, 'range'), size);
  const { start, end } = range ?? { start: 0, end: size };
  const given: Record<string, string> = {};
  for (const name of overrides) {
    const value = query.get(`response-${name}`);
    if (value !== undefined) given[name] = value;
  }
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      ...about,
      ...given,
      // What was summed is the whole object, so a part of it has no checksum.
      ...(range === undefined && header(head, 'x-amz-checksum-mode')?.toUpperCase() === 'ENABLED' ? object.checksums : {}),
      'content-length': String(end - start),
      ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
    },
    body: head.method === 'HEAD' ? Buffer.alloc(0) : object.content.read(start, end),
  };
}

function describe(_: RequestHead, { headers, etag, modifiedMs }: StoredObject): Readonly<Record<string, string>> {
  return { ...headers, 'accept-ranges': 'bytes', etag: `"${etag}"`, 'last-modified': new Date(modifiedMs).toUTCString() };
}

/** False where the client has it already. */
export function checkConditions(head: RequestHead, { etag, modifiedMs }: StoredObject): boolean {
  const lists = (name: string): boolean | undefined => {
    const value = header(head, name);
    if (value === undefined) return undefined;
    return value.split(',').some((tag) => tag.trim() === '*' || tag.trim().replaceAll('"', '') === etag);
  };
  const seconds = Math.floor(modifiedMs / 1000);
  const since = (name: string): number | undefined => {
    const time = Date.parse(header(head, name) ?? '');
    return Number.isNaN(time) ? undefined : time / 1000;
  };
  const failed = new AwsError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412);
  const matches = lists('if-match');
  if (matches === false) throw failed;
  const unmodified = since('if-unmodified-since');
  if (matches === undefined && unmodified !== undefined && seconds > unmodified) throw failed;
  const noneMatches = lists('if-none-match');
  if (noneMatches === true) return false;
  const modified = since('if-modified-since');
  return noneMatches !== undefined || modified === undefined || seconds > modified;
}

/** Undefined where the whole is meant: no range, or one of a form that is not understood. */
function rangeOf(value: string | undefined, size: number): { readonly start: number; readonly end: number } | undefined {
  const groups = /^bytes=(?<from>\d*)-(?<to>\d*)$/u.exec(value ?? '')?.groups;
  const { from = '', to = '' } = groups ?? {};
  if (groups === undefined || (from === '' && to === '')) return undefined;
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size : Math.min(size, Number(to) + 1);
  if (start >= size || start >= end)
    throw new AwsError('InvalidRange', 'The requested range is not satisfiable', 416, {
      details: { RangeRequested: value ?? '', ActualObjectSize: String(size) },
      headers: { 'content-range': `bytes */${size}` },
    });
  return { start, end };
}
