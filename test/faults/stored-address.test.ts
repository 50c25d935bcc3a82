import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppStage } from '@postern/test-harness/app-stage.ts';
import { checkAudit } from '@postern/test-harness/check-audit.ts';
import { ACCOUNT, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { ask, dial, type HeldSession, sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import type { EndpointClient } from '@postern/test-harness/endpoint-client.ts';
import { getItem } from '@postern/test-harness/load.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { adminOf } from '#writes.ts';

const cannot = lacking('openssl');

const REFUSED = /not served|not found|does not serve|no agent/;
/** As they stand in an application and in a database; the first two are listened to. */
const foreignHosts: readonly Readonly<Record<'console' | 'database', (port: number) => string>>[] = [
  { console: (port) => `127.0.0.1:${port}`, database: (port) => `127.0.0.1:${port}` },
  {
    console: (port) => `console.aws.amazon.com@localhost:${port}`,
    database: (port) => `dynamodb.us-east-1.amazonaws.com@localhost:${port}`,
  },
  {
    console: (port) => `console.aws.amazon.com.evil.example:${port}`,
    database: (port) => `dynamodb.us-east-1.amazonaws.com.evil.example:${port}`,
  },
  { console: () => '169.254.169.254', database: () => '169.254.169.254:80' },
];
/** The first ones are those of which somebody holds a session. */
const appOf = (n: number) => (n === 0 ? 'aws' : `aws-${n}`);
const databaseOf = (n: number) => (n === 0 ? 'lured' : `lured-${n}`);

describe.skipIf(cannot !== undefined)('addresses that are written into the store past every check', () => {
  const stage = new AppStage();
  const { cluster } = stage;
  const connected: string[] = [];
  let foreign: Server;
  let foreignPort = 0;
  let client: EndpointClient;
  let agent: Daemon;
  let tunnelPort = 0;
  let hostCaPems: readonly string[] = [];
  /** Of somebody with a client of his own, who asks auth for nothing any more. */
  const sessions: HeldSession[] = [];

  /** An agent of both kinds that takes whatever the cluster has. */
  const start = (token: string): Daemon =>
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
    const all = [...foreignHosts.keys()].flatMap((n) => [app(appOf(n)), database(databaseOf(n))]);
    await create([...all, app('honest')].join('---\n'));
    const token = (await cluster.admin('tctl tokens add --type=app,db --format=text')).trim();
    agent = start(token);
    await stage.attached(agent);
    ({ client } = await stage.endpoint());
    tunnelPort = (await cluster.openTunnel('alice', { db: 'lured' })).port;
    await until('the database to be served', 20_000, async () =>
      /ResourceNotFound|^\{\}$/.test((await getItem(tunnelPort)).body) ? true : undefined,
    );
    ({ hostCaPems } = adminOf(cluster));
    const alice = await signInRaw(cluster.proxy, hostCaPems, { user: 'alice', password: PASSWORD });
    const arn = `arn:aws:iam::${ACCOUNT}:role/${ROLE}`;
    for (const asked of [
      { app: 'honest', principal: arn },
      { app: 'aws', principal: arn },
      { db: 'lured', principal: ROLE },
    ])
      sessions.push(await sessionRaw(cluster.proxy, hostCaPems, alice, asked));
  });
  afterAll(async () => {
    foreign.close();
    await cluster.stop();
  });

  it('AG-02 an agent whose matcher takes them serves none, says why, and dials nobody for a session that was granted before', async () => {
    await agent.stop();
    await cluster.authHost?.stop();
    const store = new DatabaseSync(join(cluster.dir, 'auth', 'auth.sqlite'));
    for (const [name, host] of foreignHosts.entries())
      for (const [key, uri] of [
        [`apps/${appOf(name)}`, `https://${host.console(foreignPort)}/`],
        [`databases/${databaseOf(name)}`, host.database(foreignPort)],
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
    for (const n of foreignHosts.keys())
      for (const why of [
        `an application cannot be served.*application ${appOf(n)}: .*uri`,
        `a database cannot be served.*database ${databaseOf(n)}: .*uri`,
      ])
        await until(`the agent to say ${why}`, 10_000, () => new RegExp(why).test(agent.log().slice(said)) || undefined);
    // What was granted while they were good is used now, by whoever holds it.
    for (const answer of [
      await client.getObject('one'),
      await client.dynamoDb('ListTables', {}),
      await client.whoAmI(),
      await getItem(tunnelPort),
    ]) {
      expect(answer.status).not.toBe(200);
      expect(answer.body).toMatch(REFUSED);
    }
    const dialled = async ({ issued, ...held }: HeldSession) => {
      const straight = dial(cluster.proxy, sessionName(issued.ticket), hostCaPems, held);
      return ask(straight, 8000)
        .catch((error: unknown) => `broken: ${String(error)}`)
        .finally(() => straight.close());
    };
    const [toHonest = '', ...toForeign] = await Promise.all(sessions.map(dialled));
    // An agent's own answer: it does not know the key of who asks.
    expect(toHonest).toMatch(/^HTTP\/1\.1 4/);
    expect(toForeign.map((said) => /^broken: .*UNAVAILABLE/s.test(said))).toEqual([true, true]);
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
  });
});
