import { beforeEach, describe, expect, it } from 'vitest';
import type { StaticDatabase } from '#config.ts';
import { readDatabase } from '#databases/database.ts';
import { servedDatabases, type ServedDatabasesOptions } from '#databases/served-databases.ts';

const written = {
  name: 'orders',
  protocol: 'dynamodb',
  labels: {},
  aws: { region: 'us-east-1', accountId: '111122223333' },
  origin: 'config' as const,
};
const problemOf = (change: object) => {
  const read = readDatabase({ ...written, ...change });
  return 'problem' in read ? read.problem : undefined;
};

describe('a database', () => {
  it('is reached at hosts that the tables build', () => {
    expect(readDatabase(written)).toMatchObject({
      uri: 'dynamodb.us-east-1.amazonaws.com:443',
      hosts: { dynamodb: 'dynamodb.us-east-1.amazonaws.com', streams: 'streams.dynamodb.us-east-1.amazonaws.com' },
    });
    expect(readDatabase({ ...written, aws: { region: 'cn-north-1', accountId: '111122223333' } })).toMatchObject({
      hosts: { dynamodb: 'dynamodb.cn-north-1.amazonaws.com.cn' },
    });
  });

  it('may take its region from its uri, and both must agree', () => {
    expect(readDatabase({ ...written, uri: 'dynamodb.eu-west-1.amazonaws.com:443', aws: { accountId: '111122223333' } })).toMatchObject({
      region: 'eu-west-1',
    });
    expect(problemOf({ uri: 'dynamodb.eu-west-1.amazonaws.com:443' })).toMatch(/aws.region is us-east-1, and uri names eu-west-1/);
  });

  it.each([
    'evil.example:443',
    'dynamodb.us-east-1.amazonaws.com.evil.com',
    '169.254.169.254',
    '[::ffff:a9fe:a9fe]',
    'localhost:6379',
    'attacker.example.com://s3.amazonaws.com',
    's3.amazonaws.com@evil.com',
    'evil.com#.amazonaws.com',
    'evil.com/.amazonaws.com',
    'evil.com?.amazonaws.com',
    'evil.com\\.amazonaws.com',
    'evilamazonaws.com',
    'x.amazonaws.com%2eevil.com',
    'dynamodb。us-east-1.amazonaws.com',
    'dynamodb.us-east-1.amazonaws.com.',
    's3.us-east-1.amazonaws.com',
    '0x7f.1',
  ])('whose uri is %s is not served', (uri) => {
    expect(problemOf({ uri })).toMatch(/uri|region/);
  });

  it.each([
    [{ name: '1orders' }, /name/],
    [{ name: 'orders-' }, /name/],
    [{ name: 'a/b' }, /name/],
    [{ protocol: 'postgres' }, /protocol/],
    [{ aws: { accountId: '111122223333' } }, /aws.region is missing/],
    [{ aws: { region: 'evil', accountId: '111122223333' } }, /aws.region evil/],
    [{ aws: { region: 'us-east-1' } }, /account_id/],
    [{ aws: { region: 'us-east-1', accountId: '1' } }, /account_id/],
  ])('with %j is not served, and the sentence names the field', (change, says) => {
    expect(problemOf(change)).toMatch(says);
  });
});

describe('the databases of an agent', () => {
  const fromFile: StaticDatabase = {
    name: 'orders',
    protocol: 'dynamodb',
    staticLabels: { env: 'dev' },
    aws: { region: 'us-east-1', accountId: '111122223333' },
  };
  const resource = (name: string, labels: Record<string, string>, spec: object = {}) => ({
    kind: 'db',
    version: 'v3',
    metadata: { name, labels },
    spec: { protocol: 'dynamodb', aws: { region: 'us-east-1', account_id: '111122223333' }, ...spec },
  });
  let labels: Record<string, Readonly<Record<string, string>>>;
  let problems: string[];
  const make = (matchers: ServedDatabasesOptions['matchers'], databases: StaticDatabase[] = [fromFile]) =>
    servedDatabases({
      databases,
      matchers,
      labelsOf: (name) => labels[name],
      onChange: () => undefined,
      onProblem: (problem) => problems.push(problem),
    });
  beforeEach(() => {
    labels = {};
    problems = [];
  });

  it('are served once auth has admitted them, under the labels that auth gave', () => {
    const served = make([]);
    expect(served.wanted()).toMatchObject([{ name: 'orders', labels: { env: 'dev' }, dynamic: false }]);
    expect(served.admitted('orders')).toBeUndefined();
    labels = { orders: { env: 'prod' } };
    expect(served.admitted('orders')?.labels).toEqual({ env: 'prod' });
    expect(served.admitted('orders')).toBe(served.admitted('orders'));
  });

  it('are those of the cluster that a matcher chooses, with what the matcher adds', () => {
    const served = make(
      [
        { labels: { env: ['dev', 'test'] }, aws: { assumeRoleArn: 'arn:aws:iam::111122223333:role/Hop' } },
        { labels: { team: ['shop-*'] } },
      ],
      [],
    );
    labels = { a: {}, b: {}, c: {} };
    served.putDynamic('a', resource('a', { env: 'test' }));
    served.putDynamic('b', resource('b', { team: 'shop-one' }));
    served.putDynamic('c', resource('c', { env: 'prod' }));
    expect(served.wanted().map(({ name }) => name)).toEqual(['a', 'b']);
    expect(served.admitted('a')?.resource.assumeRoleArn).toBe('arn:aws:iam::111122223333:role/Hop');
    expect(served.admitted('b')?.resource.assumeRoleArn).toBeUndefined();
    expect(served.admitted('c')).toBeUndefined();
    served.putDynamic('a', resource('a', { env: 'prod' }));
    expect(served.admitted('a')).toBeUndefined();
    served.removeDynamic('b');
    expect(served.wanted()).toEqual([]);
  });

  it('are none of the cluster where no matcher is written', () => {
    const served = make([], []);
    served.putDynamic('a', resource('a', { env: 'dev' }));
    expect(served.wanted()).toEqual([]);
  });

  it('are not those that were stored with a bad uri, and the reason is known', () => {
    const served = make([{ labels: { '*': ['*'] } }], []);
    served.putDynamic('a', resource('a', {}, { uri: 'evil.example:443' }));
    expect(served.wanted()).toEqual([]);
    expect(served.problems[0]).toMatch(/database a:.*/);
    expect(problems).toHaveLength(1);
    served.putDynamic('a', resource('a', {}));
    expect(served.problems).toEqual([]);
    expect(served.wanted()).toHaveLength(1);
  });

  it('of the file win over one of the cluster with the same name', () => {
    const served = make([{ labels: { '*': ['*'] } }]);
    labels = { orders: {} };
    served.putDynamic('orders', resource('orders', {}, { aws: { region: 'eu-west-1', account_id: '999988887777' } }));
    expect(served.admitted('orders')?.resource).toMatchObject({ origin: 'config', region: 'us-east-1' });
    expect(served.problems[0]).toMatch(/its|own file/);
  });

  it('of the file that cannot be served stop the start', () => {
    expect(() => make([], [{ ...fromFile, uri: 'localhost:6379' }])).toThrow(/database orders: uri/);
    expect(() => make([], [fromFile, fromFile])).toThrow(/twice/);
  });
});
