import { once } from 'node:events';
import { createSecureContext } from 'node:tls';
import { Client, credentials } from '@grpc/grpc-js';
import { AgentSession, callUnary, ConsoleSignIn, Identity_Kind, SessionInfo } from '@postern/api';
import { limits } from '@postern/limits';
import { clientContextOptions } from '@postern/pki';
import { RawConnection } from '@postern/tunnel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Refused, Standing } from '#authorise/authorizer.ts';
import type { LiveSession } from '#session/live-session.ts';
import { OpenSessions, type RefusedConnection } from '#session/open-sessions.ts';
import { createSessionServer, type SessionConnection, type SessionServer } from '#session/session-server.ts';
import { AGENT_ID, listenFor, openStream, TestCluster } from '#testing/test-cluster.ts';

let cluster: TestCluster;
let server: SessionServer;
let sessions: OpenSessions;
let port: number;
let stopped: Refused | undefined;
let served: string[];
const nothingSeen = () => ({
  started: [] as LiveSession[],
  ended: [] as LiveSession[],
  refused: [] as RefusedConnection[],
  handshakes: [] as string[],
  connections: [] as SessionConnection[],
});
let seen = nothingSeen();
const cleanup: (() => unknown)[] = [];
const clients: Client[] = [];

function dial(identity: Awaited<ReturnType<TestCluster['session']>>, to = cluster): Client {
  const client = to.dial(port, identity);
  clients.push(client);
  return client;
}

/** Sends a word, reads it back. */
async function echo(client: Client, word = 'ping', localPort?: number): Promise<string> {
  const stream = openStream(client, localPort);
  stream.write(word);
  const [answer] = (await once(stream, 'data')) as [Buffer];
  stream.destroy();
  return answer.toString();
}

beforeEach(async () => {
  // What still closes of the test before writes into its own lists.
  const mine = nothingSeen();
  seen = mine;
  stopped = undefined;
  served = ['orders'];
  cluster = await TestCluster.create();
  const standing: Standing = {
    check: () => stopped,
    awsCredentialOperations: () => 'cap',
    authorize: () => ({ allowed: true, decision: { allowed: true, reason: '', steps: [] } }),
  };
  sessions = new OpenSessions({
    resourceKind: 'db',
    verifyPeer: (der) => cluster.verifySession(der),
    standingOf: () => standing,
    serves: (name) => served.includes(name),
    rulesVersion: () => 1,
    placeOf: (session) => session,
    onStart: (session) => mine.started.push(session),
    onEnd: (session) => mine.ended.push(session),
    onRefused: (refused) => mine.refused.push(refused),
  });
  server = createSessionServer({
    tls: cluster.serverTls(await cluster.agent()),
    sessions,
    nowMs: Date.now,
    onUnexpected: () => undefined,
    onHandshakeFailed: (error) => mine.handshakes.push(error.message),
    onConnection: (connection) => {
      mine.connections.push(connection);
      connection.stream.pipe(connection.stream);
    },
    describe: (session) => SessionInfo.fromPartial({ user: session.user, agentId: AGENT_ID }),
    signInToConsole: (session, { destination }) => Promise.resolve(ConsoleSignIn.fromPartial({ url: `${destination}?as=${session.user}` })),
  });
  const listener = await listenFor(server);
  port = listener.port;
  cleanup.push(
    () => listener.close(),
    () => server.stop({ graceMs: 0 }),
  );
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const undo of cleanup.splice(0)) await undo();
});

describe('a session', () => {
  it('carries streams for the holder of a session certificate, and ends with its connection', async () => {
    const client = dial(await cluster.session());
    expect(await echo(client, 'ping', 8000)).toBe('ping');
    expect(await echo(client, 'pong')).toBe('pong');
    expect(seen.connections.map(({ localPort }) => localPort)).toEqual([8000, undefined]);
    expect(seen.started).toHaveLength(1);
    expect(seen.started[0]?.facts.clientAddress).toMatch(/^198\.51\.100\.7:/);
    const info = await callUnary(client, AgentSession.describe, {});
    expect(info).toMatchObject({ user: 'alice', agentId: AGENT_ID });
    const signIn = await callUnary(client, AgentSession.signInToConsole, { destination: 'home', issuer: '' });
    expect(signIn).toMatchObject({ url: 'home?as=alice' });
    client.close();
    await expect.poll(() => seen.ended.length).toBe(1);
    expect(sessions.size).toBe(0);
  });

  it('is one for two connections with the same certificate', async () => {
    const identity = await cluster.session();
    const [one, two] = [dial(identity), dial(identity)];
    await echo(one);
    await echo(two);
    expect(seen.started).toHaveLength(1);
    one.close();
    await expect.poll(() => seen.started[0]?.connectionCount).toBe(1);
    expect(seen.ended).toHaveLength(0);
  });
});

it('carries a thousand streams of one session at a time, and one more is not served beside them [limit streamsPerSession]', async () => {
  const client = dial(await cluster.session());
  const streams = Array.from({ length: limits.streamsPerSession }, () => openStream(client, undefined));
  for (const stream of streams) stream.on('error', () => undefined).write('x');
  await expect.poll(() => seen.connections.length, { timeout: 10_000 }).toBe(limits.streamsPerSession);
  const more = openStream(client, undefined).on('error', () => undefined);
  more.write('x');
  // Another answer on the same connection: what was to come before it has come.
  const [first] = streams;
  const echoed = new Promise((resolve) => first?.on('data', (bytes: Buffer) => bytes.includes('y') && resolve(true)));
  first?.write('y');
  await echoed;
  expect(seen.connections).toHaveLength(limits.streamsPerSession);
  more.destroy();
  first?.destroy();
  await expect.poll(() => seen.connections[0]?.stream.destroyed).toBe(true);
  expect(await echo(client)).toBe('ping');
});

