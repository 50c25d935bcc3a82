import { beforeEach, describe, expect, it } from 'vitest';
import { servedApplications, type ServedApplicationsOptions } from '#apps/served-applications.ts';
import type { StaticApp } from '#config.ts';

const fromFile: StaticApp = {
  name: 'aws',
  uri: 'https://console.aws.amazon.com/console/home',
  labels: { env: 'dev' },
  aws: { externalId: 'shop-1' },
};
const resource = (name: string, labels: Record<string, string>, spec: object = { uri: 'https://console.aws.amazon.com/' }) => ({
  kind: 'app',
  version: 'v3',
  metadata: { name, labels },
  spec,
});
let labels: Record<string, Readonly<Record<string, string>>>;
let problems: string[];
beforeEach(() => {
  labels = {};
  problems = [];
});
const make = (matchers: ServedApplicationsOptions['matchers'], apps: readonly StaticApp[] = [fromFile]) =>
  servedApplications({
    apps,
    matchers,
    labelsOf: (name) => labels[name],
    onChange: () => undefined,
    onProblem: (problem) => problems.push(problem),
  });
const everything = [{ labels: { '*': ['*'] } }];

describe('the applications of an agent', () => {
  it('are served once auth has admitted them, under the labels that auth gave', () => {
    const served = make([]);
    expect(served.wanted()).toMatchObject([{ kind: 'app', name: 'aws', labels: { env: 'dev' }, dynamic: false }]);
    expect(served.admitted('aws')).toBeUndefined();
    labels = { aws: { env: 'prod' } };
    expect(served.admitted('aws')).toMatchObject({ labels: { env: 'prod' }, resource: { partition: 'aws', externalId: 'shop-1' } });
  });

  it.each([
    ['https://console.aws.amazon.com/console/home', 'aws'],
    ['https://us-west-2.console.aws.amazon.com/dynamodbv2/home', 'aws'],
    ['https://console.amazonaws-us-gov.com/console/home', 'aws-us-gov'],
    ['https://console.amazonaws.cn/console/home', 'aws-cn'],
    ['https://eusc-de-east-1.console.amazonaws-eusc.eu/console/home', 'aws-eusc'],
  ])('at %s are of partition %s', (uri, partition) => {
    labels = { aws: {} };
    expect(make([], [{ ...fromFile, uri }]).admitted('aws')?.resource.partition).toBe(partition);
  });

  it('may say cloud: AWS and no more', () => {
    labels = { aws: {} };
    const { uri: _uri, ...rest } = fromFile;
    expect(make([], [{ ...rest, cloud: 'AWS' }]).admitted('aws')?.resource).toMatchObject({
      partition: 'aws',
      uri: 'https://console.aws.amazon.com/',
    });
  });

  it.each([
    'http://localhost:8080',
    'https://intranet.example.com/',
    'https://console.aws.amazon.com.evil.example/',
    'https://console.aws.amazon.com@evil.example/',
    'https://evil.example#.console.aws.amazon.com/',
    'https://169.254.169.254/',
  ])('at %s stop the start, in words', (uri) => {
    expect(() => make([], [{ ...fromFile, uri }])).toThrow(/application aws: uri .*(?:not an address of the AWS console|not served)/);
  });

  it('of the cluster are those that a matcher chooses, with what the matcher adds', () => {
    const served = make(
      [{ labels: { team: ['shop'] }, aws: { assumeRoleArn: 'arn:aws:iam::111122223333:role/Hop', externalId: 'x-1' } }],
      [],
    );
    labels = { a: {}, b: {} };
    served.putDynamic('a', resource('a', { team: 'shop' }));
    served.putDynamic('b', resource('b', { team: 'other' }));
    expect(served.wanted().map(({ name }) => name)).toEqual(['a']);
    expect(served.admitted('a')?.resource).toMatchObject({ assumeRoleArn: 'arn:aws:iam::111122223333:role/Hop', externalId: 'x-1' });
  });

  it('that are web applications are not served, and the reason is known', () => {
    const served = make(everything, []);
    served.putDynamic('wiki', resource('wiki', {}, { uri: 'http://localhost:8080' }));
    expect(served.wanted()).toEqual([]);
    expect(served.problems).toEqual([expect.stringMatching(/application wiki: .*AWS console/)]);
    expect(problems).toHaveLength(1);
    served.removeDynamic('wiki');
    expect(served.problems).toEqual([]);
  });
});
