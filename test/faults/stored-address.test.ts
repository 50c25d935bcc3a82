import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppStage } from '@postern/test-harness/app-stage.ts';
import { checkAudit } from '@postern/test-harness/check-audit.ts';
import { ACCOUNT, ROLE } from '@postern/test-harness/cluster.ts';
import type { EndpointClient } from '@postern/test-harness/endpoint-client.ts';
import { getItem } from '@postern/test-harness/load.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';

const cannot = lacking('openssl');

describe.skipIf(cannot !== undefined)('addresses that are written into the store past every check', () => {
  const stage = new AppStage();
  const { cluster } = stage;
  const connected: string[] = [];
  let foreign: Server;
  let foreignPort = 0;
  let client: EndpointClient;
  let agent: Daemon;
  let tunnelPort = 0;

  /** An agent of both kinds that takes whatever the cluster has. */
  const start = (token: string, hop: NodeJS.ProcessEnv = {}): Daemon =>
    cluster.startAgent(
      'taker',
      [
        'version: v3',
        'teleport:',
        '  nodename: taker',
        `  data_dir: ${join(cluster.dir, 'taker', 'data')}`,
        `  proxy_server: ${cluster.proxy}`,
        `  auth_token: ${token}`,
        ...['db_service', 'app_service'].flatMap((service) => [
          `${service}:`,
          '  enabled: "yes"',
          '  resources:',
          '    - labels: { "*": "*" }',
        ]),
        '',
      ].join('\n'),
      hop,
    );
  const create = (text: string) => cluster.admin('tctl create -f', { input: text });
  const app = (name: string) =>
    `kind: app\nversion: v3\nmetadata: { name: ${name} }\nspec: { uri: "https://console.aws.amazon.com/console/home" }\n`;
  const database = (name: string) =>
    `kind: db\nversion: v3\nmetadata: { name: ${name} }\nspec: { protocol: dynamodb, uri: "dynamodb.us-east-1.amazonaws.com:443", aws: { region: us-east-1, account_id: "${ACCOUNT}" } }\n`;

  beforeAll(async () => {
    foreign = createServer((socket) => {
      connected.push(`${socket.remotePort}`);
      socket.destroy();
    });
    await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve));
    const address = foreign.address();
    foreignPort = typeof address === 'object' && address !== null ? address.port : 0;
    await cluster.startEmulator();
    await cluster.start();
    await create(
      `kind: role\nversion: v6\nmetadata: { name: all }\nspec:\n  allow: { app_labels: { '*': '*' }, db_labels: { '*': '*' }, db_users: ['${ROLE}'], aws_role_arns: ['arn:aws:iam::${ACCOUNT}:role/${ROLE}'] }\n`,
    );
    await stage.user('alice', 'all');
    for (const text of [app('aws'), app('honest'), database('lured')]) await create(text);
    const token = (await cluster.admin('tctl tokens add --type=app,db --format=text')).trim();
    agent = start(token);
    await stage.attached(agent);
    ({ client } = await stage.endpoint());
    tunnelPort = (await cluster.openTunnel('alice', { db: 'lured' })).port;
    await until('the database to be served', 20_000, async () =>
      /ResourceNotFound|^\{\}$/.test((await getItem(tunnelPort)).body) ? true : undefined,
    );
  });
  afterAll(async () => {
    foreign.close();
    await cluster.stop();
  });

  it.each<readonly [string, (port: number) => string, (port: number) => string]>([
    ['this machine', (port) => `https://127.0.0.1:${port}/`, (port) => `127.0.0.1:${port}`],
    [
      'a host that ends like AWS’s',
      (port) => `https://console.aws.amazon.com.localhost:${port}/`,
      (port) => `dynamodb.us-east-1.amazonaws.com.localhost:${port}`,
    ],
    [
      'a host behind a name and an @',
      (port) => `https://console.aws.amazon.com@localhost:${port}/`,
      (port) => `dynamodb.us-east-1.amazonaws.com@localhost:${port}`,
    ],
    ['the metadata service', () => 'https://169.254.169.254/', () => '169.254.169.254:80'],
  ])(
    'AG-02 of %s: an agent whose matcher takes them serves neither, says why, and dials nobody for sessions that were granted before',
    async (_what, uriOf, databaseUriOf) => {
      await agent.stop();
      await cluster.authHost?.stop();
      const store = new DatabaseSync(join(cluster.dir, 'auth', 'auth.sqlite'));
      for (const [key, uri] of [
        ['apps/aws', uriOf(foreignPort)],
        ['databases/lured', databaseUriOf(foreignPort)],
      ] as const) {
        const { value } = store.prepare('SELECT value FROM entries WHERE key = ?').get(key) as { value: string };
        const resource = JSON.parse(value) as { spec: { uri: string } };
        resource.spec.uri = uri;
        store.prepare('UPDATE entries SET value = ? WHERE key = ?').run(JSON.stringify(resource), key);
      }
      store.close();
      cluster.startAuthHost();
      await cluster.proxyIsReady();
      const before = cluster.rawLog().length;
      const said = agent.log().length;
      agent = start('the token was used already');
      await stage.attached(agent, said);
      await until('the agent to say why', 10_000, () =>
        /an application cannot be served.*application aws: uri/.test(agent.log().slice(said)) &&
        /a database cannot be served.*database lured: uri/.test(agent.log().slice(said))
          ? true
          : undefined,
      );
      // What was granted while they were good is used now, by whoever holds it.
      for (const answer of [
        await client.getObject('one'),
        await client.dynamoDb('ListTables', {}),
        await client.whoAmI(),
        await getItem(tunnelPort),
      ]) {
        expect([0, 403, 503]).toContain(answer.status);
      }
      const launched = await cluster.sh(`tsh apps console aws --aws-role ${ROLE} --print`);
      expect({ failed: launched.code !== 0, stdout: launched.stdout }).toEqual({ failed: true, stdout: '' });
      expect(cluster.rawLog()).toHaveLength(before);
      expect(connected).toEqual([]);
      // The one beside them is served still.
      await until(
        'the honest one to be listed',
        20_000,
        async () => (await cluster.sh('tsh apps ls')).stdout.includes('honest') || undefined,
      );
      expect((await cluster.sh('tsh apps ls')).stdout).not.toMatch(/^\W*aws\b/m);
      await checkAudit(cluster);
    },
  );
});
