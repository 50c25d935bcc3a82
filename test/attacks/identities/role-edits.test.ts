import { existsSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ACCOUNT, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { call } from '@postern/test-harness/load.ts';
import { freePort, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const cannot = lacking('openssl');
const PROMISED_MS = 5_000;
/** Two processes tell each other of it, on a machine that does other things besides. */
const SLACK_MS = 3_000;
const TUNNELLED = 'ssmmessages.us-east-1.amazonaws.com';
const ROLE_ARN = `arn:aws:iam::${ACCOUNT}:role/${ROLE}`;
const PEOPLE = ['alice', 'carol', 'dave', 'erin'] as const;
type Person = (typeof PEOPLE)[number];
const byName = ([one]: readonly unknown[], [other]: readonly unknown[]) => String(one).localeCompare(String(other));

interface Opened {
  readonly what: string;
  /** Once it is over: how its client was told. */
  readonly told: () => string | undefined;
}

/**
 * What is under way was decided when it began, and nothing asked the rules again: after an edit of a role an event stream went on for as
 * long as its certificate lasted, and so did downloads and tunnels.
 */
describe.skipIf(cannot !== undefined)('what is under way when a role changes', () => {
  const stage = new Stage();
  const { cluster } = stage;
  const doors = new Map<Person, { readonly db: number; readonly aws: Record<string, string> }>();
  let files = 0;

  beforeAll(async () => {
    await stage.open();
    await stage.attached(stage.agent('db-agent'));
    const uri = 'https://console.aws.amazon.com/console/home';
    const token = (await cluster.admin(`tctl tokens add --type=app --app-name=aws --app-uri=${uri} --format=text`)).trim();
    const lines = ['version: v3', 'teleport:', `  data_dir: ${join(cluster.dir, 'app-agent', 'data')}`, `  proxy_server: ${cluster.proxy}`];
    const app = ['app_service:', '  enabled: "yes"', `  apps: [{ name: aws, uri: '${uri}' }]`, ''];
    await stage.attached(cluster.startAgent('app-agent', [...lines, `  auth_token: ${token}`, ...app].join('\n')));
    await cluster.awsObject('us-east-1', { bucket: 'files', key: 'large', generatedBytes: 10_000_000 });
    for (const person of PEOPLE) await enter(person);
    await stage.makeTable(doors.get('alice')?.db ?? 0);
    await cluster.awsFault('GetObject', { stallAfterBytes: 10_000 });
    await cluster.awsFault('GetItem', { hangs: true });
  }, 180_000);
  afterAll(() => cluster.stop());

  it.each([
    [
      'carol',
      'a deny is written into it',
      /denied by role of-carol: deny\.(?:aws_role_arns|db_users)/,
      () => write('carol', { denies: true }),
    ],
    ['dave', 'it is taken from its holder', /no role allows/, () => cluster.admin('tctl users update dave --set-roles=access')],
    ['erin', 'it is removed', /role of-erin does not exist/, () => expire('erin')],
  ] as const)(
    'CA-09 of %s, ends within five seconds when %s, each with the reason, and nobody else’s does',
    async (person, _what, reason, act) => {
      const others = await open('alice');
      const ours = await open(person);
      await act();
      await until('the end of all three', PROMISED_MS + SLACK_MS, () =>
        ours.every(({ told }) => told() !== undefined) ? true : undefined,
      );
      expect(ours.map(({ what, told }) => [what, told()])).toEqual([
        ['download', expect.stringMatching(/^(?:18|56) /) as string],
        ['tunnel', 'closed'],
        ['query', expect.stringMatching(reason) as string],
      ]);
      expect(others.map(({ what, told }) => [what, told()])).toEqual([
        ['download', undefined],
        ['tunnel', undefined],
        ['query', undefined],
      ]);
      const [, tunnelled] = others;
      tunnelled.endsHead();
      await until('an answer in the tunnel', 10_000, () => (/200[^]*HTTP\/1\.1 \d/.test(tunnelled.said()) ? true : undefined));
      const outcomes = await until('the outcomes', 15_000, async () => {
        const events = JSON.parse(await cluster.admin('tctl audit ls -f json --limit=100000')) as Record<string, unknown>[];
        const cut = events.filter((event) => event['user'] === person && event['phase'] === 'outcome' && event['outcome'] !== 'answered');
        return cut.length >= 3 ? cut : undefined;
      });
      expect(outcomes.map(({ event, outcome, error }) => [event, outcome, error]).toSorted(byName)).toEqual(
        ['app.session.request', 'app.session.tunnel', 'db.session.dynamodb.request'].map((event) => [
          event,
          'unknown',
          expect.stringMatching(reason) as string,
        ]),
      );
    },
    90_000,
  );

  /** A person with a role of his own, and both doors open. */
  async function enter(person: Person): Promise<void> {
    await write(person);
    if (person === 'alice') await cluster.admin(`tctl users update alice --set-roles=of-alice`);
    else await cluster.admin(`tctl users add ${person} --roles=of-${person} --password-stdin`, { input: `${PASSWORD}\n` });
    await cluster.signIn(person);
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`, { person });
    const daemon = cluster.daemon(`aws-${person}`, ['tsh', 'proxy', 'aws', '-p', String(await freePort())], {
      TELEPORT_HOME: cluster.homeOf(person),
    });
    await daemon.says(/HTTPS_PROXY=\S+/);
    const said = [...daemon.log().matchAll(/^ {2}([A-Z_]+)=(.+)$/gm)];
    const aws = Object.fromEntries(said.map(([, name = '', value = '']) => [name, value]));
    doors.set(person, { db: (await cluster.openTunnel(person)).port, aws });
  }

  async function write(person: Person, { denies = false, expires = '' } = {}): Promise<void> {
    const spec = `allow: { db_labels: { '*': '*' }, db_users: ['${ROLE}'], app_labels: { '*': '*' }, aws_role_arns: ['${ROLE_ARN}'] }`;
    const deny = denies ? `, deny: { db_users: ['${ROLE}'], aws_role_arns: ['${ROLE_ARN}'] }` : '';
    const metadata = `{ name: of-${person}${expires === '' ? '' : `, expires: '${expires}'`} }`;
    writeFileSync(join(cluster.dir, 'role.yaml'), `kind: role\nversion: v6\nmetadata: ${metadata}\nspec: { ${spec}${deny} }\n`);
    await cluster.admin('tctl create -f role.yaml');
  }

  /** A role that somebody has is not deleted; one with an end goes all the same. */
  async function expire(person: Person): Promise<void> {
    const endMs = Date.now() + 5_000;
    await write(person, { expires: new Date(endMs).toISOString() });
    await new Promise((resolve) => setTimeout(resolve, endMs - Date.now()));
  }

  /** All three, and each has got as far as AWS. */
  async function open(person: Person) {
    const { db = 0, aws = {} } = doors.get(person) ?? {};
    const before = cluster.dynamoDbAtAws().length;
    const opened = [download(aws), await tunnel(aws), query(db)] as const;
    await until('its beginning', 15_000, () => (opened[0].bytes() > 0 && cluster.dynamoDbAtAws().length > before ? true : undefined));
    return opened;
  }

  function download(aws: Record<string, string>) {
    files += 1;
    const file = join(cluster.dir, `large-${files}`);
    const signing = `--aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"`;
    const line = `curl -sSN ${signing} --proxy "$HTTPS_PROXY" --cacert "$AWS_CA_BUNDLE" -o ${file} https://s3.us-east-1.amazonaws.com/files/large`;
    let told: string | undefined;
    void cluster.sh(line, { env: aws, timeoutMs: 90_000 }).then(({ code, stderr }) => (told = `${code} ${stderr}`));
    return { what: 'download', told: () => told, bytes: () => (existsSync(file) ? statSync(file).size : 0) };
  }

  async function tunnel(aws: Record<string, string>) {
    const { hostname, port } = new URL(aws['HTTPS_PROXY'] ?? '');
    const socket = connect(Number(port), hostname, () => socket.write(`CONNECT ${TUNNELLED}:443 HTTP/1.1\r\nHost: ${TUNNELLED}\r\n\r\n`));
    let said = '';
    let told: string | undefined;
    socket.on('data', (piece) => (said += piece.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => (told = 'closed'));
    await until('the tunnel', 10_000, () => (said.startsWith('HTTP/1.1 200 ') ? true : undefined));
    socket.write(`GET / HTTP/1.1\r\nHost: ${TUNNELLED}\r\n`);
    const endsHead = () => socket.write('\r\n');
    return { what: 'tunnel', told: () => told, said: () => said, endsHead };
  }

  function query(port: number): Opened {
    let told: string | undefined;
    void call(port, 'GetItem', { TableName: 'faults', Key: { id: { S: 'one' } } }, { withinMs: 50_000 }).then(
      ({ status, body }) => (told = `${status} ${body}`),
    );
    return { what: 'query', told: () => told };
  }
});
