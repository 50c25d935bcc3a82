import { readFileSync, writeFileSync } from 'node:fs';
import { Agent as HttpsAgent } from 'node:https';
import { join } from 'node:path';
import { CloudWatchClient, ListDashboardsCommand } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { DescribeRegionsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { IAMClient, ListUsersCommand } from '@aws-sdk/client-iam';
import { KMSClient, ListKeysCommand } from '@aws-sdk/client-kms';
import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { ListHostedZonesCommand, Route53Client } from '@aws-sdk/client-route-53';
import { HeadObjectCommand, ListBucketsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { freePort, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientEnv, openDoor, openStage, roleYaml } from '#02-aws-guide/stage.ts';

const cannot = lacking('boto3');
type Told = Record<string, readonly [code: string, message: string]>;

/** Codes as AWS itself has them in each protocol, which is what programs compare. */
const denied = {
  'json 1.0': 'AccessDeniedException',
  'json 1.1': 'AccessDeniedException',
  'rest-json': 'AccessDeniedException',
  query: 'AccessDenied',
  'query of STS': 'AccessDenied',
  ec2: 'UnauthorizedOperation',
  S3: 'AccessDenied',
  'S3 with a body': 'AccessDenied',
  'rest-xml': 'AccessDenied',
};

describe.skipIf(cannot !== undefined)('a refusal is read by whoever asked', () => {
  const cluster = new Cluster();
  const doors = new Map<string, Record<string, string>>();

  beforeAll(async () => {
    await openStage(cluster);
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    const { env } = await openDoor(cluster);
    const port = await freePort();
    await cluster.mustSh(`tsh up --port ${port}`);
    doors.set('tsh proxy aws', env);
    const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = env;
    doors.set('tsh up', { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` });
  }, 120_000);
  afterAll(async () => {
    await cluster.sh('tsh down');
    await cluster.stop();
  });

  const python = async (env: Record<string, string>) =>
    JSON.parse(await cluster.mustSh(`python3 ${join(import.meta.dirname, 'refusals.py')}`, { env: clientEnv(env) })) as Told;

  /** The AWS SDK for JavaScript, each protocol that it speaks; CloudWatch is asked in CBOR. */
  async function javascript(env: Record<string, string>): Promise<Told> {
    const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_ENDPOINT_URL, AWS_CA_BUNDLE = '', HTTPS_PROXY = '' } = env;
    const through =
      AWS_ENDPOINT_URL === undefined
        ? { requestHandler: { httpsAgent: new HttpsAgent({ proxyEnv: { HTTPS_PROXY }, ca: readFileSync(AWS_CA_BUNDLE) }) } }
        : { endpoint: AWS_ENDPOINT_URL };
    const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
    const settings = { region: 'us-east-1', credentials, maxAttempts: 1, ...through };
    const s3 = new S3Client({ ...settings, forcePathStyle: true });
    const told: Record<string, readonly [string, string]> = {};
    for (const [protocol, call] of Object.entries({
      'json 1.0': () => new DynamoDBClient(settings).send(new ListTablesCommand({})),
      'json 1.1': () => new KMSClient(settings).send(new ListKeysCommand({})),
      'rest-json': () => new LambdaClient(settings).send(new ListFunctionsCommand({})),
      query: () => new IAMClient(settings).send(new ListUsersCommand({})),
      ec2: () => new EC2Client(settings).send(new DescribeRegionsCommand({})),
      CBOR: () => new CloudWatchClient(settings).send(new ListDashboardsCommand({})),
      'rest-xml': () => new Route53Client(settings).send(new ListHostedZonesCommand({})),
      S3: () => s3.send(new ListBucketsCommand({})),
      'S3 with a body': () => s3.send(new PutObjectCommand({ Bucket: 'files', Key: 'a b', Body: 'body' })),
      'S3 without one': () => s3.send(new HeadObjectCommand({ Bucket: 'files', Key: 'a' })),
    })) {
      told[protocol] = await call().then(
        () => ['none', 'not refused'] as const,
        (error: Error) => [error.name, error.message] as const,
      );
    }
    return told;
  }

  /** Of HEAD no SDK has a message: there is no body to read it in. */
  function expectWords(told: Told, words: RegExp): void {
    const { 'S3 without one': head, ...others } = told;
    expect(head?.[0]).toMatch(/^(?:403|400|Forbidden|BadRequest|Unknown|403 .*|400 .*)$/);
    expect(Object.entries(others).filter(([, [, message]]) => !words.test(message))).toEqual([]);
  }
  const codesOf = (told: Told) => Object.fromEntries(Object.entries(told).map(([protocol, [code]]) => [protocol, code]));

  describe.each(['tsh proxy aws', 'tsh up'])('through %s', (name) => {
    const keys = () => doors.get(name) ?? {};

    it('where the secret is not the key’s', async () => {
      const guessed = { ...keys(), AWS_SECRET_ACCESS_KEY: 'x'.repeat(40) };
      const before = cluster.rawLog().length;
      const py = await python(guessed);
      expectWords(py, /does not match the signature you provided/);
      expect(codesOf(py)).toMatchObject({
        'json 1.0': 'InvalidSignatureException',
        query: 'SignatureDoesNotMatch',
        S3: 'SignatureDoesNotMatch',
      });
      const js = await javascript(guessed);
      expectWords(js, /does not match the signature you provided/);
      expect(codesOf(js)).toMatchObject({
        'json 1.1': 'InvalidSignatureException',
        query: 'SignatureDoesNotMatch',
        ec2: 'AuthFailure',
        S3: 'SignatureDoesNotMatch',
      });
      expect(cluster.rawLog()).toHaveLength(before);
    }, 120_000);

    it('where nobody has the key', async () => {
      const unknown = { ...keys(), AWS_ACCESS_KEY_ID: 'AKIAYESTERDAY2345678' };
      const py = await python(unknown);
      expectWords(py, /AKIAYESTERDAY2345678|tsh/);
      expect(codesOf(py)).toMatchObject({
        'json 1.0': 'UnrecognizedClientException',
        query: 'InvalidClientTokenId',
        S3: 'InvalidAccessKeyId',
      });
      const js = await javascript(unknown);
      expectWords(js, /AKIAYESTERDAY2345678|tsh/);
      expect(codesOf(js)).toMatchObject({ 'json 1.1': 'UnrecognizedClientException', ec2: 'AuthFailure' });
    }, 120_000);
  });

  // A form takes boto3 longer to write: too-large.long.test.ts. What S3 is sent is passed on as it comes, so that there is no quota to be over.
  it('where a body that has to be held is over what an agent holds: 413, and nothing reaches AWS', async () => {
    const before = cluster.rawLog().length;
    const asked = async (name: string, cases: string) =>
      JSON.parse(
        await cluster.mustSh(`python3 ${join(import.meta.dirname, 'too-large.py')} ${cases}`, { env: clientEnv(doors.get(name)) }),
      ) as Record<string, readonly [status: number, code: string, words: string]>;
    const words = expect.stringMatching(/^the request body is over 256 MiB, .*: send x-amz-content-sha256, or parts$/) as unknown;
    expect(await asked('tsh proxy aws', 'function keys')).toEqual({
      function: [413, 'RequestEntityTooLargeException', words],
      keys: [400, 'ValidationError', 'a form for iam may have 1048576 bytes at most'],
    });
    expect(await asked('tsh up', 'function')).toEqual({ function: [413, 'RequestEntityTooLargeException', words] });
    expect(cluster.rawLog()).toHaveLength(before);
  });

  it('where the role was taken away meanwhile, in both modes: who, what, as which role, and why', async () => {
    const file = join(cluster.dir, 'aws-dynamodb-access.yaml');
    writeFileSync(file, roleYaml([`arn:aws:iam::123456789012:role/Another`]));
    await cluster.admin(`tctl create -f ${file}`);
    const first = doors.get('tsh up') ?? {};
    await until('the role to be gone', 20_000, async () => ((await javascript(first))['json 1.0']?.[0] === 'none' ? undefined : true));
    const words = /^User alice is not authorized to perform [\w:]+ on app\/aws as role arn:aws:iam::123456789012:role\/\w+: \S+/;
    for (const env of doors.values()) {
      const py = await python(env);
      expectWords(py, words);
      expect(codesOf(py)).toMatchObject(denied);
      const js = await javascript(env);
      expectWords(js, words);
      const { 'query of STS': _sts, ...others } = denied;
      expect(codesOf(js)).toMatchObject({ ...others, CBOR: 'AccessDeniedException' });
    }
  }, 180_000);
});
