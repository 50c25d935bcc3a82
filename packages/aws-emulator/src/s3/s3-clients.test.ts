import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';

import {
  ChecksumAlgorithm,
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetBucketAclCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Emulator, startEmulator } from '#index.ts';
import { present } from '#testing/present.ts';

const run = promisify(execFile);
const hasCli = present('aws', ['--version'], 'install the AWS CLI to run its tests');
const hasBoto = present('python3', ['-c', 'import boto3'], 'install boto3 for python3 to run its tests');
const key = { accessKeyId: 'AKIAEXAMPLEEXAMPLE00', secretAccessKey: 'secret' };
const directory = mkdtempSync(join(tmpdir(), 'emulator-s3-'));
let emulator: Emulator;
let s3: S3Client;
beforeAll(async () => {
  emulator = await startEmulator({
    accountId: '123456789012',
    accessKeys: [{ id: key.accessKeyId, secret: key.secretAccessKey }],
    hosts: 'any',
  });
  s3 = new S3Client({ endpoint: emulator.url, region: 'eu-west-1', credentials: key, forcePathStyle: true, maxAttempts: 1 });
  await s3.send(new CreateBucketCommand({ Bucket: 'files', CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } }));
});
afterAll(async () => {
  await emulator.close();
  rmSync(directory, { recursive: true });
});

const oddKeys = ['..', '../up', 'a//b', '/leading', 'trailing/', '.', "a b+c%2F=&:,@()!*'/ü/../~", 'emoji 🎲', 'a?b#c', 'line\nfeed'];
const sha256 = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex');

