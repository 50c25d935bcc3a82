// npm start: a whole cluster for a first look. Auth, proxy and both agents over SQLite in ./.postern, with an AWS
// emulator behind the agent (or AWS itself, with --aws). Run again, it goes on with what is there.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildCommands } from './build.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const state = join(root, '.postern');
const at = (name) => join(state, name);
const EMULATED = { region: 'us-east-1', accountId: '123456789012', role: 'ExampleTeleportDynamoDBRole' };
const USER = 'alice';
const DATABASE = 'example-dynamodb';
const APPLICATION = 'aws';
const help = `npm start -- [--port=3080] [--aws --region=REGION --account-id=ID --role=ROLE]
  --port         the port that people and agents dial; loopback only
  --aws          real AWS with the credentials of this machine instead of the emulator
  --region       the region of the tables, with --aws
  --account-id   the AWS account, with --aws
  --role         the IAM role that the user may assume, with --aws; these credentials must be allowed to assume it`;

/** Something that the person can put right: told in a sentence, without a stack. */
class Refusal extends Error {
  constructor(message, exitCode = 2) {
    super(message);
    this.exitCode = exitCode;
  }
}

function readFlags() {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        port: { type: 'string', default: '3080' },
        listen: { type: 'string', default: '127.0.0.1' },
        aws: { type: 'boolean', default: false },
        region: { type: 'string' },
        'account-id': { type: 'string' },
        role: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    throw new Refusal(`${error.message}\n${help}`);
  }
  if (values.help) {
    console.log(help);
    process.exit(0);
  }
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port < 1 || port > 65_535) throw new Refusal(`--port: "${values.port}" is not a port`);
  if (!['127.0.0.1', 'localhost'].includes(values.listen)) {
    throw new Refusal(
      `--listen: ${values.listen} can be reached from other machines, and this is a first look with a password in a file: use teleport configure and teleport start for a cluster`,
    );
  }
  return { port, target: values.aws ? realTarget(values) : EMULATED, aws: values.aws };
}

function realTarget(values) {
  const missing = ['region', 'account-id', 'role'].filter((name) => !values[name]);
  if (missing.length > 0) throw new Refusal(`--aws needs ${missing.map((name) => `--${name}`).join(', ')} as well\n${help}`);
  return { region: values.region, accountId: values['account-id'], role: values.role };
}

async function main() {
  const flags = readFlags();
  mkdirSync(state, { recursive: true, mode: 0o700 });
  holdState();
  await refuseBusy(flags.port).catch((error) => {
    rmSync(at('pid'), { force: true });
    throw error;
  });
  progress('building the commands');
  await buildCommands();
  const stops = [];
  const stopped = stopSignal();
  try {
    progress('starting the AWS emulator');
    const env = flags.aws ? process.env : await startEmulator(stops);
    writeFileSync(at('teleport.yaml'), configuration(flags), { mode: 0o600 });
    const running = await startCluster(env, stops);
    progress('making the user and the role');
    await makeUser(flags.target);
    await waitReady(running);
    progress('');
    console.log(instructions(flags, running));
    await stopped;
  } finally {
    progress('stopping');
    for (const stop of stops.toReversed()) await stop();
    rmSync(at('pid'), { force: true });
    progress('');
  }
}

/** Two clusters over the same files would each believe to be alone. */
function holdState() {
  const pid = existsSync(at('pid')) ? Number(readFileSync(at('pid'), 'utf8')) : 0;
  if (pid > 0 && pid !== process.pid && isAlive(pid))
    throw new Refusal(`a cluster over ${state} runs already, as process ${pid}: use it, or stop it with kill ${pid}`, 1);
  writeFileSync(at('pid'), `${process.pid}\n`, { mode: 0o600 });
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('start.mjs');
  } catch {
    return false;
  }
}

function refuseBusy(port) {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', ({ code, message }) => {
      const busy = `port ${port} is in use by another program: choose another with npm start -- --port=PORT`;
      reject(new Refusal(code === 'EADDRINUSE' ? busy : `port ${port}: ${message}`, 1));
    });
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
  });
}

