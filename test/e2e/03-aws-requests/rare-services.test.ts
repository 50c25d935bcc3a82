import { createHash } from 'node:crypto';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { describe, expect, it } from 'vitest';
import { arrivedAfter, doorNames, linesOf, BothDoors } from '#03-aws-requests/both-doors.ts';
import { asArrived, ask, asWritten, type Told } from '#03-aws-requests/rare.ts';
import { call } from '#03-aws-requests/wire.ts';

const cannot = lacking('boto3');
const MIB = 1024 * 1024;

describe.skipIf(cannot !== undefined)('what boto3 writes to services that are seldom asked', () => {
  const stage = new BothDoors();
  const { cluster } = stage;

  describe.each(doorNames)('through %s', (name) => {
    const isProxy = name === 'tsh proxy aws';
    const suffix = name.replaceAll(' ', '-');
    /** What boto3 read, and what came: each request as it was written, under the role's signature. */
    async function compared(asked: string) {
      const before = cluster.rawLog().length;
      const { written, read } = await ask(cluster, stage.doors[name], { suffix, case: asked });
      const came = arrivedAfter(cluster, before);
      expect(came.map(asArrived)).toEqual(written.map(asWritten));
      expect(came.filter(({ verified }) => !verified)).toEqual([]);
      return { read, came };
    }
    async function refused(asked: string): Promise<Told['read']> {
      const before = cluster.rawLog().length;
      const { read } = await ask(cluster, stage.doors[name], { suffix, case: asked });
      expect(arrivedAfter(cluster, before)).toEqual([]);
      return read;
    }

    it('to Lambda: an archive of 50 MB whose hash is said nowhere', async () => {
      const { read, came } = await compared('lambda_code');
      expect(came).toMatchObject([{ operation: 'UpdateFunctionCode', payload: 'absent' }]);
      expect(came[0]?.bodyBytes).toBeGreaterThan(65 * MIB);
      expect(read).toBe(came[0]?.bodyBytes);
    });

    it('to Bedrock: 20 MB for a model whose id has a colon in it, or is an ARN', async () => {
      const { read, came } = await compared('bedrock');
      const arn = 'arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude/x';
      expect(read).toEqual(['anthropic.claude-v2:1', true, arn]);
      expect(came.map(({ path }) => path)).toEqual([
        '/model/anthropic.claude-v2%3A1/invoke',
        '/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude%2Fx/invoke',
      ]);
      expect(came[0]?.bodyBytes).toBe(20_000_000);
    });

    it('to IoT: a topic with slashes, a blank and a dollar sign, under a signing name that is not the host’s', async () => {
      if (!isProxy) {
        expect(await refused('iot')).toEqual([
          'AccessDeniedException',
          expect.stringMatching(/"iotdata" cannot be reached .*tsh proxy aws/),
        ]);
        return;
      }
      const { came } = await compared('iot');
      expect(came).toMatchObject([{ host: 'data-ats.iot.us-east-1.amazonaws.com', path: '/topics/a%2Fb%20c%2F%24x?qos=1' }]);
    });

    it('to Glacier: an archive with its tree hash, of the account that is called -', async () => {
      const { read, came } = await compared('glacier');
      const [archive = expect.fail('nothing arrived')] = came;
      expect([read, archive.path, archive.payload]).toEqual([200, '/-/vaults/photos/archives', 'hash']);
      expect(linesOf(archive, 'x-amz-sha256-tree-hash')).toEqual([treeHash(Buffer.from('0123456789abcdef'.repeat(160_000)))]);
      expect(linesOf(archive, 'x-amz-glacier-version')).toEqual(['2012-06-01']);
      expect(linesOf(archive, 'x-amz-archive-description')).toEqual(['a   b']);
    });

    it('to EBS: a block whose signature does not cover it, as a service other than S3 has it', async () => {
      const { read, came } = await compared('ebs');
      expect(came).toMatchObject([{ host: 'ebs.us-east-1.amazonaws.com', payload: 'UNSIGNED-PAYLOAD', bodyBytes: 524_288 }]);
      expect(linesOf(came[0] ?? expect.fail('nothing arrived'), 'x-amz-content-sha256')).toEqual(['UNSIGNED-PAYLOAD']);
      expect(read).toBe(200);
    });

    it('to DynamoDB and its Streams, which share a signing name and no host', async () => {
      const { read, came } = await compared('streams');
      expect(read).toEqual(['INSERT']);
      const hosts = (prefix: string) =>
        came.filter((entry) => linesOf(entry, 'x-amz-target')[0]?.startsWith(prefix)).map(({ host }) => host);
      expect(new Set(hosts('DynamoDB_'))).toEqual(new Set(['dynamodb.us-east-1.amazonaws.com']));
      // A stream is named by its ARN, and a young botocore goes to the account's own host then.
      expect(hosts('DynamoDBStreams_')[0]).toBe('streams.dynamodb.us-east-1.amazonaws.com');
      for (const host of hosts('DynamoDBStreams_'))
        expect(host).toMatch(/^(?:streams\.dynamodb|123456789012\.streams-ddb)\.us-east-1\.amazonaws\.com$/);
    });

    it('about endpoints: those that it is told of are behind the door as well, or it is told of none', async () => {
      if (!isProxy) {
        for (const asked of ['endpoints', 'cells'])
          expect(await refused(asked)).toEqual([
            'AccessDeniedException',
            expect.stringMatching(/past this port: turn it off.*tsh proxy aws/),
          ]);
        return;
      }
      const named = (await compared('endpoints')).came.map(({ host, operation }) => `${operation} ${host}`);
      expect(named).toEqual(['DescribeEndpoints dynamodb.us-east-1.amazonaws.com', 'ListTables dynamodb.us-east-1.amazonaws.com']);
      const cells = (await compared('cells')).came.map(({ host, operation }) => `${operation} ${host}`);
      expect(cells).toEqual([
        'DescribeEndpoints query.timestream.us-east-1.amazonaws.com',
        'Query query-cell1.timestream.us-east-1.amazonaws.com',
      ]);
    });

    it('to services that are in no region, signed for where they are', async () => {
      const { read, came } = await compared('globally');
      expect(read).toBe(1);
      expect(came.map(({ host, region }) => `${host} ${region}`)).toEqual([
        'route53.amazonaws.com us-east-1',
        'cloudfront.amazonaws.com us-east-1',
        'organizations.us-east-1.amazonaws.com us-east-1',
        'budgets.amazonaws.com us-east-1',
        'iam.amazonaws.com us-east-1',
      ]);
      if (isProxy) expect((await compared('globally_dual')).came).toMatchObject([{ host: 'iam.global.api.aws', region: 'us-east-1' }]);
    });

    it('to S3 Control, whose host is the account’s, and no other account’s', async () => {
      // boto3 puts the account in front of an address that is given: a local port is reached by clients that do not.
      const awsHost = '123456789012.s3-control.us-east-1.amazonaws.com';
      const byHand = async (account: string) => {
        const headers = [['x-amz-account-id', account]] as const;
        const before = cluster.rawLog().length;
        const asked = { awsHost: `${account}.s3-control.us-east-1.amazonaws.com`, service: 's3', method: 'GET', headers };
        const { status, body } = await call(stage.doors[name].door, { ...asked, path: '/v20180820/accesspoint' });
        return { status, words: body.toString(), came: arrivedAfter(cluster, before) };
      };
      if (isProxy) expect((await compared('control')).came).toMatchObject([{ host: awsHost, path: '/v20180820/accesspoint' }]);
      expect(await byHand('123456789012')).toMatchObject({ status: 200, came: [{ host: awsHost, verified: true }] });
      const words = expect.stringMatching(/is of account 999999999999, the role of 123456789012/) as unknown;
      expect(await byHand('999999999999')).toEqual({ status: 403, words, came: [] });
      if (isProxy) expect(await refused('control_elsewhere')).toEqual(['AccessDenied', words]);
    });

    it('to the account’s own host of DynamoDB, and not to another account’s', async () => {
      if (!isProxy) {
        // Behind a local port there is the account of the role and no other.
        expect((await compared('own_tables')).came).toMatchObject([{ host: 'dynamodb.us-east-1.amazonaws.com' }]);
        return;
      }
      expect((await compared('own_tables')).came).toMatchObject([{ host: '123456789012.ddb.us-east-1.amazonaws.com' }]);
      expect(await refused('tables_elsewhere')).toEqual([
        'AccessDeniedException',
        expect.stringMatching(/999999999999\.ddb\.us-east-1\.amazonaws\.com is of account 999999999999, the role of 123456789012/),
      ]);
    });

    it('to ECR and CodeArtifact: passwords for one service are asked for as the role, and are on record', async () => {
      const { read, came } = await compared('passwords');
      expect([read, came.map(({ host }) => host)]).toEqual([
        200,
        ['api.ecr.us-east-1.amazonaws.com', 'codeartifact.us-east-1.amazonaws.com'],
      ]);
      await until('the outcomes in the audit log', 20_000, async () => {
        const printed = await cluster.admin('tctl audit ls --kind=app.session.request --limit=1000 -f json');
        const answered = (JSON.parse(printed) as Record<string, unknown>[]).filter((event) => event['outcome'] === 'answered');
        // Of a REST service the path says what was asked for.
        const ecr = answered.some((event) => event['aws_service'] === 'ecr' && event['operation'] === 'GetAuthorizationToken');
        return ecr && answered.some((event) => event['path'] === '/v1/authorization-token') ? true : undefined;
      });
    });

    it('to DynamoDB: 16 MB of JSON at once', async () => {
      const { read, came } = await compared('batch');
      expect(read).toBe(320_000);
      const written = came.find(({ operation }) => operation === 'BatchWriteItem');
      expect(written?.bodyBytes).toBeGreaterThan(15.2 * MIB);
    });

    it('of operations that carry an address within that botocore has signed, none goes on half-way', async () => {
      const told = (await refused('signed_within')) as Record<string, readonly [code: string, words: string]>;
      expect(Object.keys(told).length).toBeGreaterThanOrEqual(10);
      for (const [operation, [code, words]] of Object.entries(told)) {
        expect([operation, code]).not.toEqual([operation, 'none']);
        expect([operation, words]).toEqual([
          operation,
          expect.stringMatching(/Pre[sS]ignedUrl that the SDK has signed with the local key/),
        ]);
      }
    });
  });
});

/** https://docs.aws.amazon.com/amazonglacier/latest/dev/checksum-calculations.html */
function treeHash(bytes: Buffer): string {
  const sha256 = (piece: Buffer) => createHash('sha256').update(piece).digest();
  let row = Array.from({ length: Math.ceil(bytes.length / MIB) }, (_, at) => sha256(bytes.subarray(at * MIB, (at + 1) * MIB)));
  while (row.length > 1)
    row = Array.from({ length: Math.ceil(row.length / 2) }, (_, at) => {
      const [left = Buffer.alloc(0), right] = row.slice(at * 2, at * 2 + 2);
      return right === undefined ? left : sha256(Buffer.concat([left, right]));
    });
  return row[0]?.toString('hex') ?? '';
}