describe('the AWS SDK for JavaScript', () => {
  it.each(oddKeys)('keeps the key %j and what is under it', async (name) => {
    await s3.send(new PutObjectCommand({ Bucket: 'files', Key: name, Body: `of ${name}` }));
    const got = await s3.send(new GetObjectCommand({ Bucket: 'files', Key: name }));
    expect(await got.Body?.transformToString()).toBe(`of ${name}`);
    const listed = await s3.send(new ListObjectsV2Command({ Bucket: 'files', Prefix: name, EncodingType: 'url' }));
    expect(listed.Contents?.map(({ Key }) => decodeURIComponent(Key ?? ''))).toContain(name);
    await s3.send(new DeleteObjectCommand({ Bucket: 'files', Key: name }));
    await expect(s3.send(new GetObjectCommand({ Bucket: 'files', Key: name }))).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it.each([ChecksumAlgorithm.CRC32, ChecksumAlgorithm.CRC32C, ChecksumAlgorithm.SHA1, ChecksumAlgorithm.SHA256])(
    'uploads with %s, of bytes and of a stream with its trailer, and checks it on the way back',
    async (algorithm) => {
      const data = randomBytes(100_000);
      await s3.send(new PutObjectCommand({ Bucket: 'files', Key: 'sum', Body: data, ChecksumAlgorithm: algorithm }));
      expect(emulator.log().at(-1)).toMatchObject({ verified: true, payload: 'hash', bodySha256: sha256(data) });
      const stream = Readable.from([data.subarray(0, 50_000), data.subarray(50_000)]);
      await s3.send(
        new PutObjectCommand({ Bucket: 'files', Key: 'sum', Body: stream, ContentLength: data.length, ChecksumAlgorithm: algorithm }),
      );
      expect(emulator.log().at(-1)).toMatchObject({
        verified: true,
        payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        bodyBytes: data.length,
        bodySha256: sha256(data),
      });
      const got = await s3.send(new GetObjectCommand({ Bucket: 'files', Key: 'sum', ChecksumMode: 'ENABLED' }));
      expect(got[`Checksum${algorithm}`]).toMatch(/=$/u);
      expect(sha256(Buffer.from((await got.Body?.transformToByteArray()) ?? []))).toBe(sha256(data));
    },
  );

  it('uploads 12 MiB in parts, and reads a range of it', async () => {
    const data = randomBytes(12 * 1024 * 1024);
    await new Upload({ client: s3, params: { Bucket: 'files', Key: 'large', Body: Readable.from([data]) } }).done();
    expect(emulator.log().map(({ operation }) => operation)).toEqual(
      expect.arrayContaining(['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload']),
    );
    const head = await s3.send(new HeadObjectCommand({ Bucket: 'files', Key: 'large' }));
    expect(head).toMatchObject({ ContentLength: data.length, ETag: expect.stringMatching(/^"[0-9a-f]{32}-3"$/u) });
    const range = await s3.send(new GetObjectCommand({ Bucket: 'files', Key: 'large', Range: 'bytes=5242870-5242889' }));
    expect(range.ContentRange).toBe(`bytes 5242870-5242889/${data.length}`);
    expect(Buffer.from((await range.Body?.transformToByteArray()) ?? [])).toEqual(data.subarray(5_242_870, 5_242_890));
    await s3.send(new CopyObjectCommand({ Bucket: 'files', Key: 'copy of ü', CopySource: 'files/large' }));
    const copy = await s3.send(new GetObjectCommand({ Bucket: 'files', Key: 'copy of ü' }));
    expect(sha256(Buffer.from((await copy.Body?.transformToByteArray()) ?? []))).toBe(sha256(data));
  });

  it('keeps metadata and codings, lists in pages, and is told the truth of conditions and faults', async () => {
    const put = { Bucket: 'files', Key: 'p/1', Body: 'x', ContentEncoding: 'gzip', Metadata: { a: 'a   b', b: '1,2' } };
    const { ETag } = await s3.send(new PutObjectCommand(put));
    for (const Key of ['p/2', 'p/sub/3', 'p/sub/4']) await s3.send(new PutObjectCommand({ Bucket: 'files', Key, Body: Key }));
    const head = await s3.send(new HeadObjectCommand({ Bucket: 'files', Key: 'p/1' }));
    expect(head).toMatchObject({ ContentEncoding: 'gzip', Metadata: put.Metadata });
    const page = await s3.send(new ListObjectsV2Command({ Bucket: 'files', Prefix: 'p/', Delimiter: '/', MaxKeys: 2 }));
    expect(page).toMatchObject({ IsTruncated: true, KeyCount: 2, Contents: [{ Key: 'p/1' }, { Key: 'p/2' }] });
    const rest = new ListObjectsV2Command({ Bucket: 'files', Prefix: 'p/', Delimiter: '/', ContinuationToken: page.NextContinuationToken });
    expect(await s3.send(rest)).toMatchObject({ IsTruncated: false, CommonPrefixes: [{ Prefix: 'p/sub/' }] });
    const get = (more: object) => s3.send(new GetObjectCommand({ Bucket: 'files', Key: 'p/1', ...more }));
    expect((await get({ IfMatch: ETag })).$metadata.httpStatusCode).toBe(200);
    await expect(get({ IfMatch: '"0"' })).rejects.toMatchObject({ name: 'PreconditionFailed' });
    await expect(get({ IfNoneMatch: ETag })).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } });
    await expect(get({ Range: 'bytes=9-' })).rejects.toMatchObject({ name: 'InvalidRange' });
    await expect(s3.send(new HeadObjectCommand({ Bucket: 'files', Key: 'none' }))).rejects.toMatchObject({ name: 'NotFound' });
    await expect(s3.send(new PutObjectCommand({ Bucket: 'none', Key: 'k', Body: 'x' }))).rejects.toMatchObject({ name: 'NoSuchBucket' });
    expect((await s3.send(new GetBucketAclCommand({ Bucket: 'files' }))).Grants ?? []).toEqual([]);
    expect((await s3.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name)).toEqual(['files']);
  });

  it('is sent to the region of a bucket, before it has sent a body', async () => {
    const wrong = new S3Client({ endpoint: emulator.url, region: 'us-east-1', credentials: key, forcePathStyle: true, maxAttempts: 1 });
    await expect(wrong.send(new PutObjectCommand({ Bucket: 'files', Key: 'k', Body: 'x' }))).rejects.toMatchObject({
      name: 'PermanentRedirect',
      $response: { headers: { 'x-amz-bucket-region': 'eu-west-1' } },
    });
    expect(emulator.log().at(-1)).toMatchObject({ refusal: 'PermanentRedirect', bodyBytes: 0 });
  });

  it('reads a generated object of any size, none of which is held', async () => {
    emulator.seedObject('eu-west-1', { bucket: 'files', key: 'generated', generatedBytes: 64 * 1024 * 1024 });
    const got = await s3.send(new GetObjectCommand({ Bucket: 'files', Key: 'generated' }));
    let bytes = 0;
    let right = true;
    for await (const chunk of got.Body as Readable) {
      right &&= (chunk as Buffer)[0] === bytes % 251;
      bytes += (chunk as Buffer).length;
    }
    expect([bytes, right]).toEqual([64 * 1024 * 1024, true]);
  });
});

