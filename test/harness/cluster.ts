import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mode, SeedObject } from '@postern/aws-emulator';
import { emulatorCommand, tellEmulator } from '#emulator-process.ts';
import { Daemon, type Finished, freePort, isAlive, must, type RunOptions, run, until } from '#processes.ts';
import { authYaml, proxyServiceYaml, proxyYaml } from '#teleport-yaml.ts';
import { makeWebCertificate } from '#web-certificate.ts';

export const root = join(import.meta.dirname, '..', '..');
export const ACCOUNT = '123456789012';
export const ROLE = 'ExampleTeleportDynamoDBRole';
/** The long-lived key of the agent's host; AWS's own documentation prints it everywhere. */
export const KEY_ID = 'AKIAIOSFODNN7EXAMPLE';
export const KEY_SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
export const PASSWORD = 'correct horse battery staple';

export interface AtAws {
  readonly host: string;
  readonly service?: string;
  readonly region?: string;
  readonly operation?: string;
  readonly bodyBytes: number;
  readonly bodySha256?: string;
  readonly verified: boolean;
  /** The code of the answer where it was refused before it was carried out. */
  readonly refusal?: string;
  readonly identity?: { readonly arn: string; readonly accessKeyId?: string; readonly sessionName?: string };
}

export interface ClusterOptions {
  /** Lines of YAML under `storage:`. */
  readonly storage?: readonly string[];
  readonly apart?: boolean;
  /** Auth and proxy log all that they can. */
  readonly debug?: boolean;
  /** More of the environment of each host's process. */
  readonly env?: { readonly auth?: NodeJS.ProcessEnv; readonly proxy?: NodeJS.ProcessEnv };
}

export interface EmulatorStart {
  /** A name, or an ARN of another account. */
  readonly roles?: readonly string[];
  /** Agents speak TLS with it. */
  readonly tls?: boolean;
  /** More of its command line. */
  readonly flags?: readonly string[];
}

/** A cluster as a small company would run it: auth and proxy on one host, agents and people elsewhere, each with files of their own. */
export class Cluster {
  readonly dir = mkdtempSync(join(tmpdir(), 'postern-e2e-'));
  readonly #daemons: Daemon[] = [];
  readonly #agents = new Set<string>();
  /** More of the environment of every process, say a clock. */
  everywhere: NodeJS.ProcessEnv = {};
  proxyPort = 0;
  authAddress = '';
  authHost: Daemon | undefined;
  /** Where the proxy is apart. */
  proxyHost: Daemon | undefined;
  readonly #diagPorts = new Map<string, number>();
  emulatorUrl = '';
  emulator: Daemon | undefined;
  emulatorPort = 0;
  /** Where it was started with TLS as well: what agents dial. */
  emulatorTlsPort = 0;
  #emulatorControl = 0;
  #certificate: Promise<void> | undefined;
  #hostEnv: NonNullable<ClusterOptions['env']> = {};
  #teleport: readonly string[] = ['teleport', 'start'];

  /** What a process of this story may see: no AWS settings of the machine, no profile of the person who runs it. */
  env(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return {
      PATH: `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`,
      HOME: this.dir,
      LANG: 'C.UTF-8',
      NO_COLOR: '1',
      NODE_EXTRA_CA_CERTS: join(this.dir, 'web-ca.pem'),
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
      // Where a test asks what a process keeps alive its inspector listens on a port that nobody else has.
      NODE_OPTIONS: '--inspect-port=127.0.0.1:0',
      ...this.everywhere,
      ...extra,
    };
  }

  get proxy(): string {
    return `localhost:${this.proxyPort}`;
  }
  get authConfig(): string {
    return join(this.dir, 'auth.yaml');
  }

  get proxyConfig(): string {
    return join(this.dir, 'proxy.yaml');
  }