async function startEmulator(stops) {
  const { startEmulator: start } = await import('../packages/aws-emulator/src/index.ts');
  const [id, secret] = [`AKIA${randomBytes(8).toString('hex').toUpperCase()}`, randomBytes(20).toString('hex')];
  rmSync(at('aws-requests.jsonl'), { force: true });
  const emulator = await start({
    accountId: EMULATED.accountId,
    roles: [{ name: EMULATED.role, trusts: { tags: true, sourceIdentity: true } }],
    accessKeys: [{ id, secret }],
    rawLog: at('aws-requests.jsonl'),
  });
  stops.push(() => emulator.close());
  const items = ['apples', 'pears', 'plums'].map((fruit, n) => ({ id: { S: String(n + 1) }, fruit: { S: fruit } }));
  await emulator.seedTable(EMULATED.region, { name: 'fruit', items });
  // Nothing of the machine's own AWS settings reaches the agent: a first look never touches a real account.
  return {
    PATH: process.env.PATH,
    HOME: state,
    AWS_ENDPOINT_URL: emulator.url,
    AWS_ACCESS_KEY_ID: id,
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}

function configuration({ port, target }) {
  const lines = [
    'version: v3',
    'teleport:',
    '  nodename: first-look',
    `  data_dir: ${JSON.stringify(at('data'))}`,
    'auth_service:',
    '  enabled: "yes"',
    '  cluster_name: first-look',
    '  listen_addr: 127.0.0.1:0',
    '  authentication: { type: local, second_factor: "off" }',
    'proxy_service:',
    '  enabled: "yes"',
    `  web_listen_addr: 127.0.0.1:${port}`,
    `  public_addr: localhost:${port}`,
    'db_service:',
    '  enabled: "yes"',
    '  resources: [{ labels: { "*": "*" } }]',
    '  databases:',
    `    - name: ${DATABASE}`,
    '      protocol: dynamodb',
    '      static_labels: { env: dev }',
    `      aws: { region: ${JSON.stringify(target.region)}, account_id: ${JSON.stringify(target.accountId)} }`,
    'app_service:',
    '  enabled: "yes"',
    '  apps:',
    `    - name: ${APPLICATION}`,
    '      uri: https://console.aws.amazon.com/console/home',
    `      labels: { env: dev, aws_account_id: ${JSON.stringify(target.accountId)} }`,
  ];
  return `${lines.join('\n')}\n`;
}

async function startCluster(env, stops) {
  const [{ readTeleportConfig }, { createLogger }, { startServices }, { stopAll }] = await Promise.all([
    import('../packages/config/src/index.ts'),
    import('../packages/telemetry/src/index.ts'),
    import('../cli/teleport/src/start/start-services.ts'),
    import('../cli/teleport/src/start/running.ts'),
  ]);
  const destination = createWriteStream(at('teleport.log'), { flags: 'a', mode: 0o600 });
  const logger = createLogger({ service: 'teleport', level: 'info', format: 'text', destination });
  progress('starting auth');
  const running = await startServices({
    config: readTeleportConfig({ file: at('teleport.yaml') }),
    logger,
    env,
    insecure: false,
    onStarted: (service) => progress(service === 'auth' ? 'starting the proxy' : 'starting the agents'),
  });
  stops.push(() => stopAll(running));
  return running;
}

/** Through the real commands, as an administrator would. */
async function makeUser({ role, accountId }) {
  const arn = `arn:aws:iam::${accountId}:role/${role}`;
  const spec = { allow: { db_labels: { '*': '*' }, db_users: [role], app_labels: { '*': '*' }, aws_role_arns: [arn] } };
  await tctl(['create', '-f'], JSON.stringify({ kind: 'role', version: 'v6', metadata: { name: 'aws-dynamodb-access' }, spec }));
  const known = (await tctl(['get', `user/${USER}`], '', [0, 5])) === 0;
  const kept = existsSync(at('password'));
  const password = kept ? readFileSync(at('password'), 'utf8').trim() : randomBytes(18).toString('base64url');
  if (!kept) writeFileSync(at('password'), `${password}\n`, { mode: 0o600 });
  if (!known) await tctl(['users', 'add', USER, '--roles=access,auditor,editor,aws-dynamodb-access', '--password-stdin'], `${password}\n`);
  else if (!kept) await tctl(['users', 'reset', USER, '--password-stdin'], `${password}\n`);
}

function tctl(args, input, allowed = [0]) {
  return new Promise((resolve, reject) => {
    const child = spawn(join(root, 'cli/tctl/bin/tctl'), ['-c', at('teleport.yaml'), ...args], { stdio: ['pipe', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk) => (said += chunk));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code) => (allowed.includes(code) ? resolve(code) : reject(new Error(`tctl ${args[0]}: ${said.trim()}`))));
  });
}

async function waitReady({ auth, proxy, agent, appAgent }) {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const answers = await Promise.all([auth, proxy, agent, appAgent].map((part) => part.ready()));
    const not = answers.find(({ ok }) => !ok);
    if (not === undefined) return;
    if (Date.now() > deadline) throw new Error(`the cluster is not ready: ${not.reason} (${at('teleport.log')} says more)`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function instructions({ port, target, aws }, { auth }) {
  const proxy = `localhost:${port}`;
  const keys = 'AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any';
  return [
    `Postern runs at https://${proxy}, ${aws ? `in front of AWS account ${target.accountId}` : 'in front of an AWS emulator'}. Log: ${at('teleport.log')}. Ctrl-C stops it.`,
    `The user is ${USER}, the password is in ${at('password')}. In other terminals (AWS keys may be any: they are replaced on the way):`,
    `  export PATH=${JSON.stringify(join(root, 'bin'))}:$PATH`,
    `  tsh login --proxy=${proxy} --user=${USER} ${auth.caPins.map((pin) => `--ca-pin=${pin}`).join(' ')} < ${JSON.stringify(at('password'))}`,
    `  tsh proxy db --tunnel --port 8000 --db-user=${target.role} ${DATABASE}`,
    `  ${keys} AWS_DEFAULT_REGION=${target.region} aws dynamodb list-tables --endpoint-url=http://localhost:8000`,
    'The console and the whole API, in every region:',
    `  tsh apps login --aws-role ${target.role} ${APPLICATION} && tsh aws sts get-caller-identity`,
    ...(aws
      ? []
      : ["(The console itself is AWS's: in front of an emulator a browser that opens it is sent to a page that does not know it.)"]),
  ].join('\n');
}

/** On a terminal one line that is written over; elsewhere silence, so that a log holds the instructions alone. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text === '' ? '' : `${text} …`}`);
}

/** A terminal sends Ctrl-C to the whole process group and the launcher passes it on as well: the second one of a pair is not meant. */
function stopSignal() {
  const PAIR_MS = 1_000;
  return new Promise((resolve) => {
    let firstAtMs = 0;
    const onSignal = () => {
      if (firstAtMs === 0) firstAtMs = Date.now();
      else if (Date.now() - firstAtMs > PAIR_MS) process.exit(1);
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, onSignal);
  });
}

try {
  await main();
  process.exit(0);
} catch (error) {
  progress('');
  console.error(`npm start: ${error.message}`);
  if (!(error instanceof Refusal) && error.stack !== undefined && process.env.DEBUG) console.error(error.stack);
  process.exit(error instanceof Refusal ? error.exitCode : 1);
}
