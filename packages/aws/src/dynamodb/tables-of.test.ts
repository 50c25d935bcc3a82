import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allDynamoDbOperations, type DynamoDbOperation, dynamodbOperation } from '#dynamodb/operations.ts';
import { tablesInSlices, tablesOf } from '#dynamodb/tables-of.ts';
import { ageOf } from '#testing/botocore-version.ts';

/** The botocore that data/dynamodb-operations.json was last compared with; it is written by hand, so later operations wait for a decision. */
const COMPARED_WITH = '1.43.11';

const place = { region: 'us-east-1', accountId: '123456789012' };
const arn = 'arn:aws:dynamodb:us-east-1:123456789012:table/Music';

function operation(name: string): DynamoDbOperation {
  const found = dynamodbOperation(`DynamoDB_20120810.${name}`) ?? dynamodbOperation(`DynamoDBStreams_20120810.${name}`);
  if (found === undefined) throw new Error(`no operation ${name}`);
  return found;
}
/** An attribute of so many levels, as DynamoDB counts them. */
const nested = (levels: number): unknown => (levels === 0 ? { S: 'x' } : { M: { a: nested(levels - 1) } });
const tables = (name: string, body: unknown) =>
  tablesOf(operation(name), Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), place);

describe('the table of operations', () => {
  test('it holds 57 of DynamoDB and 4 of Streams, as generated from its data', () => {
    expect(allDynamoDbOperations().filter(({ service }) => service === 'dynamodb')).toHaveLength(57);
    expect(allDynamoDbOperations().filter(({ service }) => service === 'streams')).toHaveLength(4);
    const script = fileURLToPath(new URL('../../scripts/generate-operations.mjs', import.meta.url));
    const printed = execFileSync(process.execPath, [script, '--print'], { encoding: 'utf8' });
    expect(printed).toBe(readFileSync(new URL('./operations.generated.ts', import.meta.url), 'utf8'));
  });

  const botocore = `import json, botocore.session
s = botocore.session.get_session()
print(json.dumps({'version': botocore.__version__, **{n: s.get_service_model(n).operation_names for n in ('dynamodb', 'dynamodbstreams')}}))`;
  const models = spawnSync('python3', ['-c', botocore], { encoding: 'utf8' });
  const mustRun = process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined;
  test.skipIf(models.status !== 0 && !mustRun)(
    "each operation of botocore's models is there and no other (needs python3 with botocore: pip install botocore)",
    () => {
      const names: { version: string; dynamodb: string[]; dynamodbstreams: string[] } = JSON.parse(models.stdout);
      const known = (service: string): string[] =>
        allDynamoDbOperations().flatMap((model) => (model.service === service ? [model.operation] : []));
      const age = ageOf(names.version, COMPARED_WITH);
      for (const [ours, theirs] of [
        [known('dynamodb'), names.dynamodb],
        [known('streams'), names.dynamodbstreams],
      ] as const) {
        // What AWS has added since is unknown here, and so refused; an older one lacks what came before the table.
        expect(theirs.filter((name) => ours.includes(name))).not.toEqual([]);
        if (age === 'same') expect(theirs.filter((name) => !ours.includes(name))).toEqual([]);
        if (age !== 'older') expect(ours.filter((name) => !theirs.includes(name))).toEqual([]);
      }
    },
  );

  test.each([
    '',
    'DynamoDB_20120810.',
    'DynamoDB_20120810.getitem',
    'dynamodb_20120810.GetItem',
    'DynamoDB_20111205.GetItem',
    'DynamoDB_20120810.GetItem ',
    'DynamoDB_20120810.GetItem, DynamoDB_20120810.PutItem',
    'Kinesis_20131202.PutRecord',
    'dynamodbX.Delete',
    'DynamoDB_20120810.GetRecords',
    'AmazonDAXV3.DescribeClusters',
    'constructor',
  ])('the target %j is none of them', (target) => expect(dynamodbOperation(target)).toBeUndefined());
});

