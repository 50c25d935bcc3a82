import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { crc32, gunzipSync } from 'node:zlib';

import {
  BatchWriteItemCommand,
  CreateTableCommand,
  DeleteItemCommand,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
  ScanCommand,
  UpdateItemCommand,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Emulator, startEmulator } from '#index.ts';

const credentials = { accessKeyId: 'AKIAEXAMPLEEXAMPLE00', secretAccessKey: 'secret' };
let emulator: Emulator;
let db: DynamoDBClient;
let streams: DynamoDBStreamsClient;
beforeAll(async () => {
  emulator = await startEmulator({
    accountId: '123456789012',
    accessKeys: [{ id: credentials.accessKeyId, secret: credentials.secretAccessKey }],
    hosts: 'any',
  });
  const at = { endpoint: emulator.url, region: 'us-east-1', credentials, maxAttempts: 1 };
  db = new DynamoDBClient(at);
  streams = new DynamoDBStreamsClient(at);
});
afterAll(() => emulator.close());

async function table(name: string, stream = false): Promise<void> {
  await emulator.seedTable('us-east-1', { name, ...(stream ? { streamViewType: 'NEW_AND_OLD_IMAGES' as const } : {}) });
}

describe('DynamoDB', () => {
  it('names tables by account and region, and takes an ARN for a name', async () => {
    await table('named');
    const { Table: described } = await db.send(new DescribeTableCommand({ TableName: 'named' }));
    expect(described?.TableArn).toBe('arn:aws:dynamodb:us-east-1:123456789012:table/named');
    await db.send(new PutItemCommand({ TableName: described?.TableArn, Item: { id: { S: 'a' } } }));
    expect((await db.send(new GetItemCommand({ TableName: 'named', Key: { id: { S: 'a' } } }))).Item).toEqual({ id: { S: 'a' } });
    const foreign = 'arn:aws:dynamodb:us-east-1:210987654321:table/named';
    await expect(db.send(new GetItemCommand({ TableName: foreign, Key: { id: { S: 'a' } } }))).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
  });

  it('leaves no trace of account or region in the environment of its process', async () => {
    await emulator.call('eu-central-1', 'ListTables', {});
    expect(process.env['AWS_ACCOUNT_ID']).toBeUndefined();
  });

  it('takes a BatchWriteItem of nearly 16 MB', async () => {
    await table('large');
    const Item = (index: number) => ({ id: { S: `i${index}` }, data: { S: 'x'.repeat(390_000) } });
    const writes = Array.from({ length: 25 }, (_, index) => ({ PutRequest: { Item: Item(index) } }));
    const start = process.cpuUsage();
    expect((await db.send(new BatchWriteItemCommand({ RequestItems: { large: writes } }))).UnprocessedItems).toEqual({});
    expect(emulator.log().at(-1)?.bodyBytes).toBeGreaterThan(9_700_000);
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(10_000);
    // Escapes make the JSON longer than the items: 16 MB on the wire is reached with items of 400 KB.
    const escaped = Array.from({ length: 25 }, (_, index) => ({
      PutRequest: { Item: { id: { S: `e${index}` }, data: { S: '"'.repeat(300_000) } } },
    }));
    expect((await db.send(new BatchWriteItemCommand({ RequestItems: { large: escaped } }))).UnprocessedItems).toEqual({});
    expect(emulator.log().at(-1)?.bodyBytes).toBeGreaterThan(15_000_000);
  });

  it('refuses a body over 17 MiB with 413 and carries nothing out', async () => {
    await expect(
      db.send(new PutItemCommand({ TableName: 'large', Item: { id: { S: 'a' }, data: { S: 'x'.repeat(18 * 1024 * 1024) } } })),
    ).rejects.toThrow();
    expect(emulator.log().at(-1)).toMatchObject({ verified: false, refusal: 'RequestEntityTooLargeException' });
  });

  // dynalite refuses what is over 16 MiB in chunks, and the emulator gave it a length as well: a message that ends in two ways.
  it('refuses a body between 16 and 17 MiB with an answer that ends in one way', async () => {
    const answer = await signed('DynamoDB_20120810.PutItem', ' '.repeat(16.5 * 1024 * 1024));
    expect(answer.status).toBe(413);
    expect(answer.headers).toMatchObject({ 'content-length': '0' });
    expect(answer.headers).not.toHaveProperty('transfer-encoding');
  });

  it('refuses an unknown operation and a body that is no JSON in the shapes of AWS', async () => {
    const answer = await signed('DynamoDB_20120810.Nothing', '{}');
    expect([answer.status, answer.body.toString()]).toEqual([400, expect.stringContaining('UnknownOperationException')]);
    const broken = await signed('DynamoDB_20120810.CreateTable', '{');
    expect([broken.status, broken.body.toString()]).toEqual([400, expect.stringContaining('SerializationException')]);
    expect((await signed('DynamoDB_20120810.ListTables', '')).status).toBe(400);
  });

  it('compresses a large answer where that is asked for, and sums the bytes that it sends', async () => {
    await table('zipped');
    await db.send(new PutItemCommand({ TableName: 'zipped', Item: { id: { S: 'a' }, data: { S: 'x'.repeat(5000) } } }));
    const body = JSON.stringify({ TableName: 'zipped' });
    const zipped = await signed('DynamoDB_20120810.Scan', body, { 'accept-encoding': 'gzip' });
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect(Number(zipped.headers['x-amz-crc32'])).toBe(crc32(zipped.body));
    const plain = await signed('DynamoDB_20120810.Scan', body, { 'accept-encoding': 'identity' });
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(Number(plain.headers['x-amz-crc32'])).toBe(crc32(plain.body));
    expect(gunzipSync(zipped.body)).toEqual(plain.body);
    expect(plain.headers['x-amzn-requestid']).toMatch(/^[A-Z0-9]{52}$/u);
    expect((await signed('DynamoDB_20120810.ListTables', '{}', { 'accept-encoding': 'gzip' })).headers['content-encoding']).toBeUndefined();
  });
});

