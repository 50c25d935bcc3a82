import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type Agent, createServer as createHttpServer, request } from 'node:http';
import { PosternError } from '@postern/api';
import { CONNECT_KEYS } from '@postern/api/connect-keys';
import { Identity_Kind } from '@postern/api/identity';
import type { ByteStream } from '@postern/tunnel';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SessionGrant } from '#sessions/session-grant.ts';
import { AgentChannel } from '#sessions/agent-channel.ts';
import { ResourceSession } from '#sessions/resource-session.ts';
import { listenLocally } from '#local-port/listen-locally.ts';
import { databaseRefusal } from '#local-port/aws-refusal.ts';
import { refusalOf } from '#local-port/local-guard.ts';
import { serveConnection } from '#local-port/serve-connection.ts';
import { CLUSTER, grantFor, startAgent, type TestAgent, type TestCluster, testCluster } from '#testing/agent.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await testCluster();
});
const toStop: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).toReversed()) await stop();
});

/** Answers HTTP as an agent does: node:http fed with the stream. */
function httpAnswer(text: string): (stream: ByteStream) => void {
  const server = createHttpServer((incoming, answer) => {
    let bytes = 0;
    incoming.on('data', (chunk: Buffer) => (bytes += chunk.length));
    incoming.on('end', () => answer.end(`${text} ${bytes}`));
  });
  return (stream) => void server.emit('connection', stream);
}

async function agent(
  options: {
    readonly text?: string;
    readonly serve?: (stream: ByteStream) => void;
    readonly kind?: Identity_Kind;
    readonly refusal?: () => PosternError | undefined;
  } = {},
) {
  const id = randomUUID();
  const started = await startAgent(cluster, {
    id,
    serve: options.serve ?? httpAnswer(options.text ?? 'hello'),
    ...(options.kind === undefined ? {} : { kind: options.kind }),
    ...(options.refusal === undefined ? {} : { refusal: options.refusal }),
  });
  toStop.push(() => started.stop());
  return { ...started, id };
}

interface Setup {
  /** Where the next grant leads; changed by a test as agents come and go. */
  target: TestAgent & { readonly id: string };
  issued: number;
  failure: PosternError | undefined;
  ttlMs: number;
}

async function tunnel(setup: Setup, first: SessionGrant) {
  const notices: string[] = [];
  let session: ResourceSession | undefined;
  const listener = await listenLocally({ hosts: ['127.0.0.1'], port: 0 }, (socket, port) => {
    if (session === undefined) return void socket.destroy();
    const current = session;
    void serveConnection(socket, {
      openStream: () => current.openStream({ [CONNECT_KEYS.localPort]: String(port) }),
      guard: (head) => refusalOf(head, { port, allowAddresses: false }),
      refusal: ({ kind, message }) => databaseRefusal(kind, message),
      notice: (line) => notices.push(line),
    });
  });
  session = new ResourceSession(first, {
    issue: () => {
      setup.issued += 1;
      return setup.failure === undefined
        ? grantFor(cluster, { agentIds: [setup.target.id], ttlMs: setup.ttlMs })
        : Promise.reject(setup.failure);
    },
    open: (grant) => new AgentChannel({ proxy: setup.target.address, cluster: CLUSTER, grant }),
    loginUntilMs: Date.now() + 3_600_000,
    nowMs: Date.now,
    onRenewalFailed: (error) => notices.push(String(error)),
  });
  const opened = session;
  toStop.push(() => {
    opened.close();
    listener.close();
  });
  return { port: listener.port, session, notices };
}

function post(port: number, options: { readonly body?: Buffer; readonly headers?: Record<string, string>; readonly agent?: Agent } = {}) {
  return new Promise<{ status: number; body: string; type: string | undefined }>((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: '/',
        agent: options.agent,
        headers: { host: `localhost:${port}`, ...options.headers },
      },
      (answer) => {
        let body = '';
        answer.on('error', reject).on('data', (chunk: Buffer) => (body += chunk.toString()));
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body, type: answer.headers['x-amzn-errortype'] as string | undefined }),
        );
      },
    );
    call.on('error', reject);
    call.end(options.body ?? '{}');
  });
}

