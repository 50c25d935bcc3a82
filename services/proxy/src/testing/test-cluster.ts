import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { Client, credentials } from '@grpc/grpc-js';
import { Identity, Identity_Kind } from '@postern/api';
import {
  type Authority,
  clientContextOptions,
  createAuthority,
  generateKey,
  type Issued,
  issueCertificate,
  makeTicket,
  resourceId,
  serverIdentityCheck,
} from '@postern/pki';
import { createMetrics, createLogger } from '@postern/telemetry';
import { ReverseTunnelClient, type ReverseTunnelClientOptions, wideChannelOptions } from '@postern/tunnel';
import type { ProxyConfig } from '#config.ts';
import type { RunningProxy } from '#index.ts';
import type { Cluster } from '#outbound/cluster.ts';
import { serveProxy } from '#serve-proxy.ts';
import { LogSink } from '#testing/log-sink.ts';
import type { TestPeople } from '#testing/test-people.ts';
import { startTestAuth, type TestAuth } from '#testing/test-auth.ts';

const CLUSTER = 'test-cluster';
const HOUR_MS = 3_600_000;

export interface TestIdentity {
  readonly hostId: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly hostCaPems: readonly string[];
  readonly userCaPems: readonly string[];
}

/** A cluster on loopback: real certificates, a gRPC server that answers as auth does towards proxies, and proxies. */
export class TestCluster {
  readonly ticketKey = randomBytes(32);
  readonly announcements: { readonly publicAddress: string; readonly proxyId: string }[] = [];
  /** What auth saw in front of each TLS connection that came through a proxy. */
  readonly seenAddresses: string[] = [];
  readonly logs: string[] = [];
  readonly people: TestPeople = { passwords: new Map(), roles: ['access'], apps: [], signIns: [], asked: [] };
  readonly joinToken = randomBytes(16).toString('hex');
  readonly #host: Authority;
  readonly #user: Authority;
  readonly #resources = new Map<string, unknown[]>();
  readonly #listeners = new Set<() => void>();
  readonly #closers: (() => unknown)[] = [];
  #auth: TestAuth | undefined;

  private constructor(host: Authority, user: Authority) {
    this.#host = host;
    this.#user = user;
  }

  static async start(): Promise<TestCluster> {
    const nowMs = Date.now();
    const cluster = new TestCluster(
      await createAuthority({ kind: 'host', cluster: CLUSTER, nowMs }),
      await createAuthority({ kind: 'user', cluster: CLUSTER, nowMs }),
    );
    await cluster.startAuth();
    return cluster;
  }

  get hostCaPem(): string {
    return this.#host.certificatePem;
  }

  get userCaPem(): string {
    return this.#user.certificatePem;
  }