  /** Auth and proxy in one process, or `apart` in two, over SQLite or the storage that is given. */
  async start(options: ClusterOptions = {}): Promise<void> {
    this.#hostEnv = options.env ?? {};
    if (options.debug === true) this.#teleport = ['teleport', '-d', 'start'];
    await this.#makeCertificate();
    this.proxyPort = await freePort();
    for (const part of ['auth', 'proxy']) this.#diagPorts.set(part, await freePort());
    const auth = { dir: this.dir, port: await freePort(), ...(options.storage === undefined ? {} : { storage: options.storage }) };
    this.authAddress = `127.0.0.1:${auth.port}`;
    if (options.apart !== true) {
      writeFileSync(this.authConfig, [...authYaml(auth), ...proxyServiceYaml({ dir: this.dir, port: this.proxyPort }), ''].join('\n'));
      this.startAuthHost();
      return this.proxyIsReady();
    }
    writeFileSync(this.authConfig, [...authYaml(auth), ''].join('\n'));
    await this.startAuthHost().says(/auth has started/);
    const token = (await this.admin('tctl tokens add --type=proxy --format=text')).trim();
    const pin = (await this.admin('tctl status')).match(/sha256:[0-9a-f]{64}/)?.[0] ?? 'no pin was printed';
    const proxy = { dir: this.dir, port: this.proxyPort, authAddress: this.authAddress, token, pin };
    writeFileSync(this.proxyConfig, [...proxyYaml(proxy), ''].join('\n'));
    this.startProxyHost();
    await this.proxyIsReady();
  }

