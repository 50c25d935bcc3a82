// A cluster of separate processes for measuring: auth, a proxy of its own, an agent, tsh, an upstream in the place of DynamoDB.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACCOUNT, KEY_ID, KEY_SECRET, PASSWORD, ROLE, root } from '../test/harness/cluster.ts';
import { freePort, until } from '../test/harness/processes.ts';
import { MeasuredCluster } from './measured-cluster.mjs';

const DATABASE = 'example-dynamodb';
export const AGENT_KEYS = { AWS_ACCESS_KEY_ID: KEY_ID, AWS_SECRET_ACCESS_KEY: KEY_SECRET };

export class BenchCluster {
  /** `commands` is the folder that holds tsh and teleport, built; `answers` has the bytes of each operation's answer; `profileDir` makes every measured process write a CPU profile there. */
  constructor({ name, commands = join(root, 'cli'), answers = { GetItem: 300 }, profileDir }) {
    this.name = name;
    this.cluster = new MeasuredCluster();
    this.commands = commands;
    this.answers = answers;
    this.profileDir = profileDir;
    this.port = 0;
    this.upstreamPort = 0;
  }

  get ca() {
    return readFileSync(join(this.cluster.dir, 'web-ca.pem'));
  }

  async start() {
    const { cluster } = this;
    await cluster.startEmulator();
    await cluster.start();
    const at = (file) => join(cluster.dir, file);
    const upstream = cluster.daemon('upstream', [
      process.execPath,
      join(import.meta.dirname, 'upstream.mjs'),
      at('web-key.pem'),
      at('web-cert.pem'),
      ...Object.entries(this.answers).map(([operation, bytes]) => `${operation}=${bytes}`),
    ]);
    this.upstreamPort = Number((await upstream.says(/listening on (\d+)/))[1]);
    await this.#makeUser();
    const proxy = await this.#startProxy();
    await this.#startAgent(proxy);
    await cluster.mustSh(`tsh login --proxy=${proxy} --user=alice`, { input: `${PASSWORD}\n` });
    await this.#startTsh();
  }

  stop() {
    return this.cluster.stop();
  }

  #daemon(name, command, args, env) {
    const profiled =
      this.profileDir === undefined
        ? {}
        : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${this.profileDir} --cpu-prof-name=${name}.cpuprofile` };
    // It becomes Node under the same pid.
    return this.cluster.daemon(name, [join(this.commands, command, 'bin', command), ...args], { ...env, ...profiled });
  }

  async #makeUser() {
    const { cluster } = this;
    const spec = { allow: { db_labels: { '*': '*' }, db_users: [ROLE] } };
    const role = { kind: 'role', version: 'v6', metadata: { name: 'bench' }, spec };
    await cluster.admin('tctl create -f', { input: JSON.stringify(role) });
    await cluster.admin('tctl users add alice --roles=access,bench --password-stdin', { input: `${PASSWORD}\n` });
  }

  async #startProxy() {
    const { cluster } = this;
    const port = await freePort();
    const token = await this.#token('tctl tokens add --type=proxy');
    const [pin] = /sha256:[0-9a-f]{64}/.exec(await cluster.admin('tctl status'));
    const authPort = /listen_addr: 127\.0\.0\.1:(\d+)/.exec(readFileSync(cluster.authConfig, 'utf8'))[1];
    const file = this.#configure('proxy', [
      `  auth_server: 127.0.0.1:${authPort}`,
      `  auth_token: ${token}`,
      `  ca_pin: ${pin}`,
      'proxy_service:',
      '  enabled: "yes"',
      `  web_listen_addr: 127.0.0.1:${port}`,
      `  public_addr: localhost:${port}`,
      '  https_keypairs:',
      `    - key_file: ${join(cluster.dir, 'web-key.pem')}`,
      `      cert_file: ${join(cluster.dir, 'web-cert.pem')}`,
    ]);
    this.#daemon('proxy', 'teleport', ['start', '-c', file]);
    await until('the proxy to be ready', 30_000, async () => {
      const { stdout } = await cluster.sh(`curl -s --cacert ${join(cluster.dir, 'web-ca.pem')} https://localhost:${port}/readyz`);
      return stdout.includes('"ok":true') ? true : undefined;
    });
    return `localhost:${port}`;
  }

  async #startAgent(proxy) {
    const { cluster } = this;
    const token = await this.#token(`tctl tokens add --type=db --db-name=${DATABASE} --db-protocol=dynamodb`);
    const file = this.#configure('agent', [
      `  proxy_server: ${proxy}`,
      `  auth_token: ${token}`,
      'db_service:',
      '  enabled: "yes"',
      '  databases:',
      `    - name: ${DATABASE}`,
      '      protocol: dynamodb',
      `      aws: { region: us-east-1, account_id: "${ACCOUNT}" }`,
    ]);
    this.#daemon('agent', 'teleport', ['start', '-c', file], {
      AWS_ENDPOINT_URL: cluster.emulatorUrl,
      AWS_ENDPOINT_URL_DYNAMODB: `https://localhost:${this.upstreamPort}`,
      ...AGENT_KEYS,
    });
  }

  async #startTsh() {
    const { cluster } = this;
    await until('the database to be listed', 30_000, async () =>
      (await cluster.sh('tsh db ls')).stdout.includes(DATABASE) ? true : undefined,
    );
    this.port = await freePort();
    const args = ['proxy', 'db', '--tunnel', '--port', String(this.port), `--db-user=${ROLE}`, DATABASE];
    const tsh = this.#daemon('tsh', 'tsh', args, { TELEPORT_HOME: cluster.homeOf('alice') });
    await tsh.says(new RegExp(`(127\\.0\\.0\\.1|localhost):${this.port}`));
  }

  #configure(name, lines) {
    const host = join(this.cluster.dir, name);
    mkdirSync(host, { recursive: true });
    const file = join(host, 'teleport.yaml');
    writeFileSync(
      file,
      `${['version: v3', 'teleport:', `  nodename: ${name}`, `  data_dir: ${join(host, 'data')}`, ...lines].join('\n')}\n`,
    );
    return file;
  }

  async #token(command) {
    const printed = await this.cluster.admin(command);
    const token = /invite token: ([0-9a-f]{32})/.exec(printed)?.[1];
    if (token === undefined) throw new Error(`${command} printed no token:\n${printed}`);
    return token;
  }
}