  async stop(): Promise<void> {
    for (const close of this.#closers.splice(0).toReversed()) await close();
    await this.stopAuth();
  }

  async identity(
    kind: Identity_Kind,
    options: { readonly hostId?: string; readonly ttlMs?: number; readonly nowMs?: number } = {},
  ): Promise<TestIdentity> {
    const hostId = options.hostId ?? randomUUID();
    const key = generateKey();
    const nowMs = options.nowMs ?? Date.now();
    const issued: Issued = await issueCertificate({
      authority: this.#host,
      identity: Identity.create({ kind, name: hostId, cluster: CLUSTER }),
      publicKey: key.publicKeyDer,
      notAfterMs: nowMs + (options.ttlMs ?? HOUR_MS),
      nowMs,
    });
    return {
      hostId,
      certificatePem: issued.certificatePem,
      privateKeyPem: key.privateKeyPem,
      hostCaPems: [this.hostCaPem],
      userCaPems: [],
    };
  }

  /** Replaces what auth lists. */
  list(kind: string, resources: readonly unknown[]): void {
    this.#resources.set(kind, [...resources]);
    for (const listener of this.#listeners) listener();
  }

  serve(name: string, ...agentIds: string[]): void {
    const database = { metadata: { name }, spec: { protocol: 'dynamodb' } };
    this.list(
      'db_server',
      agentIds.map((host_id) => ({ kind: 'db_server', version: 'v3', metadata: { name }, spec: { host_id, database } })),
    );
  }

  /** An application that these agents serve, and what auth lets people do with it. */
  serveApp(app: TestPeople['apps'][number], more: { readonly publicAddress?: string } = {}): void {
    const { name, agentIds } = app;
    this.people.apps = [...this.people.apps.filter((other) => other.name !== name), app];
    const spec = {
      uri: 'https://console.aws.amazon.com/',
      ...(more.publicAddress === undefined ? {} : { public_addr: more.publicAddress }),
    };
    const others = (this.#resources.get('app_server') ?? []).filter(
      (other) => (other as { metadata: { name: string } }).metadata.name !== name,
    );
    const served = agentIds.map((host_id) => ({ kind: 'app_server', version: 'v3', metadata: { name }, spec: { host_id, app: { spec } } }));
    this.list('app_server', [...others, ...served]);
  }

  /** As auth stores what proxies announce; `at` stands for the address where one is behind a balancer or gone. */
  listProxies(...proxies: readonly { readonly proxyId: string; readonly publicAddress: string; readonly at?: string }[]): void {
    this.list(
      'proxy',
      proxies.map(({ proxyId, publicAddress, at = publicAddress }) => ({
        kind: 'proxy',
        version: 'v2',
        metadata: { name: proxyId },
        spec: { public_addr: publicAddress, own_addr: at, hostname: 'test', version: '0.1.0' },
      })),
    );
  }

  lock(hostId: string): void {
    this.list('lock', [{ kind: 'lock', version: 'v2', metadata: { name: 'l1' }, spec: { target: { server_id: hostId } } }]);
  }

  ticket(name: string, options: { readonly expiresMs?: number; readonly key?: Buffer } = {}): string {
    const { expiresMs = Date.now() + HOUR_MS, key = this.ticketKey } = options;
    return makeTicket({ resourceId: resourceId('db', name), expiresMs, key });
  }

  async proxy(options: Partial<ProxyConfig> & { readonly identity?: TestIdentity } = {}): Promise<RunningProxy> {
    const { identity = await this.identity(Identity_Kind.PROXY), ...config } = options;
    const dataDir = mkdtempSync(join(tmpdir(), 'postern-proxy-'));
    const port = this.#auth?.port ?? 1;
    const running = await serveProxy({
      metrics: createMetrics(),
      config: {
        listen: { host: '127.0.0.1', port: 0 },
        dataDir,
        httpsKeypairs: [],
        authAddress: `127.0.0.1:${port}`,
        join: { token: '' },
        nodeName: 'test',
        ...config,
        limits: { drainMs: 500, ...config.limits },
      },
      cluster: this.#clusterOf(identity, port),
      logger: createLogger({ service: 'proxy', level: 'debug', format: 'json', destination: this.#logSink() }),
      nowMs: Date.now,
    });
    this.#closers.push(async () => {
      await running.stop();
      rmSync(dataDir, { recursive: true, force: true });
    });
    return running;
  }

  async agent(
    proxies: readonly string[],
    options: Pick<ReverseTunnelClientOptions, 'onConnection'> & Partial<ReverseTunnelClientOptions> & { readonly identity?: TestIdentity },
  ): Promise<{ readonly agentId: string; readonly client: ReverseTunnelClient }> {
    const identity = options.identity ?? (await this.identity(Identity_Kind.DB_AGENT));
    const client = new ReverseTunnelClient({
      version: '0.1.0',
      proxies,
      credentials: () => ({
        context: clientContextOptions(identity.hostCaPems, identity),
        checkServer: serverIdentityCheck({
          cluster: CLUSTER,
          kinds: [Identity_Kind.PROXY],
          hostCaPems: identity.hostCaPems,
          nowMs: Date.now,
        }),
      }),
      backoff: { baseMs: 50, capMs: 200 },
      ...options,
    });
    client.start();
    this.#closers.push(() => client.stop());
    return { agentId: identity.hostId, client };
  }

  async startAuth(port = 0): Promise<void> {
    this.#auth = await startTestAuth({
      port,
      identity: await this.identity(Identity_Kind.AUTH),
      cluster: CLUSTER,
      ticketKey: this.ticketKey,
      joinToken: this.joinToken,
      host: this.#host,
      user: this.#user,
      resources: (kind) => this.#resources.get(kind) ?? [],
      onChange: (listener) => void this.#listeners.add(listener),
      announcements: this.announcements,
      seenAddresses: this.seenAddresses,
      people: this.people,
      onError: (error) => void this.logs.push(String(error)),
    });
  }

  async stopAuth(): Promise<number> {
    const auth = this.#auth;
    this.#auth = undefined;
    await auth?.stop();
    return auth?.port ?? 0;
  }

  get authAddress(): string {
    return `127.0.0.1:${this.#auth?.port ?? 1}`;
  }

  #clusterOf(identity: TestIdentity, authPort: number): Cluster {
    const { hostId } = identity;
    const auth = () => this.#auth;
    return {
      member: { hostId, cluster: CLUSTER, current: () => identity, onRenewed: () => undefined, stop: () => undefined },
      resources: {
        list: (kind) => this.#resources.get(kind) ?? [],
        onChange: (listener) => void this.#listeners.add(listener),
        heardAuth: () => auth() !== undefined,
        stop: () => undefined,
      },
      openAuth: () => this.openAuth(`127.0.0.1:${authPort}`, identity),
    };
  }

  openAuth(address: string, identity?: TestIdentity): Client {
    const check = serverIdentityCheck({ cluster: CLUSTER, kinds: [Identity_Kind.AUTH], hostCaPems: [this.hostCaPem], nowMs: Date.now });
    const context = createSecureContext(clientContextOptions([this.hostCaPem], identity));
    const secure = credentials.createFromSecureContext(context, { checkServerIdentity: check });
    return new Client(address, secure, wideChannelOptions({ 'grpc.ssl_target_name_override': 'auth.postern.internal' }));
  }

  #logSink() {
    return new LogSink(this.logs);
  }
}

export function dial(proxy: RunningProxy): Socket {
  const socket = connect(proxy.address.port, proxy.address.host);
  socket.on('error', () => undefined);
  return socket;
}
