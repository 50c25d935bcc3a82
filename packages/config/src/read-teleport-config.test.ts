import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '#config-error.ts';
import { readTeleportConfig } from '#read-teleport-config.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'config-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const read = (text: string) => readTeleportConfig({ file: 'teleport.yaml', text });
const refusal = (text: string): string => {
  try {
    read(text);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error('the file was accepted');
};
const lines = (...text: string[]) => text.join('\n');
const pin = `sha256:${'ab'.repeat(32)}`;

const guideDb = lines(
  'version: v3',
  'teleport:',
  '  nodename: CHANGEME',
  '  data_dir: /var/lib/teleport',
  '  proxy_server: teleport.example.com:443',
  '  auth_token: abcd123-insecure-do-not-use-this',
  'db_service:',
  '  enabled: "yes"',
  '  resources:',
  '    - labels:',
  '        "*": "*"',
  '  # Lists statically registered databases proxied by this agent.',
  '  databases:',
  '    - name: "example-dynamodb"',
  '      protocol: "dynamodb"',
  '      # uri: "dynamodb.us-east-1.amazonaws.com:443"',
  '      static_labels:',
  '        env: "dev"',
  '      aws:',
  '        region: "us-east-1"',
  '        account_id: "123456789012"',
);

describe('the files of the guides', () => {
  it('the database guide, its account id replaced', () => {
    const config = read(guideDb);
    expect(config).toEqual({
      version: 'v3',
      nodename: 'CHANGEME',
      dataDir: '/var/lib/teleport',
      log: { output: 'stderr', severity: 'info', format: 'text' },
      authServers: [],
      caPins: [],
      proxyServer: 'teleport.example.com:443',
      token: 'abcd123-insecure-do-not-use-this',
      authToken: 'abcd123-insecure-do-not-use-this',
      db: {
        enabled: true,
        resources: [{ labels: { '*': ['*'] } }],
        databases: [
          {
            name: 'example-dynamodb',
            protocol: 'dynamodb',
            staticLabels: { env: 'dev' },
            aws: { region: 'us-east-1', accountId: '123456789012' },
          },
        ],
      },
    });
  });

  it('the database guide as it is printed says what to replace, and where', () => {
    expect(refusal(guideDb.replace('123456789012', 'abcd1234-this-is-an-example'))).toBe(
      'teleport.yaml:21:21: db_service.databases[0].aws.account_id: abcd1234-this-is-an-example is the placeholder of the guide; an AWS account id has 12 digits, such as 123456789012',
    );
  });

  it('the application guide', () => {
    const config = read(
      lines(
        'version: v3',
        'teleport:',
        '  join_params:',
        '    token_name: "/tmp/token"',
        '    method: token',
        '  proxy_server: "teleport.example.com:443"',
        'auth_service:',
        '  enabled: false',
        'proxy_service:',
        '  enabled: false',
        'ssh_service:',
        '  enabled: false',
        'app_service:',
        '  enabled: true',
        '  apps:',
        '  - name: aws',
        '    uri: https://console.aws.amazon.com/console/home',
      ),
    );
    expect(config).toMatchObject({
      nodename: hostname(),
      dataDir: '/var/lib/teleport',
      proxyServer: 'teleport.example.com:443',
      token: '/tmp/token',
      joinParams: { tokenName: '/tmp/token', method: 'token' },
      auth: { enabled: false },
      proxy: { enabled: false },
      app: { enabled: true, apps: [{ name: 'aws', uri: 'https://console.aws.amazon.com/console/home', labels: {}, aws: {} }] },
    });
    expect(config).not.toHaveProperty('authToken');
  });

  it('an application with an external id and a public address', () => {
    const { app } = read(
      lines(
        'version: v3',
        'teleport: {proxy_server: "p:443", auth_token: t}',
        'app_service:',
        '  enabled: "yes"',
        '  resources: [{labels: {env: [dev, test]}}]',
        '  apps:',
        '    - {name: aws-prod, uri: "https://console.aws.amazon.com/", cloud: AWS, public_addr: aws.example.com, labels: {env: prod}, aws: {external_id: "x-1", own_hosts: [{host: a1.execute-api.us-east-1.amazonaws.com, service: execute-api, region: us-east-1}]}}',
      ),
    );
    expect(app).toEqual({
      enabled: true,
      resources: [{ labels: { env: ['dev', 'test'] } }],
      apps: [
        {
          name: 'aws-prod',
          uri: 'https://console.aws.amazon.com/',
          cloud: 'AWS',
          publicAddress: 'aws.example.com',
          labels: { env: 'prod' },
          aws: {
            externalId: 'x-1',
            ownHosts: [{ host: 'a1.execute-api.us-east-1.amazonaws.com', service: 'execute-api', region: 'us-east-1' }],
          },
        },
      ],
    });
  });

  it('an application that is no console of AWS says what it is, and where', () => {
    const withApp = (app: string) =>
      lines(
        'version: v3',
        'teleport: {proxy_server: "p:443", auth_token: t}',
        'app_service:',
        '  enabled: "yes"',
        '  apps:',
        `    - ${app}`,
      );
    expect(refusal(withApp('{name: grafana, uri: "http://localhost:3000"}'))).toMatch(
      /^teleport\.yaml:6:28: app_service\.apps\[0\]\.uri: is not an address of the AWS console.*not served$/u,
    );
    expect(refusal(withApp('{name: aws}'))).toContain('app_service.apps[0].uri: is missing');
    expect(refusal(withApp('{name: A.ws, cloud: AWS}'))).toContain('app_service.apps[0].name: the name of an app is part of a host name');
    expect(refusal(withApp('{name: aws, cloud: AWS, public_addr: 10.0.0.1}'))).toContain(
      'app_service.apps[0].public_addr: is an address in numbers',
    );
    expect(refusal(withApp('{name: aws, cloud: AWS, labels: {aws_account_id: "12"}}'))).toContain('twelve digits');
    expect(refusal(withApp('{name: aws, cloud: AWS, labels: {teleport.dev/x: y}}'))).toContain('belong to the system');
    expect(refusal(withApp('{name: aws, cloud: AWS, aws: {external_id: "&"}}'))).toContain('app_service.apps[0].aws.external_id');
    const own = '{name: aws, cloud: AWS, aws: {own_hosts: [{host: api.example.com, service: execute-api, region: us-east-1}]}}';
    expect(refusal(withApp(own))).toMatch(
      /app_service\.apps\[0\]\.aws\.own_hosts.*api\.example\.com must be one host below amazonaws\.com/u,
    );
  });
});

const authFile = (rest: string) => lines('version: v3', 'auth_service:', '  enabled: "yes"', rest);
const off = lines('  authentication:', '    type: local', '    second_factor: off');

describe('auth_service', () => {
  it('has defaults for all but the second factor', () => {
    const { auth, dataDir } = read(authFile(off));
    expect(dataDir).toBe('/var/lib/teleport');
    expect(auth).toEqual({
      enabled: true,
      clusterName: hostname(),
      listenAddress: { host: '0.0.0.0', port: 3025 },
      storage: { type: 'sqlite' },
      tokens: [],
      authentication: { type: 'local', secondFactor: 'off' },
    });
  });

  it.each([
    ['no authentication', '', 'teleport.yaml:3:3: auth_service: authentication.second_factor is missing'],
    [
      'no second_factor',
      lines('  authentication:', '    type: local'),
      'auth_service.authentication: authentication.second_factor is missing',
    ],
    [
      'otp',
      lines('  authentication:', '    second_factor: otp'),
      'teleport.yaml:5:20: auth_service.authentication.second_factor: second_factor must be off',
    ],
    ['on', lines('  authentication:', '    second_factor: on'), 'second_factor must be off'],
    ['true', lines('  authentication:', '    second_factor: true'), 'second_factor must be off'],
    ['an empty one', lines('  authentication:', '    second_factor:'), 'second_factor must be off'],
    [
      'the newer list',
      lines('  authentication:', '    second_factors: []'),
      'auth_service.authentication.second_factors: second_factors is not supported',
    ],
  ])('is refused with %s, and the refusal says what to write', (_what, text, expected) => {
    const message = refusal(authFile(text));
    expect(message).toContain(expected);
    expect(message).toContain('write second_factor: off');
  });

  it('needs no second factor where it is off', () => {
    expect(read('auth_service: {enabled: "no"}').auth?.enabled).toBe(false);
  });

  it('takes static tokens for several roles, as a value or a file', () => {
    const { auth } = read(
      authFile(lines(off, '  tokens:', '    - "proxy,db:0123456789abcdef"', '    - "App:/var/lib/teleport/app-token"')),
    );
    expect(auth?.tokens).toEqual([
      { roles: ['proxy', 'db'], value: '0123456789abcdef' },
      { roles: ['app'], value: '/var/lib/teleport/app-token' },
    ]);
  });

  it.each([
    ['a role that does not exist', '"node:0123456789abcdef"', 'can only be for the roles db, app and proxy'],
    ['no role', '"0123456789abcdef-canary"', 'must be roles, a colon and the token'],
    ['an empty role', '":0123456789abcdef-canary"', 'must be roles, a colon and the token'],
    ['a token that can be guessed', '"db:canary"', 'fewer than 16 characters'],
  ])('refuses a static token with %s, without repeating it', (_what, text, expected) => {
    const message = refusal(authFile(lines(off, '  tokens:', `    - ${text}`)));
    expect(message).toMatch(/^teleport\.yaml:8:7: auth_service\.tokens\[0\]: /);
    expect(message).toContain(expected);
    expect(message).not.toContain('canary');
  });

  it('takes storage, session length and the place of the audit log', () => {
    const config = read(
      lines(
        'version: v3',
        'teleport:',
        '  data_dir: /data',
        '  storage:',
        '    type: redis',
        '    url: rediss://user:pw@redis:6379/1',
        '    audit_events_uri: ["file:///data/audit"]',
      ) +
        lines(
          '\nauth_service:',
          '  enabled: yes',
          '  cluster_name: example.internal',
          '  listen_addr: "[::1]:4025"',
          '  proxy_listener_mode: multiplex',
          off,
          '    default_session_ttl: 1h30m',
        ),
    );
    expect(config.auth).toMatchObject({
      clusterName: 'example.internal',
      listenAddress: { host: '::1', port: 4025 },
      storage: { type: 'redis', url: 'rediss://user:pw@redis:6379/1' },
      sessionTtlMs: 5_400_000,
      auditDir: '/data/audit',
    });
  });

  it.each([
    ['redis without a URL', '{type: redis}', 'teleport.storage.url: is missing'],
    ['a store of Teleport’s that is not here', '{type: dynamodb}', 'teleport.storage.type: must be one of sqlite, dir, redis'],
    ['a URL that is not of Redis', '{type: redis, url: "http://x"}', 'teleport.storage.url: must be a Redis URL'],
    ['a path that is not absolute', '{type: sqlite, path: data.db}', 'teleport.storage.path: must be an absolute path'],
    [
      'audit events elsewhere',
      '{type: sqlite, audit_events_uri: "dynamodb://events"}',
      'teleport.storage.audit_events_uri: must be file:// and an absolute path',
    ],
  ])('refuses %s', (_what, storage, expected) => {
    expect(refusal(lines(`teleport: {storage: ${storage}}`))).toContain(expected);
  });
});

describe('proxy_service', () => {
  it('listens on 3080 and takes the port of its public address from there', () => {
    const { proxy } = read(
      lines(
        'teleport: {auth_servers: ["auth:3025"]}',
        'proxy_service:',
        '  enabled: "yes"',
        '  public_addr: [teleport.example.com, "other.example.com:443"]',
      ),
    );
    expect(proxy).toEqual({
      enabled: true,
      webListenAddress: { host: '0.0.0.0', port: 3080 },
      publicAddress: ['teleport.example.com:3080', 'other.example.com:443'],
      httpsKeypairs: [],
    });
  });

  it('takes certificates in pairs, its own address, and what teleport configure leaves empty', () => {
    const { proxy } = read(
      lines(
        'version: v3',
        'teleport: {auth_server: auth, ca_pin: "", diag_addr: ""}',
        'proxy_service:',
        '  enabled: "yes"',
        '  web_listen_addr: 0.0.0.0:443',
        '  public_addr: teleport.example.com:443',
        '  peer_public_addr: proxy-1.example.com:443',
        '  https_keypairs: [{key_file: /k.pem, cert_file: /c.pem}]',
        '  https_keypairs_reload_interval: 0s',
        '  acme: {}',
      ),
    );
    expect(proxy).toEqual({
      enabled: true,
      webListenAddress: { host: '0.0.0.0', port: 443 },
      publicAddress: ['teleport.example.com:443'],
      httpsKeypairs: [{ keyFile: '/k.pem', certFile: '/c.pem' }],
      ownAddress: 'proxy-1.example.com:443',
    });
  });

  it('refuses ACME and second ports in a sentence, and half a pair', () => {
    expect(refusal('proxy_service: {enabled: "no", acme: {enabled: "yes"}}')).toContain(
      'proxy_service.acme: certificates from an ACME service are not supported',
    );
    expect(refusal('proxy_service: {enabled: "no", tunnel_listen_addr: "0.0.0.0:3024"}')).toContain('the proxy has one port');
    expect(refusal('proxy_service: {enabled: "no", https_key_file: /k}')).toContain('belong together');
  });
});

describe('how a host joins', () => {
  it('v3 names one auth server, v1 and v2 a list', () => {
    expect(read('{version: v3, teleport: {auth_server: "auth.example.com"}}')).toMatchObject({
      authServer: 'auth.example.com:3025',
      authServers: ['auth.example.com:3025'],
    });
    for (const version of ['', 'version: v1\n', 'version: v2\n']) {
      expect(read(`${version}teleport: {auth_servers: ["a:3025", "b:4025"]}`)).toMatchObject({
        authServer: 'a:3025',
        authServers: ['a:3025', 'b:4025'],
      });
    }
  });

  it.each([
    [
      'auth_servers in v3',
      '{version: v3, teleport: {auth_servers: ["a:3025"]}}',
      'belongs to versions v1 and v2; in v3 write auth_server or proxy_server',
    ],
    ['auth_server in v2', '{version: v2, teleport: {auth_server: "a:3025"}}', 'belongs to version v3; this file is v2'],
    ['proxy_server without a version', '{teleport: {proxy_server: "a:443"}}', 'this file is without a version, which means v1'],
    ['both servers', '{version: v3, teleport: {auth_server: a, proxy_server: b}}', 'cannot stand beside proxy_server'],
    [
      'both tokens',
      '{version: v3, teleport: {auth_token: canary-1, join_params: {token_name: canary-2}}}',
      'cannot stand beside auth_token',
    ],
    [
      'another join method',
      '{version: v3, teleport: {join_params: {token_name: canary, method: iam}}}',
      'is a join method of Teleport that is not supported; use token',
    ],
    [
      'a misspelt join method',
      '{version: v3, teleport: {join_params: {token_name: canary, method: tokn}}}',
      'teleport.join_params.method: must be token',
    ],
    ['a version that is not there', '{version: v4}', 'teleport.yaml:1:11: version: must be one of v1, v2, v3'],
    [
      'an agent with nowhere to go',
      '{version: v3, db_service: {enabled: true}}',
      'db_service is enabled, and the file says neither proxy_server nor auth_server',
    ],
  ])('refuses %s', (_what, text, expected) => {
    const message = refusal(text);
    expect(message).toContain(expected);
    expect(message).toMatch(/^teleport\.yaml:\d+:\d+: |^teleport\.yaml: /);
    expect(message).not.toContain('canary');
  });

  it('takes pins as one, as a list, and from a file', () => {
    const file = join(dir, 'pins');
    writeFileSync(file, `${pin}\n\n${pin.replace('ab', 'CD')}\n`);
    expect(read(`{teleport: {ca_pin: "${pin}"}}`).caPins).toEqual([pin]);
    expect(read(`{teleport: {ca_pin: ["${pin}", "${file}"]}}`).caPins).toEqual([pin, pin.replace('ab', 'cd')]);
    expect(read(`{teleport: {ca_pin: ${file}}}`).caPins).toHaveLength(2);
    expect(read('{teleport: {ca_pin: ""}}').caPins).toEqual([]);
  });

  it.each([
    ['one that is too short', '"sha256:abcd"', 'must be a pin'],
    ['one among good ones', `["${pin}", "sha1:${'0'.repeat(40)}"]`, 'must be a pin'],
    ['a file that is not there', '/nowhere/pins', 'the file /nowhere/pins cannot be read'],
    ['a directory', '/', 'cannot be read'],
    ['a device', '/dev/zero', 'cannot be read'],
    ['an empty file', '/dev/null', 'cannot be read'],
  ])('refuses a pin that cannot pin: %s', (_what, written, expected) => {
    expect(refusal(`{teleport: {ca_pin: ${written}}}`)).toContain(expected);
  });
});

describe('sections of Teleport that are not served', () => {
  it('are accepted where they are off, whatever else they hold', () => {
    expect(() =>
      read(
        lines(
          'ssh_service: {enabled: "no", port: 3022}',
          'kubernetes_service: {enabled: off, x: {y: 1}}',
          'discovery_service:',
          'windows_desktop_service: {}',
        ),
      ),
    ).not.toThrow();
  });

  it('are refused where they are on', () => {
    expect(refusal('ssh_service: {enabled: "yes"}')).toBe(
      'teleport.yaml:1:24: ssh_service.enabled: access over SSH is not supported: write enabled: "no", or leave out ssh_service',
    );
    expect(refusal('kubernetes_service: {enabled: true}')).toContain('access to Kubernetes is not supported');
  });

  it('are refused where they leave it open, as are our own', () => {
    expect(refusal('ssh_service: {port: 3022}')).toContain('ssh_service.enabled: is missing; write "no"');
    expect(refusal('proxy_service: {public_addr: x}')).toContain('proxy_service.enabled: is missing; write "yes" or "no"');
    expect(refusal('auth_service: {enabled: maybe}')).toContain('auth_service.enabled: must be yes or no');
  });
});

describe('strictness', () => {
  it.each([
    [
      'static_lables',
      guideDb.replace('static_labels', 'static_lables'),
      /teleport\.yaml:17:7: db_service\.databases\[0\]\.static_lables: unknown field \(did you mean static_labels\?\)/,
    ],
    ['db_servce', guideDb.replace('db_service', 'db_servce'), /teleport\.yaml:7:1: db_servce: unknown field \(did you mean db_service\?\)/],
    ['a field given twice', `${guideDb}\ndb_service: {}`, /teleport\.yaml:22:1: /],
    [
      'a label that YAML would read as a number',
      guideDb.replace('env: "dev"', 'env: 1.10'),
      /static_labels\.env: must be a text, not a number; write it in quotes/,
    ],
    ['a reserved label', guideDb.replace('env: "dev"', 'teleport.dev/origin: cloud'), /labels under this prefix belong to the system/],
    [
      'an address that is not AWS',
      guideDb.replace('# uri: "dynamodb.us-east-1.amazonaws.com:443"', 'uri: "dynamodb.us-east-1.amazonaws.com.evil.example:443"'),
      /teleport\.yaml:16:12: db_service\.databases\[0\]\.uri: is not an address of DynamoDB/,
    ],
    [
      'a region that contradicts the address',
      guideDb.replace('# uri: "dynamodb.us-east-1', 'uri: "dynamodb.eu-west-1'),
      /uri: is in region eu-west-1, but aws\.region is us-east-1/,
    ],
    [
      'a database listed twice',
      `${guideDb}\n${lines('    - {name: example-dynamodb, protocol: dynamodb, aws: {region: us-east-1, account_id: "123456789012"}}')}`,
      /databases\[1\]\.name: example-dynamodb is listed twice/,
    ],
    ['discovery', `${guideDb}\n  aws: [{types: [rds]}]`, /db_service\.aws: resources are not discovered/],
    ['an alias bomb', 'a: &a [x]\nb: [*a, *a]', /teleport\.yaml:\d+:\d+/],
    ['a relative data_dir', 'teleport: {data_dir: data}', /teleport\.data_dir: must be an absolute path/],
    ['a list for a map', '- teleport', /must be a map of fields, not a list/],
    ['an empty file', '', /teleport\.yaml: is empty/],
    ['a second document', 'version: v3\n---\nversion: v3', /only one document/],
  ])('refuses %s with its place', (_what, text, expected) => {
    expect(refusal(text)).toMatch(expected);
  });

  it('tells every problem at once', () => {
    const problems = refusal(lines('version: v3', 'teleport:', '  nodenme: x', 'proxy_service: {enabld: "yes"}')).split('\n');
    expect(problems).toHaveLength(2);
  });

  it('a value of any shape in any field is accepted or refused as a ConfigError, never a crash', () => {
    const fields = ['teleport', 'auth_service', 'proxy_service', 'db_service', 'app_service', 'ssh_service'];
    const inner = [
      'enabled',
      'ca_pin',
      'tokens',
      'authentication',
      'databases',
      'resources',
      'apps',
      'public_addr',
      'log',
      'storage',
      'listen_addr',
      '__proto__',
      'constructor',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...fields), fc.constantFrom(...inner), fc.jsonValue({ maxDepth: 3 }), (section, field, value) => {
        try {
          read(`{${JSON.stringify(section)}: {${JSON.stringify(field)}: ${JSON.stringify(value)}}}`);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
      }),
    );
  });
});

