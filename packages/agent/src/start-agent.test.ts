import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { Client, credentials, Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import {
  type AppendEventsResponse,
  type AppendEventsRequest,
  type AnnounceServersResponse,
  type AnnounceServersRequest,
  AuditService,
  PosternError,
  PresenceService,
  SessionInfo,
} from '@postern/api';
import { resourceId } from '@postern/pki';
import { createMetrics, createLogger } from '@postern/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Membership, WatchListener } from '#membership/membership.ts';
import { EventFields, EventHead } from '#spool/event.ts';
import { openSpool } from '#spool/open-spool.ts';
import { type AgentParts, startAgent, type StartedAgent } from '#start-agent.ts';
import { AGENT_ID, openStream, TestCluster } from '#testing/test-cluster.ts';
import { startTestProxy, type TestProxy } from '#testing/test-proxy.ts';

let cluster: TestCluster;
let agent: StartedAgent;
let proxy: TestProxy;
let watch: WatchListener;
let parts: AgentParts;
let uploaded: string[];
let announced: string[][];
let admit: (names: string[]) => string[];
const cleanup: (() => unknown)[] = [];

const logger = createLogger({
  service: 'test',
  level: 'error',
  format: 'json',
  destination: new Writable({ write: (_line, _encoding, done) => done() }),
});
const resource = (kind: string, name: string, spec: object) => ({
  kind,
  name,
  revision: String(Math.random()),
  json: { kind, version: 'v7', metadata: { name }, spec },
});

/** Auth as far as an agent calls it, answering what the test says. */
async function startAuthStandIn(): Promise<Client> {
  const server = new Server();
  server.addService(AuditService, {
    appendEvents: (call: ServerUnaryCall<AppendEventsRequest, AppendEventsResponse>, done: sendUnaryData<AppendEventsResponse>) => {
      uploaded.push(...call.request.events.map(({ kind }) => kind));
      done(null, { stored: call.request.events.length, duplicates: 0 });
    },
  });
  server.addService(PresenceService, {
    announceServers: (
      call: ServerUnaryCall<AnnounceServersRequest, AnnounceServersResponse>,
      done: sendUnaryData<AnnounceServersResponse>,
    ) => {
      const names = call.request.servers.map(({ name }) => name);
      announced.push(names);
      const admitted = admit(names);
      done(null, {
        effectiveLabels: Object.fromEntries(admitted.map((name) => [name, { labels: { env: 'dev' } }])),
        refusals: names.filter((name) => !admitted.includes(name)).map((name) => ({ name, reason: 'not bound to the token' })),
      });
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  cleanup.push(
    () => server.forceShutdown(),
    () => client.close(),
  );
  return client;
}

beforeEach(async () => {
  [uploaded, announced, admit] = [[], [], (names) => names];
  cluster = await TestCluster.create();
  const client = await startAuthStandIn();
  proxy = await startTestProxy(cluster);
  const own = await cluster.agent();
  let reachable = () => Promise.resolve();
  const membership: Membership = {
    hostId: AGENT_ID,
    cluster: cluster.name,
    current: () => ({
      ...own,
      hostCaPems: [cluster.host.certificatePem],
      userCaPems: [cluster.user.certificatePem],
      notAfterMs: Date.now() + 3_600_000,
    }),
    onRenewed: () => undefined,
    client: () => client,
    watch: (listener) => {
      watch = listener;
      listener.put(resource('role', 'dev', { allow: { db_labels: { env: 'dev' }, db_users: ['Reader'] } }));
      listener.put(resource('user', 'alice', { generation: 'g1', roles: ['dev'] }));
    },
    synced: () => Promise.resolve(),
    dialAfter: (proxyStands) => (reachable = proxyStands),
    reachable: () => reachable(),
    spreadMs: () => 0,
    quietMs: () => 0,
    viewAgeMs: () => 0,
    patienceMs: () => 45_000,
    stop: () => Promise.resolve(),
  };
  const dir = mkdtempSync(join(tmpdir(), 'postern-agent-'));
  const spool = await openSpool({ dir, nowMs: Date.now });
  const orders = {
    kind: 'db' as const,
    name: 'orders',
    protocol: 'dynamodb',
    uri: '',
    description: '',
    labels: {},
    awsRegion: '',
    awsAccountId: '',
    dynamic: false,
  };
  agent = await startAgent({
    metrics: createMetrics(),
    kind: 'db',
    version: '0.1.0',
    nodeName: 'node',
    membership,
    spool,
    proxyServer: proxy.address,
    logger,
    nowMs: Date.now,
    service: (given) => {
      parts = given;
      return {
        wanted: () => [orders],
        serves: (name) => given.labelsOf(name) !== undefined,
        placeOf: (session) => session,
        putResource: () => undefined,
        removeResource: () => undefined,
        onConnection: ({ stream, session }) => {
          // Answers each line with the verdict.
          stream.on('data', () => {
            const verdict = session.facts.standing.authorize({
              kind: 'db',
              name: 'orders',
              labels: given.labelsOf('orders') ?? {},
              principal: ['Reader'],
            });
            stream.write(verdict.allowed ? 'yes' : verdict.reason);
          });
        },
        onSessionStart: (session) =>
          given.spool.writeLater({
            head: new EventHead({ kind: 'db.session.start', user: session.user, resource: 'db/orders', sessionId: session.id }),
            id: crypto.randomUUID(),
            code: 'TDB00I',
            timeMs: Date.now(),
            success: true,
            fields: EventFields.of({}),
          }),
        onSessionEnd: () => undefined,
        onRefused: () => undefined,
        describe: () => SessionInfo.fromPartial({}),
        signInToConsole: () => Promise.reject(new PosternError('unimplemented', 'no console here')),
        problems: () => [],
        underWay: 0,
        stop: () => Promise.resolve(),
      };
    },
  });
  cleanup.push(
    () => rmSync(dir, { recursive: true, force: true }),
    () => proxy.stop(),
  );
  await expect.poll(async () => (await agent.ready()).reason ?? 'ready', { timeout: 10_000 }).not.toMatch(/proxies/);
});

afterEach(async () => {
  await agent.stop();
  for (const undo of cleanup.splice(0)) await undo();
});

/** A loopback port whose connections the proxy would carry to the agent. */
async function viaProxy(name = 'orders'): Promise<number> {
  const listener = createServer((socket) => {
    void proxy.dial(AGENT_ID, resourceId('db', name)).then(
      (stream) =>
        void socket
          .on('error', () => stream.destroy())
          .pipe(stream)
          .on('error', () => socket.destroy())
          .pipe(socket),
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  cleanup.push(() => listener.close());
  return (listener.address() as AddressInfo).port;
}

async function ask(client: Client): Promise<string> {
  const stream = openStream(client, 8000);
  stream.write('may I?');
  const [answer] = (await once(stream, 'data')) as [Buffer];
  stream.destroy();
  return answer.toString();
}

describe('an agent', () => {
  it('is reached through its tunnel, decides each request by what it watches, and sends its events to auth', async () => {
    expect(announced[0]).toEqual(['orders']);
    expect(parts.labelsOf('orders')).toEqual({ env: 'dev' });
    expect(await agent.ready()).toEqual({ ok: true });
    const client = cluster.dial(await viaProxy(), await cluster.session());
    cleanup.push(() => client.close());
    expect(await ask(client)).toBe('yes');
    watch.put(resource('role', 'dev', { allow: { db_labels: { env: 'dev' }, db_users: ['Reader'] }, deny: { db_labels: { env: 'dev' } } }));
    expect(await ask(client)).toMatch(/denied by role dev/);
    await expect.poll(() => uploaded, { timeout: 10_000 }).toContain('db.session.start');
  });

  it('takes its last events to auth before it stops, those that are not on the disk yet among them', async () => {
    const head = new EventHead({ kind: 'the.last', user: 'alice', resource: '', sessionId: '' });
    const event = { head, id: crypto.randomUUID(), code: 'X', timeMs: Date.now(), success: true, fields: EventFields.of({}) };
    parts.spool.writeLater(event);
    await agent.stop();
    expect(uploaded).toContain('the.last');
  });

  it('tells auth nothing while no proxy has its tunnel, and stops at once all the same', async () => {
    await proxy.stop();
    await expect.poll(async () => (await agent.ready()).reason ?? 'ready', { timeout: 10_000 }).toMatch(/proxies/);
    const before = announced.length;
    parts.resourcesChanged();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(announced).toHaveLength(before);
    const startedMs = performance.now();
    await agent.stop();
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    // What it serves from now on: nothing.
    expect(announced.at(-1)).toEqual([]);
  });

  it('takes no dial for what it does not serve', async () => {
    await expect(proxy.dial(AGENT_ID, resourceId('db', 'pets'))).rejects.toThrow(/does not serve/);
    const socket = connectTcp(await viaProxy('pets'), '127.0.0.1');
    await once(socket, 'close');
  });

  it('says in its health which name auth refuses, and serves it no more', async () => {
    admit = () => [];
    parts.resourcesChanged();
    await expect.poll(async () => (await agent.ready()).reason, { timeout: 10_000 }).toMatch(/orders: not bound to the token/);
    await expect(proxy.dial(AGENT_ID, resourceId('db', 'orders'))).rejects.toThrow(/does not serve/);
  });
});