describe('a session with an agent', () => {
  it('carries requests of many local connections over one TLS session, and says the local port with each', async () => {
    const target = await agent();
    const setup: Setup = { target, issued: 0, failure: undefined, ttlMs: 3_600_000 };
    const { port } = await tunnel(setup, await grantFor(cluster, { agentIds: [target.id] }));
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(port)));
    expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['hello 2']));
    expect(target.connections()).toBe(1);
    expect(new Set(target.localPorts)).toEqual(new Set([String(port)]));
    expect(setup.issued).toBe(0);
  });

  it('carries a body of 16 MB whole', async () => {
    const target = await agent();
    const { port } = await tunnel({ target, issued: 0, failure: undefined, ttlMs: 1 }, await grantFor(cluster, { agentIds: [target.id] }));
    expect((await post(port, { body: Buffer.alloc(16_000_000, 'x') })).body).toBe('hello 16000000');
  });

  it('opens a second TLS session where the first has as many streams as an agent takes', async () => {
    const held: ByteStream[] = [];
    const target = await agent({ serve: (stream) => void held.push(stream) });
    const { session } = await tunnel(
      { target, issued: 0, failure: undefined, ttlMs: 1 },
      await grantFor(cluster, { agentIds: [target.id] }),
    );
    const streams = await Promise.all(Array.from({ length: 150 }, () => session.openStream({})));
    expect(target.connections()).toBe(2);
    for (const stream of streams) stream.destroy();
  });

  it('tells the words of an agent that lets it in no more, where auth cannot be asked for another certificate', async () => {
    let stale = true;
    const words = new PosternError('unavailable', 'this agent has not heard from auth for 6 minutes');
    const target = await agent({ refusal: () => (stale ? words : undefined) });
    const away = new PosternError('cannot_connect', 'the proxy cannot reach auth');
    const setup: Setup = { target, issued: 0, failure: away, ttlMs: 3_600_000 };
    const { port } = await tunnel(setup, await grantFor(cluster, { agentIds: [target.id] }));
    expect(await post(port)).toMatchObject({ status: 503, body: expect.stringContaining(words.message) as unknown });
    expect(setup.issued).toBe(1);
    // What auth itself refuses is the better reason.
    setup.failure = new PosternError('locked', 'alice is locked');
    expect((await post(port)).body).toContain('alice is locked');
    stale = false;
    expect((await post(port)).status).toBe(200);
  });

  it('goes to another agent, without a word, where the one that it has lets it in no more', async () => {
    const refusing = await agent({ refusal: () => new PosternError('unavailable', 'this agent has not heard from auth') });
    const other = await agent({ text: 'other' });
    const setup: Setup = { target: refusing, issued: 0, failure: undefined, ttlMs: 3_600_000 };
    const { port } = await tunnel(setup, await grantFor(cluster, { agentIds: [refusing.id] }));
    const before = post(port);
    setup.target = other;
    await before.catch(() => undefined);
    expect((await post(port)).body).toBe('other 2');
  });

  it('refuses a browser before anything is opened towards the agent', async () => {
    const target = await agent();
    const { port, notices } = await tunnel(
      { target, issued: 0, failure: undefined, ttlMs: 1 },
      await grantFor(cluster, { agentIds: [target.id] }),
    );
    const answer = await post(port, { headers: { origin: 'https://evil.example' } });
    expect(answer).toMatchObject({ status: 403, type: 'AccessDeniedException' });
    expect(JSON.parse(answer.body)).toMatchObject({ __type: 'com.amazon.coral.service#AccessDeniedException' });
    expect(target.connections()).toBe(0);
    expect(notices.join()).toMatch(/Origin/);
  });

  it.each([
    ['an agent that auth did not name', (target: { id: string }) => ({ ids: [`${target.id}x`], kind: undefined })],
    ['a host of the cluster that is no database agent', (target: { id: string }) => ({ ids: [target.id], kind: Identity_Kind.PROXY })],
  ])('sends nothing to %s', async (_what, choose) => {
    const served: string[] = [];
    const kind = choose({ id: '' }).kind;
    const target = await agent({ serve: () => void served.push('reached'), ...(kind === undefined ? {} : { kind }) });
    const { ids } = choose(target);
    const setup: Setup = { target, issued: 0, failure: new PosternError('unavailable', 'auth is away'), ttlMs: 1 };
    const { port } = await tunnel(setup, await grantFor(cluster, { agentIds: ids }));
    expect(await post(port)).toMatchObject({ status: 503, type: 'ServiceUnavailableException' });
    expect(served).toEqual([]);
  });

  it('goes to another agent when its own is gone, with a new ticket; at most the request that was on its way gets a 503', async () => {
    const [one, two] = [await agent({ text: 'one' }), await agent({ text: 'two' })];
    const setup: Setup = { target: one, issued: 0, failure: undefined, ttlMs: 3_600_000 };
    const { port } = await tunnel(setup, await grantFor(cluster, { agentIds: [one.id] }));
    expect((await post(port)).body).toBe('one 2');
    await one.stop();
    setup.target = two;
    const first = await post(port);
    expect([200, 503]).toContain(first.status);
    expect((await post(port)).body).toBe('two 2');
    expect(setup.issued).toBe(1);
  });

  // SDKs try a 503 again and a 400 not: with a 400, as of a database that never was, a restart of the only agent broke every program.
  it('answers 503 in the shape of AWS where no agent is left, and where one goes in the middle of a request; the next agent serves', async () => {
    let cut: (() => void) | undefined;
    const target = await agent({ serve: (stream) => stream.once('data', () => cut?.()) });
    const setup: Setup = { target, issued: 0, failure: new PosternError('not_found', 'nobody serves it'), ttlMs: 3_600_000 };
    const { port } = await tunnel(setup, await grantFor(cluster, { agentIds: [target.id] }));
    cut = () => void target.stop();
    const inFlight = await post(port);
    expect(inFlight).toMatchObject({ status: 503, type: 'ServiceUnavailableException' });
    const after = await post(port);
    expect(after).toMatchObject({ status: 503, type: 'ServiceUnavailableException' });
    const message = 'no agent serves database "orders" to you now: try again';
    expect(JSON.parse(after.body)).toMatchObject({ message: expect.stringContaining(message) as unknown });
    Object.assign(setup, { target: await agent({ text: 'next' }), failure: undefined });
    expect((await post(port)).body).toBe('next 2');
  });

  it('cuts an answer that was begun rather than ending it as if it were whole', async () => {
    const target = await agent({
      serve: (stream) =>
        void stream.once('data', () =>
          stream.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', () => setImmediate(() => stream.destroy())),
        ),
    });
    const { port } = await tunnel({ target, issued: 0, failure: undefined, ttlMs: 1 }, await grantFor(cluster, { agentIds: [target.id] }));
    await expect(post(port)).rejects.toThrow();
  });

  it('renews its certificate before it ends; the stream that is open goes on', async () => {
    const streams: ByteStream[] = [];
    const target = await agent({
      serve: (stream) => {
        streams.push(stream);
        stream.pipe(stream);
      },
    });
    const setup: Setup = { target, issued: 0, failure: undefined, ttlMs: 3_600_000 };
    const { session } = await tunnel(setup, await grantFor(cluster, { agentIds: [target.id], ttlMs: 1_500 }));
    const before = await session.openStream({});
    before.write('one');
    expect(String((await once(before, 'data'))[0])).toBe('one');
    await expect.poll(() => setup.issued, { timeout: 5_000 }).toBe(1);
    await expect.poll(() => target.connections(), { timeout: 5_000 }).toBe(2);
    before.write('two');
    expect(String((await once(before, 'data'))[0])).toBe('two');
    before.destroy();
    await expect.poll(() => target.connections(), { timeout: 5_000 }).toBe(1);
  });
});