describe('Streams', () => {
  it('has a record for each change, with the images that were, and none for a write that changes nothing', async () => {
    await db.send(
      new CreateTableCommand({
        TableName: 'streamed',
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        BillingMode: 'PAY_PER_REQUEST',
        StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
      }),
    );
    while ((await db.send(new DescribeTableCommand({ TableName: 'streamed' }))).Table?.TableStatus !== 'ACTIVE') await wait(1);
    await db.send(new PutItemCommand({ TableName: 'streamed', Item: { id: { S: 'a' }, n: { N: '1' } } }));
    await db.send(new PutItemCommand({ TableName: 'streamed', Item: { id: { S: 'a' }, n: { N: '1' } } }));
    await db.send(
      new UpdateItemCommand({
        TableName: 'streamed',
        Key: { id: { S: 'a' } },
        UpdateExpression: 'SET n = :two',
        ExpressionAttributeValues: { ':two': { N: '2' } },
      }),
    );
    await expect(
      db.send(
        new DeleteItemCommand({
          TableName: 'streamed',
          Key: { id: { S: 'a' } },
          ConditionExpression: 'n = :x',
          ExpressionAttributeValues: { ':x': { N: '9' } },
        }),
      ),
    ).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' });
    await db.send(new DeleteItemCommand({ TableName: 'streamed', Key: { id: { S: 'a' } } }));
    await db.send(
      new BatchWriteItemCommand({
        RequestItems: { streamed: [{ PutRequest: { Item: { id: { S: 'b' } } } }, { DeleteRequest: { Key: { id: { S: 'absent' } } } }] },
      }),
    );

    const { LatestStreamArn: arn, StreamSpecification } = (await db.send(new DescribeTableCommand({ TableName: 'streamed' }))).Table ?? {};
    expect(StreamSpecification).toEqual({ StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' });
    expect((await streams.send(new ListStreamsCommand({ TableName: 'streamed' }))).Streams?.map((stream) => stream.StreamArn)).toEqual([
      arn,
    ]);
    const { StreamDescription: description } = await streams.send(new DescribeStreamCommand({ StreamArn: arn }));
    const ShardId = description?.Shards?.[0]?.ShardId;
    const { ShardIterator } = await streams.send(
      new GetShardIteratorCommand({ StreamArn: arn, ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
    );
    const page = await streams.send(new GetRecordsCommand({ ShardIterator, Limit: 2 }));
    const rest = await streams.send(new GetRecordsCommand({ ShardIterator: page.NextShardIterator }));
    const seen = [...(page.Records ?? []), ...(rest.Records ?? [])].map(({ eventName, dynamodb }) => [
      eventName,
      dynamodb?.Keys?.['id'],
      dynamodb?.OldImage?.['n'],
      dynamodb?.NewImage?.['n'],
    ]);
    expect(seen).toEqual([
      ['INSERT', { S: 'a' }, undefined, { N: '1' }],
      ['MODIFY', { S: 'a' }, { N: '1' }, { N: '2' }],
      ['REMOVE', { S: 'a' }, { N: '2' }, undefined],
      ['INSERT', { S: 'b' }, undefined, undefined],
    ]);
    expect((await streams.send(new GetRecordsCommand({ ShardIterator: rest.NextShardIterator }))).Records).toEqual([]);
  });

  it('keeps the images right where writes to one item come at once', async () => {
    await table('crowded', true);
    const writes = Array.from(
      { length: 20 },
      () =>
        new UpdateItemCommand({
          TableName: 'crowded',
          Key: { id: { S: 'n' } },
          UpdateExpression: 'ADD hits :one',
          ExpressionAttributeValues: { ':one': { N: '1' } },
        }),
    );
    await Promise.all(writes.map((write) => db.send(write)));
    const arn = (await db.send(new DescribeTableCommand({ TableName: 'crowded' }))).Table?.LatestStreamArn;
    const shard = (await streams.send(new DescribeStreamCommand({ StreamArn: arn }))).StreamDescription?.Shards?.[0]?.ShardId;
    const { ShardIterator } = await streams.send(
      new GetShardIteratorCommand({ StreamArn: arn, ShardId: shard, ShardIteratorType: 'TRIM_HORIZON' }),
    );
    const { Records: records } = await streams.send(new GetRecordsCommand({ ShardIterator }));
    expect(records?.map(({ dynamodb }) => [Number(dynamodb?.OldImage?.['hits']?.N ?? 0), Number(dynamodb?.NewImage?.['hits']?.N)])).toEqual(
      Array.from({ length: 20 }, (_, index) => [index, index + 1]),
    );
  });

  it('is opened and closed by UpdateTable, and refuses streams and iterators that are none', async () => {
    await table('later');
    const on = await db.send(
      new UpdateTableCommand({ TableName: 'later', StreamSpecification: { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' } }),
    );
    expect(on.TableDescription?.LatestStreamArn).toContain('table/later/stream/');
    const off = await db.send(new UpdateTableCommand({ TableName: 'later', StreamSpecification: { StreamEnabled: false } }));
    expect(off.TableDescription?.LatestStreamArn).toBeUndefined();
    await expect(
      streams.send(new DescribeStreamCommand({ StreamArn: `${on.TableDescription?.TableArn}/stream/2000-01-01T00:00:00.000` })),
    ).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    for (const ShardIterator of ['x', 'a|1|b', 'a|1|e30='])
      await expect(streams.send(new GetRecordsCommand({ ShardIterator }))).rejects.toThrow();
  });
});

describe('a fault', () => {
  it('answers with a status, in the shape of AWS, as often as it is told to', async () => {
    emulator.setMode('ListTables', { status: 500, times: 1 });
    await expect(db.send(new ListTablesCommand())).rejects.toMatchObject({
      name: 'InternalServerError',
      $metadata: { httpStatusCode: 500 },
    });
    expect((await db.send(new ListTablesCommand())).TableNames).toContain('named');
    emulator.setMode('*', { status: 400, code: 'ThrottlingException' });
    await expect(db.send(new ScanCommand({ TableName: 'named' }))).rejects.toMatchObject({ name: 'ThrottlingException' });
    emulator.setMode('*', undefined);
    expect((await db.send(new ScanCommand({ TableName: 'named' }))).Count).toBe(1);
  });

  it('resets the connection after it did what was asked', async () => {
    const Item = { id: { S: randomBytes(4).toString('hex') } };
    for (const resetAfterBytes of [0, 1]) {
      emulator.setMode('PutItem', { resetAfterBytes, times: 1 });
      await expect(db.send(new PutItemCommand({ TableName: 'named', Item }))).rejects.toThrow();
    }
    expect((await db.send(new GetItemCommand({ TableName: 'named', Key: Item }))).Item).toEqual(Item);
    expect(emulator.log().filter(({ mode }) => mode?.resetAfterBytes !== undefined)).toHaveLength(2);
  });

  it('redirects, and does nothing', async () => {
    emulator.setMode('PutItem', { redirectTo: 'https://evil.example/', times: 1 });
    const answer = await signed('DynamoDB_20120810.PutItem', JSON.stringify({ TableName: 'named', Item: { id: { S: 'redirected' } } }));
    expect([answer.status, answer.headers['location']]).toEqual([307, 'https://evil.example/']);
    expect((await db.send(new GetItemCommand({ TableName: 'named', Key: { id: { S: 'redirected' } } }))).Item).toBeUndefined();
  });
});

interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** One request whose answer is seen as it is on the wire. */
async function signed(target: string, body: string, more: Readonly<Record<string, string>> = {}): Promise<RawAnswer> {
  const signer = new SignatureV4({ service: 'dynamodb', region: 'us-east-1', credentials, sha256: Sha256 });
  const host = 'dynamodb.us-east-1.amazonaws.com';
  const headers = { host, 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': target, ...more };
  const request = await signer.sign({ method: 'POST', protocol: 'http:', hostname: host, path: '/', headers, body });
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { host: '127.0.0.1', port: emulator.port, method: 'POST', path: '/', headers: request.headers },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
