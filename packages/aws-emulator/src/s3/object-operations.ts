import { header } from '#exchange/request-head.ts';
import type { Call } from '#exchange/service.ts';
import { event, streamEvents } from '#event-stream/stream-events.ts';
import { type Answer, AwsError } from '#protocols/aws-error.ts';
import { element } from '#protocols/xml.ts';
import { emptyAnswer, resultElements, xmlAnswer } from '#s3/answers.ts';
import { type Bucket, type Buckets, type StoredObject, putStored } from '#s3/buckets.ts';
import { copyContent, copySource } from '#s3/copy-object.ts';
import { findObject, getObject } from '#s3/get-object.ts';
import { abortUpload, completeUpload, createUpload, findUpload, listedParts, partNumber } from '#s3/multipart.ts';
import { objectHeaders } from '#s3/object-headers.ts';
import { Spool, type SpoolFolder } from '#s3/spool.ts';

export interface ObjectTarget {
  readonly buckets: Buckets;
  readonly bucket: Bucket;
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  readonly folder: SpoolFolder;
}

/** Operations on objects whose bodies are small or empty. */
export async function answerObject(call: Call, target: ObjectTarget): Promise<Answer> {
  const { bucket, key, query } = target;
  switch (call.operation) {
    case 'GetObject':
    case 'HeadObject':
      return getObject(call.head, findObject(bucket, key), query);
    case 'DeleteObject':
      await bucket.objects.get(key)?.content.dispose();
      bucket.objects.delete(key);
      return emptyAnswer(204);
    case 'CopyObject':
      return copyObject(call, target);
    case 'SelectObjectContent':
      return selectObjectContent(call, findObject(bucket, key));
    default:
      return answerUpload(call, target);
  }
}

async function answerUpload(call: Call, target: ObjectTarget): Promise<Answer> {
  const { bucket, key, query } = target;
  if (call.operation === 'CreateMultipartUpload') {
    const { id } = createUpload(bucket, key, objectHeaders(call.head));
    return xmlAnswer('InitiateMultipartUploadResult', `${element('Bucket', bucket.name)}${element('Key', key)}${element('UploadId', id)}`);
  }
  const upload = findUpload(bucket, key, query.get('uploadId'));
  switch (call.operation) {
    case 'AbortMultipartUpload':
      await abortUpload(bucket, upload);
      return emptyAnswer(204);
    case 'ListParts':
      return xmlAnswer('ListPartsResult', listedParts(bucket, upload));
    case 'CompleteMultipartUpload': {
      const object = completeUpload(bucket, upload, { xml: call.body.toString('utf8'), nowMs: call.nowMs });
      return xmlAnswer('CompleteMultipartUploadResult', `${element('Bucket', bucket.name)}${element('Key', key)}${resultElements(object)}`);
    }
    case 'UploadPartCopy': {
      const range = header(call.head, 'x-amz-copy-source-range');
      const taken = await copyContent(copySource(call.head, target.buckets).content, new Spool(target.folder), range);
      const part: StoredObject = { key, modifiedMs: call.nowMs, headers: {}, ...taken };
      upload.parts.set(partNumber(query.get('partNumber')), part);
      return xmlAnswer('CopyPartResult', resultElements(part));
    }
    default:
      throw new AwsError('MethodNotAllowed', 'The specified method is not allowed against this resource.', 405);
  }
}

async function copyObject(call: Call, { buckets, bucket, key, folder }: ObjectTarget): Promise<Answer> {
  const source = copySource(call.head, buckets);
  const replaces = header(call.head, 'x-amz-metadata-directive') === 'REPLACE';
  if (bucket.objects.get(key) === source && !replaces)
    throw new AwsError(
      'InvalidRequest',
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata.",
    );
  const taken = await copyContent(source.content, new Spool(folder));
  const headers = replaces ? objectHeaders(call.head) : source.headers;
  const copy: StoredObject = { key, modifiedMs: call.nowMs, headers, ...taken };
  putStored(bucket, copy);
  return xmlAnswer('CopyObjectResult', resultElements(copy));
}

/** Whatever is asked for, the object's text comes line by line: what counts here is that its messages pass one by one. */
async function selectObjectContent({ mode }: Call, { content }: StoredObject): Promise<Answer> {
  const pieces: Buffer[] = [];
  for await (const piece of content.read(0, content.size)) pieces.push(piece);
  const lines = Buffer.concat(pieces)
    .toString('utf8')
    .split(/(?<=\n)/u);
  const records = lines.map((line) => event('Records', Buffer.from(line), 'application/octet-stream'));
  const messages = [...records, { headers: { ':event-type': 'End', ':message-type': 'event' }, payload: Buffer.alloc(0) }];
  return {
    status: 200,
    headers: { 'content-type': 'application/vnd.amazon.eventstream' },
    body: streamEvents(messages, mode?.messageDelayMs),
  };
}
