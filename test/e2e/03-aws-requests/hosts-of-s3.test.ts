import { readFileSync } from 'node:fs';
import { Agent as HttpsAgent } from 'node:https';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { lacking } from '@postern/test-harness/programs.ts';
// The SDK takes its pure JavaScript of SigV4a from here.
import '@smithy/signature-v4a';
import { describe, expect, it } from 'vitest';
import { ROLE_ARN } from '#02-aws-guide/stage.ts';
import { arrivedAfter, type Arrived, linesOf, BothDoors } from '#03-aws-requests/both-doors.ts';
import { asArrived, ask, asWritten } from '#03-aws-requests/rare.ts';
import { call } from '#03-aws-requests/wire.ts';

const cannot = lacking('boto3');
/** "a b+c%2F=/../café", as it is written once; a second time, as other services have it in what is signed, it would be another key's. */
const KEY = '/a%20b%2Bc%252F%3D/../caf%C3%A9';
const MULTI_REGION = 'mfzwi23gnjvgw.mrap';
const EXPRESS = 'logs--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com';

describe.skipIf(cannot !== undefined)('hosts of S3 that sign in their own way', () => {
  const stage = new BothDoors();
  const { cluster } = stage;

  const scopeOf = (entry: Arrived) => /Credential=[^/]+\/\d{8}\/(\S+)\/aws4_request/.exec(linesOf(entry, 'authorization')[0] ?? '')?.[1];

  it.each([
    ['accelerated', 'far-away.s3-accelerate.amazonaws.com', 'us-east-1/s3'],
    ['access_point', 'reports-123456789012.s3-accesspoint.us-east-1.amazonaws.com', 'us-east-1/s3'],
    ['object_lambda', 'redacted-123456789012.s3-object-lambda.us-east-1.amazonaws.com', 'us-east-1/s3-object-lambda'],
    ['outpost', 'factory-123456789012.op-01ac5d28a6a232904.s3-outposts.us-east-1.amazonaws.com', 'us-east-1/s3-outposts'],
    ['express_by_request', EXPRESS, 'us-east-1/s3express'],
  ])('%s: boto3 gets what it put at %s, signed as %s, byte for byte as it wrote it', async (asked, host, scope) => {
    const before = cluster.rawLog().length;
    const { written, read } = await ask(cluster, stage.doors['tsh proxy aws'], { case: asked });
    const came = arrivedAfter(cluster, before);
    expect(came.map(asArrived)).toEqual(written.map(asWritten));
    expect(came.filter(({ verified }) => !verified)).toEqual([]);
    const there = came.filter((entry) => entry.host === host);
    expect(there.map((entry) => [entry.path, scopeOf(entry)])).toContainEqual([KEY, scope]);
    expect(new Set(there.map(scopeOf))).toEqual(new Set([scope]));
    expect(read).toBe(asked === 'object_lambda' ? 'what a function makes of it' : 'put there');
  });

  it('a multi-region access point: the AWS SDK for JavaScript signs for every region, and so does the role', async () => {
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '', ...env } = stage.doors['tsh proxy aws'].env;
    const { HTTPS_PROXY = '', AWS_CA_BUNDLE = '' } = env;
    const httpsAgent = new HttpsAgent({ proxyEnv: { HTTPS_PROXY }, ca: readFileSync(AWS_CA_BUNDLE) });
    const credentials = { accessKeyId, secretAccessKey };
    const s3 = new S3Client({ region: 'us-east-1', credentials, maxAttempts: 1, requestHandler: { httpsAgent } });
    const where = { Bucket: `arn:aws:s3::123456789012:accesspoint/${MULTI_REGION}`, Key: 'a b+c%2F=/../caf\u00e9' };
    const before = cluster.rawLog().length;
    await s3.send(new PutObjectCommand({ ...where, Body: 'in every region' }));
    expect(await (await s3.send(new GetObjectCommand(where))).Body?.transformToString()).toBe('in every region');
    const came = arrivedAfter(cluster, before);
    expect(came.map(({ host, path, verified }) => [host, path.split('?')[0], verified])).toEqual(
      came.map(() => [`${MULTI_REGION}.accesspoint.s3-global.amazonaws.com`, KEY, true]),
    );
    expect(came.map(({ method }) => method)).toEqual(['PUT', 'GET']);
    for (const entry of came) {
      expect(linesOf(entry, 'x-amz-region-set')).toEqual(['*']);
      expect(linesOf(entry, 'authorization')[0]).toMatch(/^AWS4-ECDSA-P256-SHA256 Credential=ASIA\w+\/\d{8}\/s3\/aws4_request/);
    }
  });

  it('a session of S3 Express is not opened: its keys would sign past this door, and the words say what to do instead', async () => {
    const before = cluster.rawLog().length;
    const { read } = await ask(cluster, stage.doors['tsh proxy aws'], { case: 'express' });
    const words = new RegExp(
      `^User alice is not authorized to perform s3express:CreateSession on app/aws as role ${ROLE_ARN}: .*AWS_S3_DISABLE_EXPRESS_SESSION_AUTH=true`,
    );
    expect(read).toEqual(['AccessDenied', expect.stringMatching(words)]);
    expect(arrivedAfter(cluster, before)).toEqual([]);
  });

  it('behind one local port there is no way to them, and the words name the one that there is', async () => {
    const before = cluster.rawLog().length;
    for (const service of ['s3express', 's3-object-lambda', 's3-outposts']) {
      const asked = { awsHost: '127.0.0.1', service, method: 'GET', path: '/reports/key' };
      const { status, body } = await call(stage.doors['tsh up'].door, asked);
      expect([status, body.toString()]).toEqual([403, expect.stringMatching(/hosts name the bucket or access point; use tsh proxy aws/)]);
    }
    expect(arrivedAfter(cluster, before)).toEqual([]);
  });

  it('of the attacker are refused: an access point of another account, another service’s scope, one region’s signature for all', async () => {
    const before = cluster.rawLog().length;
    const { read } = await ask(cluster, stage.doors['tsh proxy aws'], { case: 'another_account' });
    expect(read).toEqual(['AccessDenied', expect.stringMatching(/is of account 999999999999, the role of 123456789012/)]);
    for (const awsHost of [
      'redacted-123456789012.s3-object-lambda.us-east-1.amazonaws.com',
      'factory-123456789012.op-01ac5d28a6a232904.s3-outposts.us-east-1.amazonaws.com',
      EXPRESS,
      `${MULTI_REGION}.accesspoint.s3-global.amazonaws.com`,
    ]) {
      const { status, body } = await call(stage.doors['tsh proxy aws'].door, { awsHost, service: 's3', method: 'GET', path: '/key' });
      expect([status, body.toString()]).toEqual([expect.any(Number), expect.stringMatching(/credential should be scoped to/i)]);
      expect(status).toBeGreaterThanOrEqual(400);
    }
    expect(arrivedAfter(cluster, before)).toEqual([]);
  });
});
