import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CloudWatchClient, ListMetricsCommand } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { ListHostedZonesCommand, Route53Client } from '@aws-sdk/client-route-53';
import { GetObjectCommand, HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { AwsSmithyRpcV2CborProtocol } from '@aws-sdk/core/protocols';
import { afterEach, describe, expect, test } from 'vitest';
import { awsRefusal } from '#refusals/aws-refusal.ts';
import { encodeStrings } from '#refusals/cbor.ts';
import { codeOf, type RefusalKind } from '#refusals/refusal-codes.ts';
import type { AwsProtocol } from '#requests/aws-request.ts';
import { protocolOf } from '#requests/protocol-of.ts';

const kinds = [
  'denied',
  'throttled',
  'unavailable',
  'expired',
  'missing_key',
  'unknown_key',
  'bad_signature',
  'skewed',
  'wrong_scope',
  'bad_request',
  'too_large',
  'internal',
] as const satisfies readonly RefusalKind[];
const protocols = [
  'json-1.0',
  'json-1.1',
  'rest-json',
  'rest-xml',
  's3',
  'query',
  'ec2',
  'rpc-v2-cbor',
] as const satisfies readonly AwsProtocol[];
const message = 'alice may not call <s3:GetObject> & "more" on Müsic’s bucket: role reader does not allow it';
const refusalOf = (kind: RefusalKind, protocol: AwsProtocol, method = 'POST') =>
  awsRefusal({ kind, protocol, method, message, requestId: 'id-1', ...(kind === 'throttled' && { retryAfterMs: 0 }) });
const named = (headers: readonly string[]) =>
  Object.fromEntries(headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1]]] : [])));

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** Refuses every request in the protocol that protocolOf finds in it, as an agent does; tells what that was. */
async function refuser(kind: RefusalKind, service: string) {
  const seen: AwsProtocol[] = [];
  const server = createServer((request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const { method = '' } = request;
    const protocol = protocolOf({ method, path, query, headers: request.rawHeaders, service });
    seen.push(protocol);
    const refusal = awsRefusal({ kind, protocol, method, message, requestId: 'id-1' });
    request.resume();
    response.writeHead(refusal.status, refusal.headers).end(refusal.body);
  });
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const config = {
    endpoint: `http://127.0.0.1:${port}`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'x'.repeat(40) },
    maxAttempts: 1,
    forcePathStyle: true,
  };
  return { seen, config };
}

type Config = Awaited<ReturnType<typeof refuser>>['config'];
const asks: readonly (readonly [AwsProtocol, string, (config: Config) => Promise<unknown>])[] = [
  ['json-1.0', 'dynamodb', (config) => new DynamoDBClient(config).send(new ListTablesCommand({}))],
  ['query', 'sts', (config) => new STSClient(config).send(new GetCallerIdentityCommand({}))],
  ['rest-json', 'lambda', (config) => new LambdaClient(config).send(new InvokeCommand({ FunctionName: 'f' }))],
  ['rest-xml', 'route53', (config) => new Route53Client(config).send(new ListHostedZonesCommand({}))],
  ['s3', 's3', (config) => new S3Client(config).send(new GetObjectCommand({ Bucket: 'b', Key: 'k' }))],
  [
    'rpc-v2-cbor',
    'monitoring',
    (config) => new CloudWatchClient({ ...config, protocol: AwsSmithyRpcV2CborProtocol }).send(new ListMetricsCommand({})),
  ],
];

describe('the AWS SDK for JavaScript shows the sentence', () => {
  test.each(asks)(
    'asked in %s by its client of %s',
    async (protocol, service, ask) => {
      for (const kind of kinds) {
        const { seen, config } = await refuser(kind, service);
        const error: unknown = await ask(config).catch((thrown: unknown) => thrown);
        expect(seen).toEqual([protocol]);
        const { code, status } = codeOf(kind, protocol);
        expect(error, kind).toMatchObject({ name: code, message, $metadata: { httpStatusCode: status } });
      }
    },
    30_000,
  );

  test('HEAD is answered by headers alone, and the client knows the status', async () => {
    const { config } = await refuser('denied', 's3');
    const error: unknown = await new S3Client(config)
      .send(new HeadObjectCommand({ Bucket: 'b', Key: 'k' }))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ $metadata: { httpStatusCode: 403, requestId: 'id-1' } });
    expect(refusalOf('denied', 's3', 'HEAD').body).toHaveLength(0);
  });

  test('throttling and outages are tried again, denials are not', async () => {
    for (const [kind, attempts] of [
      ['throttled', 2],
      ['unavailable', 2],
      ['denied', 1],
      ['expired', 1],
    ] as const) {
      for (const [, service, ask] of asks) {
        const { seen, config } = await refuser(kind, service);
        await ask({ ...config, maxAttempts: 2 }).catch(() => {});
        expect({ kind, service, attempts: seen.length }).toEqual({ kind, service, attempts });
      }
    }
  }, 60_000);
});