describe('tablesOf', () => {
  test.each([
    ['GetItem', { TableName: 'Music', Key: {} }, ['Music']],
    ['GetItem', { TableName: arn }, ['Music']],
    ['Query', { TableName: `${arn}/index/ByYear` }, ['Music']],
    ['BatchGetItem', { RequestItems: { Music: { Keys: [] }, [`${arn}2`]: {}, Third: {} } }, ['Music', 'Music2', 'Third']],
    ['BatchWriteItem', { RequestItems: { Music: [{ PutRequest: { Item: { TableName: { S: 'Secret' } } } }] } }, ['Music']],
    [
      'TransactGetItems',
      { TransactItems: [{ Get: { TableName: 'Music' } }, { Get: { TableName: arn } }, { Get: { TableName: 'Other' } }] },
      ['Music', 'Other'],
    ],
    [
      'TransactWriteItems',
      {
        TransactItems: [
          { ConditionCheck: { TableName: 'One' } },
          { Put: { TableName: 'Two' } },
          { Delete: { TableName: 'Three' } },
          { Update: { TableName: 'Four' } },
        ],
      },
      ['One', 'Two', 'Three', 'Four'],
    ],
    ['TransactWriteItems', { TransactItems: [{ Put: { TableName: 'Music', Item: { deep: nested(32) } } }] }, ['Music']],
    ['BatchWriteItem', { RequestItems: { Music: [{ PutRequest: { Item: { deep: nested(32) } } }] } }, ['Music']],
    ['DescribeBackup', { BackupArn: `${arn}/backup/01548148148148-a1b2c3d4` }, ['Music']],
    ['RestoreTableFromBackup', { BackupArn: `${arn}/backup/01`, TargetTableName: 'Copy' }, ['Music', 'Copy']],
    ['RestoreTableToPointInTime', { SourceTableArn: arn, TargetTableName: 'Copy' }, ['Music', 'Copy']],
    ['RestoreTableToPointInTime', { SourceTableName: 'Music', TargetTableName: 'Copy' }, ['Music', 'Copy']],
    ['CreateTable', { TableName: 'Copy', GlobalTableSourceArn: arn }, ['Copy', 'Music']],
    ['ImportTable', { TableCreationParameters: { TableName: 'Music' }, S3BucketSource: { TableName: 'x' } }, ['Music']],
    ['ListTables', {}, []],
    ['ListBackups', {}, []],
    ['ListBackups', { TableName: 'Music' }, ['Music']],
    ['ListExports', { TableArn: arn }, ['Music']],
    ['DescribeStream', { StreamArn: `${arn}/stream/2026-01-02T03:04:05.678` }, ['Music']],
    ['ListStreams', {}, []],
    ['GetRecords', { ShardIterator: `${arn}/stream/2026-01-02T03:04:05.678|1|AAAAAAAAAA==` }, ['Music']],
    ['TagResource', { ResourceArn: arn, Tags: [] }, ['Music']],
    ['DescribeGlobalTable', { GlobalTableName: 'Music' }, ['Music']],
  ] as [string, unknown, string[]][])('%s of %j names %j', (name, body, expected) => {
    expect(tables(name, body)).toEqual({ tables: expected, complete: true });
  });

  test('PartiQL gives verbs and tables of all its statements', () => {
    expect(tables('ExecuteStatement', { Statement: 'SELECT * FROM Music' })).toEqual({
      tables: ['Music'],
      complete: true,
      statements: [{ verb: 'SELECT', table: 'Music' }],
    });
    expect(
      tables('BatchExecuteStatement', { Statements: [{ Statement: 'SELECT * FROM Music' }, { Statement: 'DELETE FROM Other WHERE a=1' }] }),
    ).toMatchObject({
      tables: ['Music', 'Other'],
      statements: [{ verb: 'SELECT' }, { verb: 'DELETE' }],
    });
    expect(tables('ExecuteTransaction', { TransactStatements: [{ Statement: 'EXISTS(SELECT * FROM Music)' }] })).toMatchObject({
      tables: ['Music'],
    });
  });

  test('an iterator that does not show its table leaves the answer incomplete, not allowed', () => {
    expect(tables('GetRecords', { ShardIterator: 'AAAAAAAA' })).toEqual({ tables: [], complete: false });
  });

  test.each([
    ['a name given twice', 'GetItem', '{"TableName":"Music","TableName":"Secret"}', 'ValidationException'],
    ['a name given twice, once escaped', 'GetItem', String.raw`{"TableName":"Music","T\u0061bleName":"Secret"}`, 'ValidationException'],
    ['a table given twice in a batch', 'BatchGetItem', '{"RequestItems":{"Music":{},"Music":{}}}', 'ValidationException'],
    ['a member in another case', 'GetItem', '{"TableName":"Music","tablename":"Secret"}', 'ValidationException'],
    [
      'a list given twice',
      'TransactGetItems',
      '{"TransactItems":[{"Get":{"TableName":"Music"}}],"TransactItems":[]}',
      'ValidationException',
    ],
    ['no table', 'GetItem', '{}', 'ValidationException'],
    ['a table that is null', 'GetItem', '{"TableName":null}', 'ValidationException'],
    ['a table that is a list', 'GetItem', '{"TableName":["Music"]}', 'ValidationException'],
    ['an empty batch', 'BatchGetItem', '{"RequestItems":{}}', 'ValidationException'],
    ['an empty transaction', 'TransactWriteItems', '{"TransactItems":[]}', 'ValidationException'],
    [
      'an item without a table',
      'TransactWriteItems',
      '{"TransactItems":[{"Put":{"TableName":"Music"}},{"Put":{}}]}',
      'ValidationException',
    ],
    [
      'an item with two',
      'TransactWriteItems',
      '{"TransactItems":[{"Put":{"TableName":"Music"},"Delete":{"TableName":"Music"}}]}',
      'ValidationException',
    ],
    ['a restore without a source', 'RestoreTableToPointInTime', '{"TargetTableName":"Copy"}', 'ValidationException'],
    ['a name of two characters', 'GetItem', '{"TableName":"ab"}', 'ValidationException'],
    ['a name with a slash', 'GetItem', '{"TableName":"Music/index/x"}', 'ValidationException'],
    ['an ARN of a queue', 'TagResource', '{"ResourceArn":"arn:aws:sqs:us-east-1:123456789012:table/Music"}', 'ValidationException'],
    ['a name where an ARN belongs', 'TagResource', '{"ResourceArn":"Music"}', 'ValidationException'],
    ['an ARN of another account', 'GetItem', `{"TableName":"${arn.replace('123456789012', '210987654321')}"}`, 'AccessDeniedException'],
    ['an ARN of another region', 'GetItem', `{"TableName":"${arn.replace('us-east-1', 'eu-west-1')}"}`, 'AccessDeniedException'],
    ['an ARN of another partition', 'GetItem', `{"TableName":"${arn.replace('arn:aws:', 'arn:aws-cn:')}"}`, 'AccessDeniedException'],
    [
      'a source in another account',
      'RestoreTableToPointInTime',
      `{"TargetTableName":"Copy","SourceTableArn":"${arn.replace('123456789012', '210987654321')}"}`,
      'AccessDeniedException',
    ],
    [
      'an iterator of another account',
      'GetRecords',
      `{"ShardIterator":"${arn.replace('123456789012', '210987654321')}/stream/1|1|A"}`,
      'AccessDeniedException',
    ],
    ['a list for a body', 'ListTables', '[]', 'ValidationException'],
    ['an empty body', 'ListTables', '', 'ValidationException'],
    ['something behind the body', 'ListTables', '{}{}', 'ValidationException'],
    ['a statement about two tables', 'ExecuteStatement', '{"Statement":"SELECT * FROM Music, Secret"}', 'ValidationException'],
  ])('%s is refused', (_, name, body, code) => {
    const result = tables(name, body);
    expect(result).toMatchObject({ tables: [], complete: false, refusal: { code } });
    expect(result.refusal?.message).toMatch(new RegExp(`^${name}: `));
  });

  test('a hundred tables or items are read and a hundred and one are not', () => {
    const batch = (count: number): unknown => ({
      RequestItems: Object.fromEntries(Array.from({ length: count }, (_, i) => [`Table${i}`, {}])),
    });
    expect(tables('BatchGetItem', batch(100)).tables).toHaveLength(100);
    expect(tables('BatchGetItem', batch(101)).refusal?.code).toBe('ValidationException');
    const transaction = (count: number): unknown => ({
      TransactItems: Array.from({ length: count }, () => ({ Get: { TableName: 'Music' } })),
    });
    expect(tables('TransactGetItems', transaction(100)).tables).toEqual(['Music']);
    expect(tables('TransactGetItems', transaction(101)).refusal?.code).toBe('ValidationException');
  });

  test('what is found is what JSON.parse finds, whatever else the body holds', () => {
    const name = fc.constantFrom('Music', 'Other', 'a.b-c_D', arn);
    const noise = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }), { maxKeys: 5 });
    const clean = (value: Record<string, unknown>): Record<string, unknown> =>
      Object.fromEntries(Object.entries(value).filter(([key]) => !['tablename', 'requestitems', '__proto__'].includes(key.toLowerCase())));
    fc.assert(
      fc.property(name, noise, noise, (table, before, after) => {
        const body = JSON.stringify({ ...clean(before), TableName: table, ...clean(after) });
        const parsed: { TableName: string } = JSON.parse(body);
        expect(tables('GetItem', body)).toEqual({ tables: [parsed.TableName.split('/').at(-1)], complete: true });
      }),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(
          name.filter((text) => text !== arn),
          { minLength: 1 },
        ),
        fc.jsonValue({ maxDepth: 4 }),
        (names, items) => {
          const body = JSON.stringify({ RequestItems: Object.fromEntries(names.map((table) => [table, items])) });
          const parsed: { RequestItems: object } = JSON.parse(body);
          expect(tables('BatchWriteItem', body).tables).toEqual(Object.keys(parsed.RequestItems));
        },
      ),
    );
  });
});

