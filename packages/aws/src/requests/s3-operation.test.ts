import { describe, expect, test } from 'vitest';
import { s3Operation } from '#requests/s3-operation.ts';

const name = (line: string, given: { readonly headers?: readonly string[]; readonly bucket?: string } = {}): string | undefined => {
  const [method = '', target = ''] = line.split(' ');
  const [path = '', query = ''] = target.split('?');
  const { headers = [], bucket } = given;
  return s3Operation({ method, path, query, headers, ...(bucket !== undefined && { target: { host: 'h', bucket } }) });
};

describe('s3Operation', () => {
  test.each([
    ['GET /', 'ListBuckets'],
    ['GET /b', 'ListObjects'],
    ['GET /b/', 'ListObjects'],
    ['GET /b?list-type=2&prefix=&delimiter=%2F', 'ListObjectsV2'],
    ['GET /b?uploads', 'ListMultipartUploads'],
    ['GET /b?versions&prefix=a', 'ListObjectVersions'],
    ['GET /b?acl', 'GetBucketAcl'],
    ['GET /b?acl=', 'GetBucketAcl'],
    ['GET /b?intelligent-tiering&id=1', 'GetBucketIntelligentTieringConfiguration'],
    ['GET /b?intelligent-tiering', 'ListBucketIntelligentTieringConfigurations'],
    ['HEAD /b', 'HeadBucket'],
    ['HEAD /b/k', 'HeadObject'],
    ['GET /b/k?x-id=DeleteObject', 'GetObject'],
    ['GET /b/../k//', 'GetObject'],
    ['GET /b/k?versionId=1&response-content-type=text%2Fplain', 'GetObject'],
    ['GET /b/k?uploadId=u&part-number-marker=1', 'ListParts'],
    ['PUT /b/k', 'PutObject'],
    ['PUT /b/k?partNumber=1&uploadId=u', 'UploadPart'],
    ['POST /b/k?uploads', 'CreateMultipartUpload'],
    ['POST /b/k?uploadId=u', 'CompleteMultipartUpload'],
    ['DELETE /b/k?uploadId=u', 'AbortMultipartUpload'],
    ['POST /b?delete', 'DeleteObjects'],
    ['POST /b/k?select&select-type=2', 'SelectObjectContent'],
    ['PUT /b', 'CreateBucket'],
  ])('%s is %s', (line, operation) => expect(name(line)).toBe(operation));

  test('where the host names the bucket, the path is the key', () => {
    expect(name('GET /', { bucket: 'b' })).toBe('ListObjects');
    expect(name('GET /k', { bucket: 'b' })).toBe('GetObject');
  });

  test('a copy is told by its header', () => {
    const headers = ['X-Amz-Copy-Source', 'b2/k'];
    expect(name('PUT /b/k', { headers })).toBe('CopyObject');
    expect(name('PUT /b/k?partNumber=1&uploadId=u', { headers })).toBe('UploadPartCopy');
  });

  test.each([
    'GET /b?brandNewThing',
    'GET /b/k?brandNewThing',
    'POST /b',
    'PATCH /b/k',
    'OPTIONS /b/k',
    'DELETE /b?x=%FF&policy',
    'DELETE /b?x=;policy',
  ])('%s has no name', (line) => expect(name(line)).toBeUndefined());
});
