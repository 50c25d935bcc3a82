import { BodyBudget } from '@postern/http';
import { limits } from '@postern/limits';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BEDROCK_HOST, http2To, openEvents } from '#testing/event-stream.ts';
import { type FarSide, headOf, rawClient, type RawClient, startFarSide } from '#testing/far-side.ts';
import { type LocalAgent, sessionOf, startLocalAgent } from '#testing/local-agent.ts';
import { selfSigned } from '#testing/self-signed.ts';
import { signedCall, signedHeaders } from '#testing/signed-call.ts';

const KIB = 1024;
const INVOKE = '/2015-03-31/functions/f/invocations';
let agent: LocalAgent;
let far: FarSide;
let nowMs: number;
let memory: BodyBudget;
let files: BodyBudget;
const clients: { readonly socket: { destroy(): void } }[] = [];
beforeEach(async () => {
  nowMs = 0;
  // A 256th and a 2048th of what there is.
  memory = new BodyBudget(512 * KIB);
  files = new BodyBudget(1024 * KIB);
  far = await startFarSide(({ socket }) => socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')));
  agent = await startLocalAgent({
    env: { AWS_ENDPOINT_URL_LAMBDA: far.url, AWS_ENDPOINT_URL_DYNAMODB: far.url },
    room: { memory, files, monotonicMs: () => nowMs },
  });
});
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await agent.stop();
  far.close();
});

const as = (user: string) => agent.setSession(sessionOf({ user, standing: agent.standing }));
const invoke = (size: number) => signedCall(agent, { service: 'lambda', path: INVOKE, body: Buffer.alloc(size, 'x') });
const list = () =>
  signedCall(agent, {
    service: 'dynamodb',
    headers: { 'x-amz-target': 'DynamoDB_20120810.ListTables', 'content-type': 'application/x-amz-json-1.0' },
    body: '{}',
  });

/** All of a body but its last hundred bytes. */
async function leave(size: number): Promise<RawClient> {
  const body = Buffer.alloc(size, 'x');
  const headers = await signedHeaders(agent, { service: 'lambda', path: INVOKE, body });
  const client = await rawClient(agent.port);
  clients.push(client);
  client.send(headOf('POST', INVOKE, headers));
  client.send(body.subarray(0, -100));
  return client;
}

/** Two users have all of it. */
async function takeAll(): Promise<readonly RawClient[]> {
  const left: RawClient[] = [];
  for (const user of ['mallory', 'trudy']) {
    as(user);
    const before = [memory.heldBytes, files.heldBytes] as const;
    left.push(await leave(256 * KIB));
    await expect.poll(() => memory.heldBytes - before[0]).toBe(256 * KIB);
    left.push(await leave(512 * KIB));
    await expect.poll(() => files.heldBytes - before[1]).toBe(512 * KIB);
  }
  await expect.poll(() => memory.heldBytes).toBe(512 * KIB);
  return left;
}

describe('the attacker, who sends bodies but for their ends', () => {
  it('takes no room for small bodies of others, who are told the truth of large ones', async () => {
    await takeAll();
    as('bob');
    // He had 413, and "the request bodies that this agent holds for you are over 1024 MiB".
    expect(await list()).toMatchObject({ status: 200, text: 'ok' });
    expect((await invoke(64 * KIB)).status).toBe(200);
    const refused = await invoke(64 * KIB + 1);
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
    expect(refused.text).toContain('the request bodies that this agent holds for everybody are over 2048 MiB: try again');
    as('mallory');
    const own = await invoke(64 * KIB + 1);
    expect([own.status, own.headers['retry-after']]).toEqual([503, '1']);
    expect(own.text).toContain('the request bodies that this agent holds for you are over 1024 MiB: send fewer at a time');
  });

  it('is waited for no longer than a minute in which next to nothing comes, and then there is room', async () => {
    const left = await takeAll();
    nowMs += limits.appHeldPace.everyMs + 1;
    // Half a second is how often it is looked; in this minute enough has come.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    for (const client of left) client.send('x');
    expect(left.map((client) => client.said())).toEqual(['', '', '', '']);
    nowMs += limits.appHeldPace.everyMs + 1;
    const told = /^HTTP\/1\.1 400 .*took over 30 minutes or came slower than 240 KiB in 60 s: send x-amz-content-sha256, or parts/s;
    for (const client of left) await expect.poll(() => client.said(), { timeout: 5000 }).toMatch(told);
    await expect.poll(() => [memory.heldBytes, files.heldBytes]).toEqual([0, 0]);
    as('bob');
    expect((await invoke(300 * KIB)).status).toBe(200);
  });

  it('lets them trickle in the lines of chunks, of which nothing is a body', async () => {
    const headers = await signedHeaders(agent, { service: 'lambda', method: 'DELETE', path: INVOKE });
    const client = await rawClient(agent.port);
    clients.push(client);
    client.send(headOf('DELETE', INVOKE, { ...headers, 'transfer-encoding': 'chunked' }));
    client.send('1');
    await expect.poll(() => agent.service.underWay).toBe(1);
    nowMs += limits.appHeldPace.everyMs + 1;
    client.send(';a');
    await expect.poll(() => client.said(), { timeout: 5000 }).toMatch(/^HTTP\/1\.1 400 .*came slower/s);
  });

  it('lets a message of a stream come so slowly: it is waited for no longer; a small one has the reserve', async () => {
    await agent.stop();
    const small = new BodyBudget(100_000, 50_000);
    agent = await startLocalAgent({ tls: selfSigned(), room: { memory: new BodyBudget(0), small, monotonicMs: () => nowMs } });
    agent.setFacts({ connectHost: BEDROCK_HOST, isHttp2: true });
    const session = http2To(agent.port);
    clients.push({ socket: session });
    const [slow, quiet] = [await openEvents(session), await openEvents(session)];
    const message = await slow.sign('one');
    slow.stream.write(message.subarray(0, 20));
    await quiet.say('one');
    await expect.poll(() => [quiet.heard(), small.heldBytes > 0]).toEqual([['one'], true]);
    nowMs += limits.appHeldPace.everyMs;
    await new Promise((resolve) => setTimeout(resolve, 1100));
    slow.stream.write(message.subarray(20, 21));
    expect(slow.stream.closed).toBe(false);
    nowMs += 1;
    await slow.closed;
    expect(slow.heard()).toEqual([expect.stringContaining('comes too slowly')]);
    expect(small.heldBytes).toBe(0);
    // However long ago the last one was, the next has all the time that a message has.
    const next = await quiet.sign('two');
    quiet.stream.write(next.subarray(0, 20));
    await new Promise((resolve) => setTimeout(resolve, 1100));
    quiet.stream.write(next.subarray(20));
    await expect.poll(() => quiet.heard()).toEqual(['one', 'two']);
  });
});