describe('no session opens', () => {
  const fails = async (client: Client) => {
    await expect(echo(client)).rejects.toThrow();
    expect(seen.connections).toHaveLength(0);
    expect(seen.started).toHaveLength(0);
  };

  it.each([
    ['stale', 'unavailable'],
    ['locked', 'locked'],
  ] as const)('where who holds its certificate may not go on: it is told why (%s)', async (cause, code) => {
    stopped = { allowed: false, cause, reason: 'the reason in words' };
    const held = await cluster.session();
    const connection = new RawConnection({
      address: `127.0.0.1:${port}`,
      serverName: 'x.session.postern.internal',
      context: clientContextOptions([cluster.host.certificatePem], held),
      checkServer: () => undefined,
    });
    await expect(connection.ready).rejects.toMatchObject({ code, message: 'the reason in words' });
    expect(seen.refused.map(({ reason, identity }) => [reason, identity?.name])).toEqual([['the reason in words', 'alice']]);
    expect(sessions.size).toBe(0);
    await fails(dial(held));
  });

  it('without a certificate', async () => {
    const context = createSecureContext({ ca: cluster.host.certificatePem });
    const client = new Client(`127.0.0.1:${port}`, credentials.createFromSecureContext(context, { checkServerIdentity: () => undefined }), {
      'grpc.ssl_target_name_override': 'x.session.postern.internal',
    });
    clients.push(client);
    await fails(client);
    expect(seen.handshakes.length).toBeGreaterThan(0);
  });

  it('with the certificate of another cluster of the same name', async () => {
    const other = await TestCluster.create();
    const stranger = await other.session();
    await fails(dial(stranger));
    expect(seen.handshakes.length).toBeGreaterThan(0);
  });

  it('with an expired certificate', async () => {
    await fails(dial(await cluster.session({ nowMs: Date.now() - 7_200_000, notAfterMs: Date.now() - 3_600_000 })));
  });

  it('with a user’s certificate that is not for a session', async () => {
    await fails(dial(await cluster.session({ kind: Identity_Kind.USER })));
    expect(seen.refused[0]?.reason).toMatch(/kind|session/);
  });

  it('with a host certificate in place of a user’s', async () => {
    await fails(dial(await cluster.agent()));
  });

  it('for a resource of another kind, or one that this agent does not serve now', async () => {
    await fails(dial(await cluster.session({ resourceKind: 'app' })));
    expect(seen.refused.at(-1)?.reason).toMatch(/app\/orders/);
    await fails(dial(await cluster.session({ resourceName: 'pets' })));
    expect(seen.refused.at(-1)).toMatchObject({ reason: 'db/pets is not served by this agent', identity: { name: 'alice' } });
  });

  it('for a user who is locked, and opens once the lock is gone', async () => {
    stopped = { allowed: false, cause: 'locked', reason: 'user alice is locked' };
    const identity = await cluster.session();
    await fails(dial(identity));
    expect(seen.refused[0]?.reason).toBe('user alice is locked');
    stopped = undefined;
    expect(await echo(dial(identity))).toBe('ping');
  });
});

describe('an open session', () => {
  it('is cut with the reason when a lock comes, its connection too', async () => {
    const client = dial(await cluster.session());
    const stream = openStream(client, 8000);
    const failed = once(stream, 'error');
    stream.write('x');
    await once(stream, 'data').catch(() => undefined);
    stopped = { allowed: false, cause: 'locked', reason: 'user alice is locked: ask security' };
    const lockedAtMs = performance.now();
    const [error] = (await failed.catch((thrown: unknown) => [thrown])) as [Error & { code?: string }];
    expect(performance.now() - lockedAtMs).toBeLessThan(5000);
    expect(error.message).toMatch(/locked/);
    await expect.poll(() => seen.ended.length, { timeout: 5000 }).toBe(1);
    expect(seen.ended[0]?.endedBy).toMatchObject({ cause: 'locked' });
  });

  it('is cut when its certificate expires, within five seconds', async () => {
    const notAfterMs = Math.ceil((Date.now() + 1500) / 1000) * 1000;
    const client = dial(await cluster.session({ notAfterMs }));
    const stream = openStream(client, 8000);
    stream.on('data', () => undefined);
    const error = await new Promise<Error>((resolve) => stream.once('error', resolve));
    expect(Date.now() - notAfterMs).toBeGreaterThanOrEqual(0);
    expect(Date.now() - notAfterMs).toBeLessThan(5000);
    expect(error.message).toMatch(/expired/);
  });

  it('is cut when its database is served no more', async () => {
    const client = dial(await cluster.session());
    const stream = openStream(client, 8000);
    stream.on('data', () => undefined);
    stream.write('x');
    await expect.poll(() => seen.connections.length).toBe(1);
    served = [];
    const error = await new Promise<Error>((resolve) => stream.once('error', resolve));
    expect(error.message).toMatch(/not served/);
  });
});
