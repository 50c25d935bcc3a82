import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { describe, expect, it } from 'vitest';
import { clientEnv } from '#02-aws-guide/stage.ts';
import { arrivedAfter, doorNames, linesOf, BothDoors } from '#03-aws-requests/both-doors.ts';
import { crc32Trailer, plainChunks, sha256, signedChunks } from '#03-aws-requests/signer.ts';
import { answerOf, call, type Call, written } from '#03-aws-requests/wire.ts';

const cannot = lacking('boto3');
const S3 = 's3.us-east-1.amazonaws.com';

interface Presigned {
  readonly put: string;
  readonly get: string;
  readonly post: { readonly url: string; readonly fields: Readonly<Record<string, string>> };
}

describe.skipIf(cannot !== undefined)('requests whose every byte is known', () => {
  const stage = new BothDoors();
  const { cluster } = stage;
  const arrived = (after: number) => arrivedAfter(cluster, after);

  describe.each(doorNames)('through %s', (name) => {
    const door = () => stage.doors[name].door;
    const s3 = (asked: Partial<Call> & Pick<Call, 'method' | 'path'>) => call(door(), { awsHost: S3, service: 's3', ...asked });
    const bucket = `/${name.replaceAll(' ', '-')}`;
    /** What reached AWS of one call, which is one request and no more. */
    async function one(asked: Partial<Call> & Pick<Call, 'method' | 'path'>) {
      const before = cluster.rawLog().length;
      const answer = await s3(asked);
      const came = arrived(before);
      expect(came.map(({ verified }) => verified)).toEqual([true]);
      const [entry = expect.fail('nothing arrived')] = came;
      return { answer, entry };
    }

    it('a bucket is made, so that there is something to ask of', async () => {
      expect(await s3({ method: 'PUT', path: bucket })).toMatchObject({ status: 200 });
    });

    it.each([65_536, 8192, 10_001, 9_000_000])('signed chunks of %i bytes are signed anew, each', async (size) => {
      const content = randomBytes(150_000);
      const { answer, entry } = await one({
        method: 'PUT',
        path: `${bucket}/chunks`,
        payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
        headers: [
          ['Content-Encoding', 'aws-chunked'],
          ['X-Amz-Decoded-Content-Length', String(content.length)],
        ],
        body: (seed) => signedChunks(content, size, seed),
      });
      expect([answer.status, answer.body.toString()]).toEqual([200, '']);
      expect(entry).toMatchObject({ payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', bodySha256: sha256(content), bodyBytes: 150_000 });
      expect((await s3({ method: 'GET', path: `${bucket}/chunks` })).body.equals(content)).toBe(true);
    });

    it('signed chunks with a signed trailer keep its checksum', async () => {
      const content = randomBytes(70_000);
      const trailer = crc32Trailer(content);
      const { answer, entry } = await one({
        method: 'PUT',
        path: `${bucket}/trailer`,
        payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
        headers: [
          ['Content-Encoding', 'aws-chunked'],
          ['X-Amz-Decoded-Content-Length', String(content.length)],
          ['X-Amz-Trailer', trailer[0]],
        ],
        body: (seed) => signedChunks(content, 65_536, seed, trailer),
      });
      expect([answer.status, answer.body.toString()]).toEqual([200, '']);
      expect(entry).toMatchObject({ payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', bodySha256: sha256(content) });
      const head = await s3({ method: 'HEAD', path: `${bucket}/trailer`, headers: [['X-Amz-Checksum-Mode', 'ENABLED']] });
      expect(head.headers.get(trailer[0])).toBe(trailer[1]);
    });

    it('a chunk that was changed on its way stores nothing, and the words say so', async () => {
      const content = randomBytes(70_000);
      const answer = await s3({
        method: 'PUT',
        path: `${bucket}/changed`,
        payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
        headers: [['X-Amz-Decoded-Content-Length', String(content.length)]],
        body: (seed) => {
          const bytes = signedChunks(content, 65_536, seed);
          bytes[bytes.length - 500] = (bytes.at(-500) ?? 0) ^ 1;
          return bytes;
        },
      });
      expect(answer.status).toBe(403);
      expect(answer.body.toString()).toMatch(/<Code>SignatureDoesNotMatch<\/Code><Message>[^<]*chunk/);
      expect((await s3({ method: 'HEAD', path: `${bucket}/changed` })).status).toBe(404);
    });

    it('gzip,aws-chunked stays gzip of what was stored', async () => {
      const content = gzipSync(randomBytes(9000).toString('hex'));
      const trailer = crc32Trailer(content);
      const { answer, entry } = await one({
        method: 'PUT',
        path: `${bucket}/gzip`,
        payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        headers: [
          ['Content-Encoding', 'gzip,aws-chunked'],
          ['X-Amz-Decoded-Content-Length', String(content.length)],
          ['X-Amz-Trailer', trailer[0]],
        ],
        body: plainChunks(content, trailer),
      });
      expect([answer.status, answer.body.toString()]).toEqual([200, '']);
      expect(linesOf(entry, 'content-encoding')).toEqual(['gzip,aws-chunked']);
      const got = await s3({ method: 'GET', path: `${bucket}/gzip` });
      expect(got.headers.get('content-encoding')).toBe('gzip');
      expect(gunzipSync(got.body)).toEqual(gunzipSync(content));
    });

    it.each(['/..', '/../up', '/a//b', '/./dot', '//leading', '/trailing/', '/%2E%2e/x', '/a+b%2Bc%252F=&:,@()!*%27~', '/caf%c3%a9'])(
      'the key %s is the same key at AWS, byte for byte',
      async (key) => {
        const path = `${bucket}${key}`;
        const { answer, entry } = await one({ method: 'PUT', path, body: Buffer.from(key) });
        expect([answer.status, entry.path]).toEqual([200, path]);
        expect((await s3({ method: 'GET', path })).body.toString()).toBe(key);
      },
    );

    it.each([
      'acl',
      'uploads',
      'list-type=2&prefix=%7Ea&delimiter=%c3%a9',
      "list-type=2&prefix='()*!&marker=",
      'list-type=2&prefix=a%20b&prefix=b',
    ])('the query %s arrives as it was written, and is signed as AWS reads it', async (query) => {
      const { entry } = await one({ method: 'GET', path: bucket, query });
      expect(entry.path).toBe(`${bucket}?${query}`);
    });

    it('keys of a query that stand twice both arrive, for a service of another path rule too', async () => {
      const before = cluster.rawLog().length;
      const asked = {
        awsHost: 'kafka.us-east-1.amazonaws.com',
        service: 'kafka',
        method: 'GET',
        path: '/v1/clusters/arn%3Aaws%3Akafka%2Fx',
      };
      const answer = await call(door(), { ...asked, query: 'attribute=b&attribute=a&flag&empty=&tilde=%7E' });
      expect(answer.status).toBe(200);
      expect(arrived(before).map(({ path, verified }) => [path, verified])).toContainEqual([
        `${asked.path}?attribute=b&attribute=a&flag&empty=&tilde=%7E`,
        true,
      ]);
    });

    it('a signature over User-Agent and Content-Length, as .NET and PowerShell make it, is good, and both arrive as they were signed', async () => {
      const body = Buffer.from('{"FunctionName":"echo"}');
      const agent = 'aws-sdk-dotnet-coreclr/4.0.3.2 ua/2.1 os/windows#10.0 md/ARCH#X64 lang/.NET_Core#8.0.0   cfg/retry-mode#standard';
      const signed = (length: number) =>
        [
          ['User-Agent', agent],
          ['Content-Length', String(length)],
          ['Content-Type', 'application/x-amz-json-1.1'],
          ['X-Amz-Target', 'TrentService.ListKeys'],
          ['amz-sdk-invocation-id', '5b1b6b6e-2f43-4b0c-9c3f-1b2a3c4d5e6f'],
          ['amz-sdk-request', 'attempt=1; max=5'],
        ] as const;
      const asked = { awsHost: 'kms.us-east-1.amazonaws.com', service: 'kms', method: 'POST', path: '/', body };
      const names =
        'amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;user-agent;x-amz-content-sha256;x-amz-date;x-amz-target';
      expect(written(door(), { ...asked, headers: signed(body.length) }).head).toContain(`SignedHeaders=${names},`);
      const before = cluster.rawLog().length;
      const answer = await call(door(), { ...asked, headers: signed(body.length) });
      expect([answer.status, answer.body.toString()]).toEqual([200, '{}']);
      const [entry = expect.fail('nothing arrived'), another] = arrived(before);
      expect([entry.operation, entry.verified, entry.bodySha256, another]).toEqual(['ListKeys', true, sha256(body), undefined]);
      expect(linesOf(entry, 'user-agent')).toEqual([agent]);
      expect(linesOf(entry, 'content-length')).toEqual([String(body.length)]);
      // Whoever changes one of them on the way is found out.
      const { head } = written(door(), { ...asked, headers: signed(body.length) }, [['Connection', 'close']]);
      const wire = await door().open(asked.awsHost);
      wire.send(Buffer.concat([Buffer.from(head.replace('dotnet-coreclr', 'dotnet-another'), 'latin1'), body]));
      await until('the refusal', 10_000, () => (wire.isClosed() ? true : undefined));
      expect(answerOf(wire.said()).body.toString()).toMatch(/does not match the signature you provided/);
      expect(arrived(before)).toHaveLength(1);
    });

    it('metadata keeps its spaces, its letters and its repetition', async () => {
      const utf8 = Buffer.from('gr\u00fcn').toString('latin1');
      const { answer, entry } = await one({
        method: 'PUT',
        path: `${bucket}/metadata`,
        headers: [
          ['x-amz-meta-odd', 'a   b'],
          ['x-amz-meta-twice', '1'],
          ['x-amz-meta-twice', '2'],
          ['x-amz-meta-letters', utf8],
        ],
      });
      expect(answer.status).toBe(200);
      expect(linesOf(entry, 'x-amz-meta-odd')).toEqual(['a   b']);
      expect(linesOf(entry, 'x-amz-meta-twice')).toEqual(['1', '2']);
      expect(linesOf(entry, 'x-amz-meta-letters')).toEqual([utf8]);
    });

    it('a copy names its source as it was written', async () => {
      const source = `${bucket}/a%20b%2B%C3%BC`;
      await s3({ method: 'PUT', path: source, body: Buffer.from('source') });
      const { answer, entry } = await one({ method: 'PUT', path: `${bucket}/copy`, headers: [['x-amz-copy-source', source.slice(1)]] });
      expect(answer.status).toBe(200);
      expect(linesOf(entry, 'x-amz-copy-source')).toEqual([source.slice(1)]);
      expect((await s3({ method: 'GET', path: `${bucket}/copy` })).body.toString()).toBe('source');
    });

    it('an ARN in a path of Lambda’s is one segment', async () => {
      const before = cluster.rawLog().length;
      const path = '/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aecho/invocations';
      const asked = { awsHost: 'lambda.us-east-1.amazonaws.com', service: 'lambda', method: 'POST', path, query: 'Qualifier=LIVE' };
      const answer = await call(door(), { ...asked, body: Buffer.from('{"a":1}') });
      expect([answer.status, answer.body.toString()]).toEqual([200, '{"a":1}']);
      expect(arrived(before).map((entry) => entry.path)).toContain(`${path}?Qualifier=LIVE`);
    });

    it('a path of an API is nobody’s to tidy, and its headers are its own; where a host is somebody’s no local port stands for it', async () => {
      const before = cluster.rawLog().length;
      const path = '/stage//a%2Fb/./c/';
      const headers = [
        ['X-Amz-Bearer', 'a   b'],
        ['X-Api-Key', 'k-1'],
        ['X-Custom', '"quoted,  twice"'],
      ] as const;
      const asked = { awsHost: 'participant.connect.us-east-1.amazonaws.com', service: 'execute-api', method: 'GET', path, headers };
      const answer = await call(door(), asked);
      if (name === 'tsh up') {
        expect([answer.status, answer.body.toString()]).toEqual([
          403,
          expect.stringMatching(/execute-api.*cannot be reached.*tsh proxy aws/s),
        ]);
        return expect(arrived(before)).toEqual([]);
      }
      expect(answer.status).toBe(200);
      const [entry = expect.fail('nothing arrived')] = arrived(before);
      expect([entry.path, entry.verified]).toEqual([path, true]);
      for (const [header, value] of headers) expect(linesOf(entry, header.toLowerCase())).toEqual([value]);
    });

    it('HEAD of what is not there has a status and no body; ranges and conditions have AWS’s own answers', async () => {
      const path = `${bucket}/ranges`;
      await s3({ method: 'PUT', path, body: Buffer.from('0123456789') });
      const missing = await s3({ method: 'HEAD', path: `${bucket}/missing` });
      expect([missing.status, missing.body.length]).toEqual([404, 0]);
      const part = await s3({ method: 'GET', path, headers: [['Range', 'bytes=2-4']] });
      expect([part.status, part.body.toString(), part.headers.get('content-range')]).toEqual([206, '234', 'bytes 2-4/10']);
      const etag = part.headers.get('etag') ?? 'no etag';
      expect((await s3({ method: 'GET', path, headers: [['If-None-Match', etag]] })).status).toBe(304);
      expect((await s3({ method: 'GET', path, headers: [['If-Match', '"another"']] })).status).toBe(412);
    });

    it('who asks before he sends is told once, by AWS’s word; and is refused without having been asked for a byte', async () => {
      const asked: Call = { awsHost: S3, service: 's3', method: 'PUT', path: `${bucket}/asked`, body: Buffer.from('asked first') };
      await cluster.awsFault('PutObject', { continues: 2 });
      const { head, body } = written(door(), asked, [
        ['Expect', '100-continue'],
        ['Connection', 'close'],
      ]);
      const wire = await door().open(S3);
      wire.send(Buffer.from(head, 'latin1'));
      await until('the word to go on', 10_000, () => (wire.said() === '' ? undefined : true));
      expect(wire.said()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
      wire.send(body);
      await until('the answer', 10_000, () => (wire.isClosed() ? true : undefined));
      expect(wire.said().match(/HTTP\/1\.1 100 /g)).toHaveLength(1);
      expect(answerOf(wire.said()).status).toBe(200);
      await cluster.awsFault('PutObject', undefined);

      const forged = await door().open(S3);
      forged.send(
        Buffer.from(
          head.replace(/Signature=\w{8}/, 'Signature=00000000').replace('Content-Length: 11', 'Content-Length: 5000000'),
          'latin1',
        ),
      );
      await until('the refusal', 10_000, () => (forged.isClosed() ? true : undefined));
      expect(forged.said()).not.toContain('100 Continue');
      expect(answerOf(forged.said()).status).toBe(403);
    });

    it('pre-signed addresses of boto3, to get and to put, are good through this door, and its forms are not', async () => {
      const env = clientEnv(stage.doors[name].env);
      const made = await cluster.mustSh(`python3 ${join(import.meta.dirname, 'presign.py')} ${bucket.slice(1)} 'by url +%2F'`, { env });
      const { put, get, post } = JSON.parse(made) as Presigned;
      const through = name === 'tsh up' ? '' : '--proxy "$HTTPS_PROXY" --cacert "$AWS_CA_BUNDLE"';
      const before = cluster.rawLog().length;
      const curl = (rest: string) => cluster.mustSh(`curl -sS ${through} -w '%{http_code}' ${rest}`, { env });
      expect(await curl(`-X PUT -H 'Content-Type: text/plain' --data-binary 'put by url' '${put}'`)).toBe('200');
      expect(await curl(`'${get}'`)).toBe('put by url200');
      const came = arrived(before).filter(({ path }) => path.includes('X-Amz-Signature='));
      expect(came.map(({ method, verified }) => [method, verified])).toEqual([
        ['PUT', true],
        ['GET', true],
      ]);
      expect(came.map(({ path }) => path).join()).not.toContain(door().keys.id);
      expect(await curl(`'${get.replace(/Signature=\w{8}/, 'Signature=00000000')}'`)).toMatch(/SignatureDoesNotMatch.*403$/s);
      expect(await curl(`'${get.replace('X-Amz-Expires=600', 'X-Amz-Expires=6000')}'`)).toMatch(/SignatureDoesNotMatch.*403$/s);
      // The policy of a form is signed with the local key, and nothing else of it: it cannot be signed anew, and is not sent unsigned.
      const passed = cluster.rawLog().length;
      const fields = Object.entries(post.fields).map(([field, value]) => `-F '${field}=${value}'`);
      expect(await curl(`${fields.join(' ')} -F 'file=by form' '${post.url}'`)).toMatch(
        name === 'tsh up'
          ? /the request names no access key of tsh.*403$/s
          : /<Code>InvalidRequest<\/Code><Message>an upload by HTML form \(S3 POST policy\).*use a pre-signed URL or PutObject.*400$/s,
      );
      expect(arrived(passed)).toEqual([]);
    });
  });
});