describe('awsRefusal', () => {
  test('every kind has a code in every protocol, and a body that says its length', () => {
    for (const kind of kinds) {
      for (const protocol of protocols) {
        const { status, headers, body } = refusalOf(kind, protocol);
        expect(status).toBeGreaterThanOrEqual(400);
        expect(named(headers)['content-length']).toBe(String(body.length));
        expect(body.length).toBeGreaterThan(0);
      }
    }
  });

  test('JSON answers in the content type of the request', () => {
    expect(named(refusalOf('denied', 'json-1.0').headers)['content-type']).toBe('application/x-amz-json-1.0');
    expect(named(refusalOf('denied', 'json-1.1').headers)['content-type']).toBe('application/x-amz-json-1.1');
  });

  test('2000 characters of a message stay, a longer one is cut, and what XML cannot hold is left out', () => {
    const sent = (text: string) =>
      /<Message>(.*)<\/Message>/.exec(
        awsRefusal({ kind: 'denied', protocol: 's3', method: 'GET', message: text, requestId: 'x' }).body.toString(),
      )?.[1];
    expect(sent('x'.repeat(2000))).toHaveLength(2000);
    expect(sent('x'.repeat(2001))).toBe(`${'x'.repeat(2000)}…`);
    expect(sent('a\0b\u001bc\r\n\ufffed\ud800')).toBe('a b c d\ufffd');
  });

  test('a wait is given in milliseconds and in whole seconds', () => {
    const { headers } = awsRefusal({ kind: 'throttled', protocol: 'query', method: 'POST', message, requestId: 'x', retryAfterMs: 1200.5 });
    expect(named(headers)).toMatchObject({ 'x-amz-retry-after': '1201', 'retry-after': '2' });
  });

  test('texts in CBOR are RFC 8949’s, up to each length of their heads', () => {
    expect(encodeStrings({ a: 'IETF' }).toString('hex')).toBe('a161616449455446');
    expect(encodeStrings({ a: 'x'.repeat(23) })[3]).toBe(0x77);
    expect(
      encodeStrings({ a: 'x'.repeat(24) })
        .subarray(3, 5)
        .toString('hex'),
    ).toBe('7818');
    expect(
      encodeStrings({ a: 'x'.repeat(256) })
        .subarray(3, 6)
        .toString('hex'),
    ).toBe('790100');
  });
});

const hasBotocore = spawnSync('python3', ['-c', 'import botocore.parsers']).status === 0;
const mustRun = process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined;

describe('botocore, which boto3 and the AWS CLI are made of', () => {
  test.skipIf(!hasBotocore && !mustRun)(
    'reads code, sentence and request id of every kind in every protocol (needs python3 with botocore: pip install botocore)',
    () => {
      const cases = kinds.flatMap((kind) =>
        protocols.map((protocol) => {
          const { status, headers, body } = refusalOf(kind, protocol);
          return { kind, protocol, status, headers: named(headers), body: body.toString('base64') };
        }),
      );
      const python = spawnSync('python3', ['-c', botocoreReader], { input: JSON.stringify(cases), encoding: 'utf8' });
      expect(python.stderr).toBe('');
      const read: unknown = JSON.parse(python.stdout);
      expect(read).toEqual(
        cases.map(({ kind, protocol, status }) => ({
          kind,
          protocol,
          code: codeOf(kind, protocol).code,
          message,
          status,
          requestId: 'id-1',
        })),
      );
    },
  );
});

// the parsers that a client of the protocol has; S3's is the one of rest-xml
const botocoreReader = `
import sys, json, base64
from botocore.parsers import create_parser
from botocore.awsrequest import HeadersDict
from botocore.loaders import Loader
from botocore.model import ServiceModel
names = {'json-1.0': ('json', 'dynamodb', 'ListTables'), 'json-1.1': ('json', 'kms', 'ListKeys'), 'rest-json': ('rest-json', 'lambda', 'ListFunctions'),
         'rest-xml': ('rest-xml', 'route53', 'ListHostedZones'), 's3': ('rest-xml', 's3', 'ListBuckets'), 'query': ('query', 'iam', 'ListUsers'),
         'ec2': ('ec2', 'ec2', 'DescribeInstances'), 'rpc-v2-cbor': ('smithy-rpc-v2-cbor', 'cloudwatch', 'ListMetrics')}
loader = Loader()
out = []
for case in json.load(sys.stdin):
    protocol, service, operation = names[case['protocol']]
    shape = ServiceModel(loader.load_service_model(service, 'service-2'), service).operation_model(operation).output_shape
    response = {'headers': HeadersDict(case['headers']), 'status_code': case['status'], 'body': base64.b64decode(case['body'])}
    parsed = create_parser(protocol).parse(response, shape)
    out.append({'kind': case['kind'], 'protocol': case['protocol'], 'code': parsed['Error']['Code'], 'message': parsed['Error']['Message'],
                'status': parsed['ResponseMetadata']['HTTPStatusCode'], 'requestId': parsed['ResponseMetadata'].get('RequestId')})
json.dump(out, sys.stdout)
`;