const env = {
  PATH: process.env['PATH'] ?? '',
  HOME: directory,
  AWS_ACCESS_KEY_ID: key.accessKeyId,
  AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
  AWS_DEFAULT_REGION: 'eu-west-1',
  AWS_EC2_METADATA_DISABLED: 'true',
};

describe.skipIf(!hasBoto)('boto3', () => {
  it('keeps odd keys and what is under them, asks before it sends, and presigns', async () => {
    const script = `
import boto3, json, sys, urllib.request
from botocore.config import Config
s3 = boto3.client('s3', endpoint_url=sys.argv[1], config=Config(signature_version='s3v4', s3={'addressing_style': 'path'}))
for key in json.loads(sys.argv[2]):
  s3.put_object(Bucket='files', Key=key, Body=('of ' + key).encode())
  assert s3.get_object(Bucket='files', Key=key)['Body'].read().decode() == 'of ' + key, key
  url = s3.generate_presigned_url('get_object', Params={'Bucket': 'files', 'Key': key}, ExpiresIn=60)
  assert urllib.request.urlopen(url).read().decode() == 'of ' + key, key
  s3.delete_object(Bucket='files', Key=key)
s3.put_object(Bucket='files', Key='empty', Body=b'', Metadata={'a': 'x   y'})
print(s3.head_object(Bucket='files', Key='empty')['Metadata']['a'], s3.head_object(Bucket='files', Key='empty')['ContentLength'])
try: s3.put_object(Bucket='none', Key='k', Body=b'x' * 100000)
except s3.exceptions.NoSuchBucket as error: print(error.response['Error']['Code'])
`;
    const before = emulator.log().length;
    const { stdout } = await run('python3', ['-c', script, emulator.url, JSON.stringify(oddKeys.filter((name) => name !== 'a?b#c'))], {
      env,
    });
    expect(stdout.trim()).toBe('x   y 0\nNoSuchBucket');
    const entries = emulator.log().slice(before);
    expect(entries.at(-1)).toMatchObject({ refusal: 'NoSuchBucket', bodyBytes: 0 });
    expect(entries.filter(({ method, refusal }) => method === 'PUT' && refusal === undefined).every(({ verified }) => verified)).toBe(true);
    expect(entries.filter(({ path }) => path.includes('X-Amz-Signature')).every(({ payload }) => payload === 'UNSIGNED-PAYLOAD')).toBe(
      true,
    );
  });
});

describe.skipIf(!hasCli)('the AWS CLI', () => {
  it('copies a large file up and down in parts, and removes it', async () => {
    const aws = (...args: string[]) => run('aws', [...args, '--endpoint-url', emulator.url], { env });
    const data = randomBytes(20 * 1024 * 1024);
    writeFileSync(join(directory, 'f+1.bin'), data);
    await aws('s3', 'cp', join(directory, 'f+1.bin'), 's3://files/dir x/f+1.bin');
    await aws('s3', 'cp', 's3://files/dir x/f+1.bin', join(directory, 'back'));
    expect(sha256(readFileSync(join(directory, 'back')))).toBe(sha256(data));
    expect((await aws('s3', 'ls', 's3://files/dir x/')).stdout).toContain(' 20971520 f+1.bin');
    await aws('s3', 'rm', 's3://files/dir x/f+1.bin');
    await expect(aws('s3', 'ls', 's3://files/dir x/')).rejects.toMatchObject({ code: 1 });
  }, 90_000);
});