describe('tablesInSlices', () => {
  const item = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`a${i}`, { N: String(i) }]));
  const big = JSON.stringify({ RequestItems: { Music: Array.from({ length: 25 }, () => ({ PutRequest: { Item: item } })) } });

  const manyMembers = { TableName: 'Music', ...Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`m${i}`, 1])) };
  const manyWords = { Statement: `SELECT * FROM Music WHERE a IN (${'1,'.repeat(4000)}1)` };

  test('16 MB of small attributes let the event loop run on, and give the same answer', async () => {
    let turns = 0;
    const ticking = setInterval(() => {
      turns += 1;
    }, 1);
    const result = await tablesInSlices(operation('BatchWriteItem'), Buffer.from(big), place);
    clearInterval(ticking);
    expect(result).toEqual({ tables: ['Music'], complete: true });
    expect(turns).toBeGreaterThan(3);
  });

  test.each([
    [
      'TransactWriteItems',
      'a hundred items of nine hundred members',
      { TransactItems: Array.from({ length: 99 }, () => ({ Put: manyMembers })) },
      20,
    ],
    [
      'BatchExecuteStatement',
      'a hundred statements of four thousand words',
      { Statements: Array.from({ length: 100 }, () => manyWords) },
      100,
    ],
  ])('%s lets it run on as well where it is asked to read %s', async (name, _what, body, atLeast) => {
    let turns = 0;
    let done = false;
    const tick = () => {
      turns += 1;
      if (!done) setImmediate(tick);
    };
    setImmediate(tick);
    const result = await tablesInSlices(operation(name), Buffer.from(JSON.stringify(body)), place);
    done = true;
    expect(result).toMatchObject({ tables: ['Music'], complete: true });
    expect(turns).toBeGreaterThanOrEqual(atLeast);
  });

  test('a fault far inside is found as well, and so is a second name at the end', async () => {
    const broken = Buffer.from(`${big.slice(0, -1)},"RequestItems":{}}`);
    expect(await tablesInSlices(operation('BatchWriteItem'), broken, place)).toMatchObject({
      refusal: { message: expect.stringContaining('there twice') },
    });
    const middle = Buffer.from(big);
    middle[middle.length >> 1] = 0xff;
    expect(await tablesInSlices(operation('BatchWriteItem'), middle, place)).toMatchObject({
      refusal: { message: expect.stringContaining('UTF-8') },
    });
    middle[middle.length >> 1] = 0x00;
    expect(await tablesInSlices(operation('BatchWriteItem'), middle, place)).toHaveProperty('refusal');
  });
});