describe('log', () => {
  it.each([
    ['{output: stderr, severity: INFO, format: {output: text}}', { output: 'stderr', severity: 'info', format: 'text' }],
    [
      '{output: stdout, severity: DEBUG, format: {output: json, extra_fields: [level]}}',
      { output: 'stdout', severity: 'debug', format: 'json' },
    ],
    ['{output: /var/log/teleport.log, severity: WARNING}', { output: { file: '/var/log/teleport.log' }, severity: 'warn', format: 'text' }],
  ])('%s', (written, expected) => {
    expect(read(`teleport: {log: ${written}}`).log).toEqual(expected);
  });

  it('refuses a severity and an output that do not exist', () => {
    expect(refusal('teleport: {log: {severity: loud}}')).toContain('must be one of DEBUG, INFO, WARN, ERROR');
    expect(refusal('teleport: {log: {output: syslog}}')).toContain('must be stderr, stdout or the absolute path of a file');
  });
});

describe('the file itself', () => {
  it('is read from disk', () => {
    const file = join(dir, 'teleport.yaml');
    writeFileSync(file, guideDb);
    expect(readTeleportConfig({ file }).nodename).toBe('CHANGEME');
  });

  it.each([
    ['/nowhere/teleport.yaml', 'there is no such file'],
    ['/', 'cannot be read'],
    ['/dev/zero', 'cannot be read'],
  ])('%s is a clear refusal', (file, expected) => {
    expect(() => readTeleportConfig({ file })).toThrow(`${file}: ${expected}`);
  });
});
