import { type RequestHead, header, mediaType } from '#exchange/request-head.ts';
import type { S3Address } from '#s3/address.ts';

/** Sub-resources that are answered plainly, each with the noun in its operations' names: GET gets it, PUT puts it, DELETE deletes it. */
const bucketSubresources: Readonly<Record<string, string>> = {
  acl: 'BucketAcl',
  versioning: 'BucketVersioning',
  policy: 'BucketPolicy',
  cors: 'BucketCors',
  tagging: 'BucketTagging',
  lifecycle: 'BucketLifecycleConfiguration',
  encryption: 'BucketEncryption',
  publicAccessBlock: 'PublicAccessBlock',
  logging: 'BucketLogging',
  website: 'BucketWebsite',
  notification: 'BucketNotificationConfiguration',
  replication: 'BucketReplication',
  requestPayment: 'BucketRequestPayment',
  accelerate: 'BucketAccelerateConfiguration',
  ownershipControls: 'BucketOwnershipControls',
  'object-lock': 'ObjectLockConfiguration',
};
const objectSubresources: Readonly<Record<string, string>> = {
  acl: 'ObjectAcl',
  tagging: 'ObjectTagging',
  retention: 'ObjectRetention',
  'legal-hold': 'ObjectLegalHold',
};
const verbs: Readonly<Record<string, string>> = { GET: 'Get', PUT: 'Put', DELETE: 'Delete' };

/** The operation by method, address and query; empty where there is none. Source: S3 API reference. */
export function s3OperationOf(head: RequestHead, { bucket, key, query }: S3Address): string {
  if (bucket === undefined) return head.method === 'GET' ? 'ListBuckets' : '';
  const subresources = key === undefined ? bucketSubresources : objectSubresources;
  const sub = Object.keys(subresources).find((name) => query.has(name));
  const verb = verbs[head.method];
  if (sub !== undefined && verb !== undefined) return `${verb}${subresources[sub]}`;
  return key === undefined ? bucketOperation(head, query) : objectOperation(head, query);
}

function bucketOperation(head: RequestHead, query: ReadonlyMap<string, string>): string {
  switch (head.method) {
    case 'PUT':
      return 'CreateBucket';
    case 'DELETE':
      return 'DeleteBucket';
    case 'HEAD':
      return 'HeadBucket';
    case 'POST':
      // A form whose policy is signed in the place of the request.
      if (mediaType(head) === 'multipart/form-data') return 'PostObject';
      return query.has('delete') ? 'DeleteObjects' : '';
    case 'GET':
      if (query.has('location')) return 'GetBucketLocation';
      if (query.has('uploads')) return 'ListMultipartUploads';
      return query.get('list-type') === '2' ? 'ListObjectsV2' : 'ListObjects';
    default:
      return '';
  }
}

function objectOperation(head: RequestHead, query: ReadonlyMap<string, string>): string {
  const copied = header(head, 'x-amz-copy-source') !== undefined;
  switch (head.method) {
    case 'PUT':
      if (query.has('uploadId')) return copied ? 'UploadPartCopy' : 'UploadPart';
      return copied ? 'CopyObject' : 'PutObject';
    case 'POST':
      if (query.has('uploads')) return 'CreateMultipartUpload';
      if (query.has('uploadId')) return 'CompleteMultipartUpload';
      return query.has('select') ? 'SelectObjectContent' : '';
    case 'DELETE':
      return query.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'HEAD':
      return 'HeadObject';
    case 'GET':
      return query.has('uploadId') ? 'ListParts' : 'GetObject';
    default:
      return '';
  }
}
