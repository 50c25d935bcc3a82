import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { Client, credentials } from '@grpc/grpc-js';
import { callStream, callUnary, services } from '@postern/api';
import { clientContextOptions, type GeneratedKey, generateKey } from '@postern/pki';
import type { Logger } from '@postern/telemetry';
import type { AuthConfig } from '#config.ts';
import { type RunningAuth, startAuth } from '#index.ts';

/** A certificate with its key, as a caller holds it. */
export interface Credential {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface Clock {
  now: number;
}

/** A real auth server over loopback and a store in a temporary folder, with a clock that tests turn. */
export interface TestAuth {
  readonly auth: RunningAuth;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly admin: Credential;
  /** Calls as whoever holds the credential; undefined is nobody. */
  client(credential?: Credential): Client;
  restart(): Promise<TestAuth>;
  stop(): Promise<void>;
}

export const silent: Logger = {
  debug() {},
  info() {},
  warn() {},
  error({ err }, message) {
    process.stderr.write(`${message}: ${err instanceof Error ? (err.stack ?? err.message) : String(err)}\n`);
  },
  child: () => silent,
  backlog: () => ({ droppedLines: 0, waitingBytes: 0 }),
};

export async function startTestAuth(
  options: { readonly dataDir?: string; readonly config?: Partial<AuthConfig>; readonly clock?: Clock; readonly keepFiles?: boolean } = {},
): Promise<TestAuth> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'postern-auth-'));
  // Whole seconds, as certificates have them, and close to the real time that TLS goes by.
  const clock = options.clock ?? { now: Math.floor(Date.now() / 1000) * 1000 };
  const config: AuthConfig = {
    dataDir,
    clusterName: 'test.example.com',
    listen: { host: '127.0.0.1', port: 0 },
    storage: { type: 'sqlite' },
    staticTokens: [],
    authentication: { type: 'local', secondFactor: 'off' },
    ...options.config,
  };
  const auth = await startAuth({ config, logger: silent, nowMs: () => clock.now });
  const clients: Client[] = [];
  const stopServing = async () => {
    for (const client of clients) client.close();
    await auth.stop();
  };
  return {
    auth,
    dataDir,
    clock,
    admin: JSON.parse(readFileSync(auth.localAdminFile, 'utf8')) as Credential,
    client(credential) {
      const client = openClient(auth, credential);
      clients.push(client);
      return client;
    },
    async restart() {
      await stopServing();
      return startTestAuth({ ...options, dataDir, clock });
    },
    async stop() {
      await stopServing();
      if (options.keepFiles !== true) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export function openClient(auth: Pick<RunningAuth, 'address' | 'hostCaPems'>, credential?: Credential): Client {
  const context = createSecureContext(
    clientContextOptions(
      auth.hostCaPems,
      credential && { certificatePem: credential.certificatePem, privateKeyPem: credential.privateKeyPem },
    ),
  );
  return new Client(`127.0.0.1:${auth.address.port}`, credentials.createFromSecureContext(context), {
    'grpc.ssl_target_name_override': 'auth.postern.internal',
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
  });
}

/** The methods by their short names, for tests to call: rpc(client).users.createUser({...}). */
export const { users, login, join: joins, certs, resources, tokens, presence, audit, access, status, routeKeys } = services;
export { callStream, callUnary };

export async function addUser(
  from: TestAuth,
  user: {
    readonly name: string;
    readonly roles: readonly string[];
    readonly traits?: Readonly<Record<string, readonly string[]>>;
    readonly password?: string;
  },
): Promise<void> {
  const traits = Object.fromEntries(Object.entries(user.traits ?? {}).map(([name, values]) => [name, { values: [...values] }]));
  await callUnary(from.client(from.admin), users.definition.createUser, {
    name: user.name,
    roles: [...user.roles],
    traits,
    password: user.password ?? PASSWORD,
  });
}

export const PASSWORD = 'correct horse battery';

export async function signInAs(
  from: TestAuth,
  name: string,
  options: { readonly password?: string; readonly ttlSeconds?: number } = {},
): Promise<Credential> {
  const key = generateKey();
  const { certificatePem } = await callUnary(from.client(), login.definition.signIn, {
    user: name,
    password: options.password ?? PASSWORD,
    publicKey: key.publicKeyDer,
    ttlSeconds: options.ttlSeconds ?? 0,
    clientVersion: '0.1.0',
  });
  return { certificatePem, privateKeyPem: key.privateKeyPem };
}

export interface JoinedHost extends Credential {
  readonly hostId: string;
}

export async function addToken(
  from: TestAuth,
  token: {
    readonly roles: readonly string[];
    readonly dbName?: string;
    readonly appName?: string;
    readonly appUri?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly maxUses?: number;
    readonly ttlSeconds?: number;
  },
): Promise<string> {
  const answer = await callUnary(from.client(from.admin), tokens.definition.addToken, {
    roles: [...token.roles],
    value: '',
    ttlSeconds: token.ttlSeconds ?? 0,
    labels: { ...token.labels },
    dbName: token.dbName ?? '',
    dbProtocol: '',
    dbUri: '',
    appName: token.appName ?? '',
    appUri: token.appUri ?? '',
    maxUses: token.maxUses ?? 0,
  });
  return answer.token;
}

export async function joinAs(
  from: TestAuth,
  how: { readonly token: string; readonly role: string; readonly key?: GeneratedKey },
): Promise<JoinedHost> {
  const key = how.key ?? generateKey();
  const { hostId, certificatePem } = await callUnary(from.client(), joins.definition.join, {
    token: how.token,
    role: how.role,
    nodeName: 'node-1',
    publicKey: key.publicKeyDer,
    version: '0.1.0',
  });
  return { hostId, certificatePem, privateKeyPem: key.privateKeyPem };
}

export function server(
  name: string,
  more: { readonly labels?: Readonly<Record<string, string>>; readonly dynamic?: boolean; readonly awsRegion?: string } = {},
) {
  return {
    kind: 'db',
    name,
    protocol: 'dynamodb',
    uri: '',
    description: '',
    labels: { ...more.labels },
    awsRegion: more.awsRegion ?? 'us-east-1',
    awsAccountId: '123456789012',
    dynamic: more.dynamic ?? false,
  };
}

export const CONSOLE = 'https://console.aws.amazon.com/console/home';

export function appServer(
  name: string,
  more: {
    readonly uri?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly publicAddress?: string;
    readonly dynamic?: boolean;
  } = {},
) {
  const { publicAddress } = more;
  return {
    ...server(name, more),
    kind: 'app',
    protocol: '',
    uri: more.uri ?? CONSOLE,
    awsRegion: '',
    awsAccountId: more.labels?.['aws_account_id'] ?? '',
    ...(publicAddress === undefined ? {} : { publicAddress }),
  };
}

export async function putResource(from: TestAuth, resource: { readonly kind: string; readonly [field: string]: unknown }): Promise<void> {
  await callUnary(from.client(from.admin), resources.definition.putResource, {
    kind: resource.kind,
    json: Buffer.from(JSON.stringify(resource)),
  });
}

export async function announce(from: TestAuth, host: Credential, servers: readonly ReturnType<typeof server>[]) {
  return callUnary(from.client(host), presence.definition.announceServers, { servers: [...servers], version: '0.1.0', nodeName: 'node-1' });
}

/** Every record of the log, oldest first. */
export async function auditRecords(from: TestAuth, kind = ''): Promise<readonly Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  const request = { fromMs: 0, toMs: 0, user: '', kind, resource: '', limit: 0, oldestFirst: true, sessionId: '' };
  for await (const record of callStream(from.client(from.admin), audit.definition.queryEvents, request)) {
    found.push(JSON.parse(record.json.toString('utf8')) as Record<string, unknown>);
  }
  return found;
}

/** The code of the PosternError that a promise rejects with, or 'ok'. */
export async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'ok',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  );
}
