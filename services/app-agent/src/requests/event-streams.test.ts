import { connect, type ClientHttp2Session, createSecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { BodyBudget } from '@postern/http';
import { limits } from '@postern/limits';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { BEDROCK_HOST, type EventStream, http2To, MODEL_PATH, openEvents, type StreamWish } from '#testing/event-stream.ts';
import { allowReader, type LocalAgent, sessionOf, startLocalAgent } from '#testing/local-agent.ts';
import { rawHttp2 } from '#testing/raw-http2.ts';
import { selfSigned } from '#testing/self-signed.ts';
import { signedHeaders } from '#testing/signed-call.ts';

let tls: ReturnType<typeof selfSigned>;
let agent: LocalAgent;
let session: ClientHttp2Session;
const undo: (() => void)[] = [];
beforeAll(() => {
  tls = selfSigned();
});
beforeEach(() => start());
afterEach(() => stop());

async function start(options: Parameters<typeof startLocalAgent>[0] = {}): Promise<void> {
  agent = await startLocalAgent({ tls, ...options });
  agent.setFacts({ connectHost: BEDROCK_HOST, isHttp2: true });
  session = http2To(agent.port);
}

async function stop(): Promise<void> {
  session.destroy();
  for (const one of undo.splice(0)) one();
  await agent.stop();
}

/** A refusal at the door ends the connection with it. */
function fresh(): void {
  session.destroy();
  session = http2To(agent.port);
}

const open = (wish?: StreamWish): Promise<EventStream> => openEvents(session, wish);
/** On a machine that does other things besides. */
const soon = <T>(ask: () => T) => expect.poll(ask, { timeout: 10_000 });
const outcome = () => agent.events.findLast(({ fields }) => fields['phase'] === 'outcome')?.fields;
const refusal = () => agent.events.findLast(({ fields }) => fields['phase'] === 'refusal')?.fields;
const streams = () => agent.emulator.log().filter(({ operation }) => operation === 'InvokeModelWithBidirectionalStream');

/** A request without a body that streams: what comes back, whole. */
async function call(headers: Readonly<Record<string, string>>, body?: string): Promise<{ readonly status: number; readonly text: string }> {
  const stream = session.request({ ':method': 'POST', ...headers });
  const answer = Promise.withResolvers<{ readonly status: number; readonly text: string }>();
  let status = 0;
  let text = '';
  stream.on('response', (head) => (status = Number(head[':status'])));
  stream.on('data', (piece: Buffer) => (text += piece.toString()));
  stream.on('error', () => undefined);
  stream.on('close', () => answer.resolve({ status, text }));
  stream.end(body);
  return answer.promise;
}

describe('an event stream over HTTP/2', () => {
  it('carries each message while both ends are open, verified at AWS under the role, and is recorded once before and once after', async () => {
    const conversation = await open();
    expect(await conversation.status).toBe(200);
    for (const [at, text] of ['one', 'two', 'three'].entries()) {
      await conversation.say(text);
      await soon(() => conversation.heard().length).toBe(at + 1);
    }
    expect(outcome()).toBeUndefined();
    await conversation.say('');
    expect(await conversation.closed).toBe(0);
    expect(conversation.heard()).toEqual(['one', 'two', 'three']);
    expect(streams()).toMatchObject([
      {
        verified: true,
        payload: 'STREAMING-AWS4-HMAC-SHA256-EVENTS',
        host: BEDROCK_HOST,
        identity: { arn: expect.stringContaining('Reader/alice') as string },
      },
    ]);
    const told = agent.events.filter(({ fields }) => fields['path'] === MODEL_PATH);
    expect(told.map(({ fields }) => fields['phase'])).toEqual(['intent', 'outcome']);
    expect(outcome()).toMatchObject({ status_code: 200, aws_host: BEDROCK_HOST, outcome: 'answered' });
  });

  it('is one request of its own among others on the connection', async () => {
    const both = [await open(), await open()] as const;
    await Promise.all(both.map(({ say }, at) => say(`of ${at}`)));
    await soon(() => both.map(({ heard }) => heard())).toEqual([['of 0'], ['of 1']]);
    await both[0].say('');
    expect(await both[0].closed).toBe(0);
    await both[1].say('still there');
    await soon(() => both[1].heard()).toEqual(['of 1', 'still there']);
  });

  it('is reached by an endpoint of the local port as well', async () => {
    agent.setFacts({ isHttp2: true });
    const conversation = await open({ host: `127.0.0.1:${agent.port}` });
    await conversation.say('hello');
    await soon(() => conversation.heard()).toEqual(['hello']);
    expect(outcome()).toBeUndefined();
  });

  it('that its client leaves is told to have been acted on as far as it came', async () => {
    const conversation = await open();
    await conversation.say('one');
    await soon(() => conversation.heard()).toEqual(['one']);
    session.destroy();
    await soon(outcome).toMatchObject({ outcome: 'unknown', status_code: 200, bytes: expect.any(Number) as number });
  });
});

describe('other requests over HTTP/2', () => {
  it('are served as over HTTP/1.1', async () => {
    const body = JSON.stringify({ prompt: 'x'.repeat(200_000) });
    const path = '/model/anthropic.claude-v2%3A1/invoke';
    const headers = await signedHeaders(agent, { service: 'bedrock', path, body, host: BEDROCK_HOST });
    const { status, text } = await call({ ...headers, ':path': path }, body);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({ model: 'anthropic.claude-v2:1', told: body });
  });

  it('are refused in the shape of the service, and the connection goes on', async () => {
    const path = '/model/m/invoke';
    const headers = await signedHeaders(agent, { service: 'bedrock', path, body: 'signed', host: BEDROCK_HOST });
    expect(await call({ ...headers, ':path': path }, 'anothe')).toMatchObject({
      status: 403,
      text: expect.stringContaining('does not match') as string,
    });
    expect(await (await open()).status).toBe(200);
  });
});

describe('a connection of HTTP/2', () => {
  it('whose client has got another key is ended behind the refusal, so that the next request finds its own session', async () => {
    const left = Promise.withResolvers<number>();
    session.on('goaway', (code) => left.resolve(code));
    const renewed = await open({ key: { accessKeyId: 'AKIARENEWED345LOCAL6', secretAccessKey: 'x' } });
    expect(await renewed.status).toBe(403);
    await renewed.closed;
    expect(renewed.raw()).toMatch(/AKIARENEWED345LOCAL6 is not known here/);
    expect(await left.promise).toBe(0);
  });
});

describe('the attacker on HTTP/2', () => {
  it('repeats a message: it does not reach AWS, and the client hears why in the stream', async () => {
    const conversation = await open();
    const one = await conversation.sign('one');
    conversation.stream.write(one);
    await soon(() => conversation.heard()).toEqual(['one']);
    conversation.stream.write(one);
    await conversation.closed;
    expect(conversation.heard()).toEqual([
      'one',
      expect.stringMatching(/^InvalidSignatureException: the signature we calculated of a message/),
    ]);
    expect(outcome()).toMatchObject({ outcome: 'unknown', error: expect.stringContaining('signature') as string });
    await soon(() => streams()).toMatchObject([{ verified: false, refusal: 'IncompleteBody' }]);
  });

  it('changes one, signs one with another key, or brings one of another hour', async () => {
    const changed = await open();
    expect(await changed.status).toBe(200);
    const bytes = await changed.sign('one');
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
    changed.stream.write(bytes);
    await changed.closed;
    expect(changed.heard()).toEqual([expect.stringMatching(/^ValidationException: .*malformed message/)]);
    const late = await open();
    expect(await late.status).toBe(200);
    late.stream.write(await late.sign('one', new Date(Date.now() - 16 * 60_000)));
    await late.closed;
    expect(late.heard()).toEqual([expect.stringMatching(/^InvalidSignatureException: Signature expired/)]);
    const stranger = await open({ key: { accessKeyId: 'AKIALOCAL2345LOCAL67', secretAccessKey: 'guessed-by-another-user' } });
    expect(await stranger.status).toBe(403);
    await expect
      .poll(() => streams().map(({ verified, bodyBytes }) => ({ verified, bodyBytes })))
      .toEqual([
        { verified: false, bodyBytes: 0 },
        { verified: false, bodyBytes: 0 },
      ]);
  });

  it('ends a stream without its last message', async () => {
    const conversation = await open();
    await conversation.say('one');
    await soon(() => conversation.heard()).toEqual(['one']);
    conversation.stream.end();
    await conversation.closed;
    expect(conversation.heard().at(-1)).toMatch(/ends without its last message/);
    await soon(() => streams()).toMatchObject([{ verified: false }]);
  });

  it('names another authority than the host that the connection was opened to', async () => {
    const elsewhere = await open({ host: 'bedrock-runtime.eu-west-1.amazonaws.com' });
    expect(await elsewhere.status).toBe(403);
    await elsewhere.closed;
    expect(elsewhere.raw()).toMatch(/is not the host that the connection was opened to/);
    fresh();
    const smuggled = await open({ unsigned: { ':authority': 'evil.example' } });
    expect(await smuggled.status).toBe(400);
    await smuggled.closed;
    expect(smuggled.raw()).toMatch(/not what :authority says/);
    expect(agent.emulator.log()).toEqual([]);
  });

  it('is a page in a browser, or another program without the key, at the local port', async () => {
    agent.setFacts({ isHttp2: true });
    expect(await (await open({ host: 'evil.example' })).status).toBe(403);
    const host = `127.0.0.1:${agent.port}`;
    fresh();
    expect(await (await open({ host, headers: { origin: 'https://evil.example' } })).status).toBe(403);
    agent.setFacts({ isHttp2: true, localKey: undefined });
    fresh();
    expect(await (await open({ host })).status).toBe(403);
    expect(agent.emulator.log()).toEqual([]);
  });

  it('has a role that was taken away: refused before a message leaves, and told so', async () => {
    agent.setRoles([]);
    const conversation = await open();
    expect(await conversation.status).toBe(403);
    await conversation.closed;
    expect(conversation.raw()).toMatch(/alice is not authorized to perform bedrock/);
    expect(refusal()).toMatchObject({ status_code: 403 });
    agent.setRoles([allowReader]);
    fresh();
    expect(await (await open()).status).toBe(200);
  });

  it('sends what AWS does not take: it is held back at the client, and not in memory here', async () => {
    await stop();
    const taken: ServerHttp2Stream[] = [];
    const far = createSecureServer({ ...tls });
    far.on('stream', (stream) => {
      stream.on('error', () => undefined);
      stream.respond({ ':status': 200, 'content-type': 'application/vnd.amazon.eventstream' });
      taken.push(stream);
    });
    await new Promise<void>((resolve) => far.listen(0, '127.0.0.1', resolve));
    undo.push(() => far.close());
    await start({ env: { AWS_ENDPOINT_URL_BEDROCK: `https://localhost:${(far.address() as AddressInfo).port}` } });
    const conversation = await open();
    expect(await conversation.status).toBe(200);
    const before = process.memoryUsage().rss;
    for (let at = 0; at < 64; at += 1) conversation.stream.write(await conversation.sign('x'.repeat(600_000)));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(session.socket.bytesWritten).toBeLessThan(4 * 1024 * 1024);
    expect(conversation.stream.writableLength).toBeGreaterThan(40 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
    session.destroy();
    for (const stream of taken) stream.destroy();
  }, 30_000);

  it('begins message upon message and ends none: what is held of them is a share of the memory for bodies, and is given back', async () => {
    await stop();
    const memory = new BodyBudget(1_200_000);
    await start({ room: { memory } });
    const streams = [await open(), await open(), await open()] as const;
    expect(await Promise.all(streams.map(({ status }) => status))).toEqual([200, 200, 200]);
    const messages = await Promise.all(streams.map(({ sign }) => sign('x'.repeat(150_000))));
    const beginOf = (at: number) => streams[at]?.stream.write(messages[at]?.subarray(0, -1));
    const length = messages[0]?.length ?? 0;
    for (const at of [0, 1]) beginOf(at);
    await soon(() => memory.heldBytes).toBe(2 * length);
    // A third of its size would be over a half of the memory.
    beginOf(2);
    await streams[2].closed;
    expect(streams[2].heard()).toEqual([expect.stringMatching(/this agent has no more room for messages that are not whole/)]);
    expect(outcome()).toMatchObject({ error: expect.stringContaining('no more room') as string });
    await soon(() => memory.heldBytes).toBe(2 * length);

    agent.setSession(sessionOf({ user: 'bob', standing: agent.standing }));
    const bobs = http2To(agent.port);
    undo.push(() => bobs.destroy());
    const bob = await openEvents(bobs);
    await bob.say('y'.repeat(150_000));
    await soon(() => bob.heard().length).toBe(1);

    streams[0].stream.write(messages[0]?.subarray(-1));
    await soon(() => streams[0].heard().length).toBe(1);
    expect(memory.heldBytes).toBe(length);
    streams[1].stream.close(8);
    await soon(() => memory.heldBytes).toBe(0);
  });

  it('stops within a message: he is waited for as long as for any body; who is silent between two is not cut [limit bodyIdleMs]', async () => {
    await stop();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    undo.push(() => vi.useRealTimers());
    await start();
    const [within, between] = [await open(), await open()];
    expect([await within.status, await between.status]).toEqual([200, 200]);
    await between.say('one');
    await soon(() => between.heard()).toEqual(['one']);
    const message = await within.sign('one');
    within.stream.write(message.subarray(0, 20));
    await new Promise((resolve) => setTimeout(resolve, 200));
    vi.advanceTimersByTime(limits.bodyIdleMs);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect([within.stream.closed, within.heard()]).toEqual([false, []]);
    // Half a second is how often it is looked.
    vi.advanceTimersByTime(1000);
    await within.closed;
    expect(within.heard()).toEqual([expect.stringContaining('stopped for 30 s')]);
    await between.say('two');
    await soon(() => between.heard()).toEqual(['one', 'two']);
  });

  it('withdraws stream after stream: the connection ends [limit http2Resets]', async () => {
    const { http2Resets } = limits;
    agent.setFacts({ connectHost: 'h', isHttp2: true });
    const raw = rawHttp2(agent.port);
    undo.push(() => raw.destroy());
    let id = 1;
    for (let at = 0; at < http2Resets.atOnce; at += 1, id += 2) withdraw();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([raw.goaway(), raw.isClosed()]).toEqual([undefined, false]);
    for (let at = 0; at < http2Resets.perSecond + 1; at += 1, id += 2) withdraw();
    await soon(() => raw.isClosed()).toBe(true);
    expect(raw.goaway()).toBe(11);
    function withdraw(): void {
      raw.open(id);
      raw.reset(id);
    }
  });

  it('opens more streams than it was told it may: what is too many is refused, and the others are served [limit http2Streams]', async () => {
    const conversations = await Promise.all(Array.from({ length: limits.http2Streams }, () => open()));
    expect(await Promise.all(conversations.map(({ status }) => status))).toEqual(conversations.map(() => 200));
    expect(session.remoteSettings.maxConcurrentStreams).toBe(limits.http2Streams);
    let isServed = false;
    const another = await open();
    void another.status.then(() => (isServed = true));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(isServed).toBe(false);
    await conversations[0]?.say('');
    expect(await another.status).toBe(200);
  });

  it('opens connection upon connection: each person has so many [limit http2ConnectionsPerUser]', async () => {
    const { http2ConnectionsPerUser } = limits;
    const opened: ClientHttp2Session[] = [];
    undo.push(() => opened.forEach((one) => one.destroy()));
    session.destroy();
    const isOpen = async (): Promise<boolean> => {
      const one = connect(`http://127.0.0.1:${agent.port}`);
      opened.push(one);
      one.on('error', () => undefined);
      return new Promise((resolve) => {
        one.on('remoteSettings', () => resolve(true));
        one.on('close', () => resolve(false));
      });
    };
    await soon(() => [...agent.sockets].filter(({ destroyed }) => !destroyed).length).toBe(0);
    for (let at = 0; at < http2ConnectionsPerUser; at += 1) expect(await isOpen()).toBe(true);
    expect(await isOpen()).toBe(false);
    opened[0]?.destroy();
    await soon(isOpen).toBe(true);
  }, 30_000);
});
