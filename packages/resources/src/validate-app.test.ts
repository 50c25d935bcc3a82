import { limits } from '@postern/limits';
import { describe, expect, it } from 'vitest';

import { type App, appFromResource, consoleAddress, parseDocuments, ResourceError, validateApp } from '#index.ts';

const uri = 'https://console.aws.amazon.com/console/home';
function problems(more: Partial<App>): readonly string[] {
  return validateApp({ name: 'aws', uri, labels: {}, ...more }).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('validateApp', () => {
  it('takes the application of the guide, in each partition', () => {
    expect(problems({})).toEqual([]);
    for (const [written, partition] of [
      ['https://console.aws.amazon.com', 'aws'],
      ['https://console.aws.amazon.com:443/console/home?region=eu-west-1#x', 'aws'],
      ['https://us-west-2.console.aws.amazon.com/dynamodbv2/home', 'aws'],
      ['https://console.amazonaws-us-gov.com/console/home', 'aws-us-gov'],
      ['https://console.amazonaws.cn/console/home', 'aws-cn'],
      ['https://eusc-de-east-1.console.amazonaws-eusc.eu/', 'aws-eusc'],
    ] as const) {
      expect(problems({ uri: written })).toEqual([]);
      expect(consoleAddress(written)).toMatchObject({ partition });
    }
  });

  it.each([
    'http://console.aws.amazon.com',
    'console.aws.amazon.com',
    'https://console.aws.amazon.com.evil.example',
    'https://evil.example/console.aws.amazon.com',
    'https://evil.example#.console.aws.amazon.com',
    'https://evil.example\\.console.aws.amazon.com/',
    'https://user@console.aws.amazon.com/',
    'https://console.aws.amazon.com@evil.example/',
    'https://console.aws.amazon.com:8443/',
    'https://CONSOLE.aws.amazon.com/',
    'https://console.aws.amazon.com./',
    'https://evil.console.aws.amazon.com/',
    'https://cn-north-1.console.aws.amazon.com/',
    'https://us-east-1.console.amazonaws.cn/',
    'https://console.amazonaws-eusc.eu/',
    'https://console.aws.amazon.com/\n',
    'http://localhost:8080',
    'tcp://10.0.0.1:22',
  ])('refuses %j, whose service would be a promise that nobody keeps', (written) => {
    expect(problems({ uri: written })).toEqual([expect.stringMatching(/^spec\.uri: is not an address of the AWS console.*not served$/u)]);
  });

  it('takes `cloud: AWS` in place of an address, and nothing in place of both', () => {
    const { uri: _uri, ...bare } = { name: 'aws', uri, labels: {} };
    expect(validateApp({ ...bare, cloud: 'AWS' })).toEqual([]);
    expect(validateApp(bare)[0]?.message).toContain('is missing');
    expect(problems({ cloud: 'AWS', uri: 'https://evil.example' })).toHaveLength(1);
    const spec = { cloud: 'AWS' as const, uri: 'cloud://AWS', public_addr: '', aws: { external_id: '' } };
    expect(appFromResource({ metadata: { name: 'aws' }, spec })).toEqual({ name: 'aws', labels: {}, cloud: 'AWS' });
  });

  it.each(['', 'AWS', '-aws', 'aws-', 'a.b', '.', '..', 'a_b', 'a'.repeat(64), 'äws', '*'])('AP-05 refuses the name %j', (name) => {
    expect(problems({ name })[0]).toContain('the name of an app is part of a host name');
  });

  it('AP-05 takes a host name as public address, and no number, scheme, port, path, pattern or upper case', () => {
    expect(problems({ publicAddress: 'aws.example.com' })).toEqual([]);
    for (const publicAddress of [
      'https://aws.example.com',
      'aws.example.com:443',
      'aws.example.com/x',
      '*.example.com',
      'AWS.example.com',
      'aws',
      'aws..example.com',
      'aws.example.com.',
      '127.0.0.1',
      '[::1]',
      '::1',
      '0x7f.0.0.1',
      'aws.2130706433',
      'aws.example.com\n',
    ])
      expect([publicAddress, problems({ publicAddress }).length]).toEqual([publicAddress, 1]);
  });

  it('takes twelve digits as account and what STS takes as external id', () => {
    expect(problems({ labels: { aws_account_id: '123456789012' }, externalId: 'a:b/c' })).toEqual([]);
    for (const account of ['12345678901', '1234567890123', '12345678901a', '', '*'])
      expect(problems({ labels: { aws_account_id: account } })[0]).toContain('twelve digits');
    for (const externalId of ['x', 'x&Action=DeleteRole', 'a b', 'x'.repeat(1225)])
      expect(problems({ externalId })[0]).toContain('spec.aws.external_id');
  });

  it('takes hosts of one’s own below a domain of AWS’s, each named in full', () => {
    const own = { host: 'a1b2c3d4e5.execute-api.us-east-1.amazonaws.com', service: 'execute-api', region: 'us-east-1' };
    const china = { host: 'search-x.cn-north-1.es.amazonaws.com.cn', service: 'es', region: 'cn-north-1' };
    expect(problems({ ownHosts: [own, china] })).toEqual([]);
    expect(problems({ ownHosts: [own, { ...own, service: 'es' }] })).toEqual([`spec.aws.own_hosts: ${own.host} is named twice`]);
    for (const more of [
      { host: '*.execute-api.us-east-1.amazonaws.com' },
      { host: 'amazonaws.com' },
      { host: 'api.example.com' },
      { host: 'a.execute-api.us-east-1.amazonaws.com.evil.example' },
      { host: 'evilamazonaws.com' },
      { host: 'A.execute-api.us-east-1.amazonaws.com' },
      { host: 'a.execute-api.us-east-1.amazonaws.com:443' },
      { host: 'a.execute-api.us-east-1.amazonaws.com/x' },
      { host: 'a..amazonaws.com' },
      { region: 'moon-1' },
      { region: 'cn-north-1' },
      { service: '' },
      { service: 'Execute Api' },
    ])
      expect([more, problems({ ownHosts: [{ ...own, ...more }] }).length]).toEqual([more, 1]);
    expect(problems({ ownHosts: [{ ...own, host: 'api.example.com' }] })[0]).toMatch(
      /^spec\.aws\.own_hosts: api\.example\.com must be one host below amazonaws\.com/u,
    );
  });
});

describe('resources of the second guide', () => {
  it('name a hundred hosts of one’s own, and not one more [limit ownHostsPerApp]', () => {
    const app = (hosts: number) =>
      [
        'kind: app',
        'version: v3',
        'metadata: {name: aws}',
        'spec:',
        '  cloud: AWS',
        '  aws:',
        '    own_hosts:',
        ...Array.from(
          { length: hosts },
          (_, n) => `    - {host: a${n}.execute-api.us-east-1.amazonaws.com, service: execute-api, region: us-east-1}`,
        ),
      ].join('\n');
    expect(parseDocuments(app(limits.ownHostsPerApp), { file: 'app.yaml' })).toHaveLength(1);
    expect(() => parseDocuments(app(limits.ownHostsPerApp + 1), { file: 'app.yaml' })).toThrow(/own_hosts/u);
  });

  it('are read as they are typed: roles with templates, and two users in one file', () => {
    const role = (arns: string) =>
      `kind: role\nversion: v5\nmetadata:\n  name: aws-dynamodb-access\nspec:\n  allow:\n    app_labels:\n      '*': '*'\n    aws_role_arns: ${arns}\n`;
    for (const arns of [
      "['{{internal.aws_role_arns}}']",
      "['arn:aws:iam:123456789000:role/{{email.local(external.email)}}']",
      '\n    - arn:aws:iam::aws-account-id:role/ExampleTeleportDynamoDBRole',
    ])
      expect(parseDocuments(role(arns), { file: 'role.yaml' })).toHaveLength(1);
    const user = (name: string) =>
      `kind: user\nversion: v2\nmetadata:\n  name: ${name}\nspec:\n  roles: ['aws-dynamodb-access']\n  traits:\n    aws_role_arns: ['arn:aws:iam:123456789000:role/role_for_${name}']\n`;
    const users = parseDocuments(`${user('alice')}---\n${user('bob')}`, { file: 'users.yaml' });
    expect(users.map(({ resource }) => resource.metadata.name)).toEqual(['alice', 'bob']);
  });

  it('say in a role what becomes of operations that hand out keys, in one of two words', () => {
    const role = (value: string) =>
      `kind: role\nversion: v7\nmetadata:\n  name: r\nspec:\n  options:\n    aws_credential_operations: ${value}\n`;
    for (const value of ['deny', 'cap']) expect(parseDocuments(role(value), { file: 'r.yaml' })).toHaveLength(1);
    expect(() => parseDocuments(role('allow'), { file: 'r.yaml' })).toThrow(ResourceError);
  });
});