  /** One for all that runs here; the emulator may have needed it first. */
  #makeCertificate(): Promise<void> {
    this.#certificate ??= makeWebCertificate(this.dir);
    return this.#certificate;
  }

  /** The host of auth, and of the proxy where they are not apart; called again after it was killed. */
  startAuthHost(): Daemon {
    this.authHost = this.daemon('auth-host', [...this.#teleport, '-c', this.authConfig, ...this.#diagFlag('auth')], this.#hostEnv.auth);
    return this.authHost;
  }
  startProxyHost(): Daemon {
    this.proxyHost = this.daemon(
      'proxy-host',
      [...this.#teleport, '-c', this.proxyConfig, ...this.#diagFlag('proxy')],
      this.#hostEnv.proxy,
    );
    return this.proxyHost;
  }
  #diagFlag(part: 'auth' | 'proxy'): string[] {
    const port = this.#diagPorts.get(part);
    return port === undefined ? [] : [`--diag-addr=127.0.0.1:${port}`];
  }

  /** What the process of auth or of the proxy tells of itself, by the metric's name with its labels. */
  async metrics(part: 'auth' | 'proxy'): Promise<ReadonlyMap<string, number>> {
    const page = await (await fetch(`http://127.0.0.1:${this.#diagPorts.get(part) ?? 0}/metrics`)).text();
    const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
  }

  proxyIsReady(): Promise<void> {
    return until('the proxy to be ready', 30_000, async () => {
      if (this.authHost !== undefined && this.authHost.child.exitCode !== null)
        throw new Error(`auth-host exited:\n${this.authHost.log()}`);
      const { code, stdout } = await run(['curl', '-s', '--cacert', join(this.dir, 'web-ca.pem'), `https://${this.proxy}/readyz`]);
      return code === 0 && stdout.includes('"ok":true') ? true : undefined;
    }).then(() => undefined);
  }

  /** Again, on the same ports, after it was killed: what its tables held is gone. */
  async startEmulator({ roles = [ROLE], tls = false, flags = [] }: EmulatorStart = {}): Promise<void> {
    if (this.emulatorPort === 0) this.emulatorPort = await freePort();
    if (tls && this.emulatorTlsPort === 0) this.emulatorTlsPort = await freePort();
    if (tls) await this.#makeCertificate();
    this.emulatorUrl = `http://127.0.0.1:${this.emulatorPort}`;
    this.#emulatorControl = await freePort();
    const ports = { http: this.emulatorPort, control: this.#emulatorControl, ...(tls ? { tls: this.emulatorTlsPort } : {}) };
    const { dir, rawLogFile } = this;
    const command = emulatorCommand({ ports, account: ACCOUNT, roles, keyId: KEY_ID, keySecret: KEY_SECRET, rawLogFile, dir });
    this.emulator = this.daemon('emulator', [...command, ...flags]);
    await until('the emulator', 20_000, async () =>
      (await fetch(this.emulatorUrl).catch(() => undefined)) === undefined ? undefined : true,
    );
  }

  /** A fault of "AWS" for one operation, or for all ("*"); undefined takes it away. */
  awsFault(operation: string, mode: Mode | undefined): Promise<void> {
    return tellEmulator(this.#emulatorControl, `modes/${operation}`, mode);
  }

  /** A bucket of S3, and an object in it. */
  awsObject(region: string, object: SeedObject): Promise<void> {
    return tellEmulator(this.#emulatorControl, `objects/${region}`, object);
  }

  get rawLogFile(): string {
    return join(this.dir, 'aws-requests.jsonl');
  }
  /** Every request that reached "AWS", as the emulator wrote it down. */
  rawLog(): readonly AtAws[] {
    return readFileSync(this.rawLogFile, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as AtAws);
  }

  /** The DynamoDB requests among them. */
  dynamoDbAtAws(): readonly AtAws[] {
    return this.rawLog().filter((entry) => entry.service === 'dynamodb');
  }

  /** Starts an agent from the guide's own teleport.yaml, on a "host" of its own; `under` is a command that starts it. */
  startAgent(name: string, yaml: string, env: NodeJS.ProcessEnv = {}, under: readonly string[] = []): Daemon {
    const host = join(this.dir, name);
    this.#agents.add(name);
    mkdirSync(host, { recursive: true });
    writeFileSync(join(host, 'teleport.yaml'), yaml);
    return this.daemon(name, [...under, 'teleport', 'start', '-c', join(host, 'teleport.yaml')], {
      AWS_ENDPOINT_URL: this.emulatorTlsPort === 0 ? this.emulatorUrl : `https://localhost:${this.emulatorTlsPort}`,
      AWS_ACCESS_KEY_ID: KEY_ID,
      AWS_SECRET_ACCESS_KEY: KEY_SECRET,
      ...env,
    });
  }

  daemon(name: string, command: readonly string[], env: NodeJS.ProcessEnv = {}): Daemon {
    const daemon = new Daemon(name, command, { env: this.env(env), cwd: this.dir, logFile: join(this.dir, `${name}.log`) });
    this.#daemons.push(daemon);
    return daemon;
  }

  isAgent(name: string): boolean {
    return this.#agents.has(name);
  }

  /** The processes that are alive now. */
  running(): readonly Daemon[] {
    return this.#daemons.filter(isAlive);
  }

  /** A shell line as a person types it, in a home of that person's own. */
  sh(line: string, options: RunOptions & { readonly person?: string } = {}): Promise<Finished> {
    return run(['bash', '-c', line], {
      cwd: this.dir,
      ...options,
      env: this.env({ TELEPORT_HOME: this.#home(options.person), ...options.env }),
    });
  }
  mustSh(line: string, options: RunOptions & { readonly person?: string } = {}): Promise<string> {
    return must(['bash', '-c', `set -o pipefail; ${line}`], {
      cwd: this.dir,
      ...options,
      env: this.env({ TELEPORT_HOME: this.#home(options.person), ...options.env }),
    });
  }
  #home(person = 'alice'): string {
    return join(this.dir, 'home', person, '.tsh');
  }
  homeOf(person: string): string {
    return this.#home(person);
  }

  /** On the auth host. */
  admin(line: string, options: RunOptions = {}): Promise<string> {
    return this.mustSh(line.replace(/\btctl\b/g, `tctl -c ${this.authConfig}`), { ...options, person: 'nobody' });
  }

  async signIn(person = 'alice', password = PASSWORD): Promise<string> {
    return this.mustSh(`tsh login --proxy=${this.proxy} --user=${person}`, { person, input: `${password}\n` });
  }

  async openTunnel(
    person = 'alice',
    options: { readonly port?: number; readonly dbUser?: string; readonly db?: string } = {},
  ): Promise<{ port: number; daemon: Daemon }> {
    const port = options.port ?? (await freePort());
    const daemon = this.daemon(
      `tunnel-${person}-${port}`,
      ['tsh', 'proxy', 'db', '--tunnel', '--port', String(port), `--db-user=${options.dbUser ?? ROLE}`, options.db ?? 'example-dynamodb'],
      { TELEPORT_HOME: this.#home(person) },
    );
    await daemon.says(new RegExp(`(127\\.0\\.0\\.1|localhost):${port}`));
    return { port, daemon };
  }

  /** Tools of a person with no AWS account: any keys do, they are never used. */
  awsEnv(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return {
      AWS_ACCESS_KEY_ID: 'none',
      AWS_SECRET_ACCESS_KEY: 'none',
      AWS_REGION: 'us-east-1',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_MAX_ATTEMPTS: '1',
      AWS_PAGER: '',
      ...extra,
    };
  }

  async stop(): Promise<void> {
    for (const daemon of this.#daemons.toReversed()) await daemon.stop();
    if (process.env['KEEP'] === undefined) rmSync(this.dir, { recursive: true, force: true });
  }
}
