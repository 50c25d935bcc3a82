import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type IncomingHttpHeaders } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { type MethodDefinition, status } from '@grpc/grpc-js';
import { PosternError, type ServedService, statusOf } from '@postern/api';
import { limits } from '@postern/limits';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { authority, sessionPair } from '#testing/echo.ts';

const identity = (bytes: Buffer) => bytes;
const decoded: string[] = [];
const method = (name: string): MethodDefinition<Buffer, Buffer> => ({
  path: `/test.Gate/${name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: identity,
  requestDeserialize: (bytes) => {
    decoded.push(name);
    return bytes;
  },
  responseSerialize: identity,
  responseDeserialize: identity,
});
const [open, shut] = [method('Open'), method('Shut')];
/** One method for everybody, and one for nobody. */
const service: ServedService = {
  definition: { open, shut },
  implementation: Object.fromEntries(
    ['open', 'shut'].map((name) => [
      name,
      (call: { request: Buffer }, done: (error: null, answer: Buffer) => void) => done(null, Buffer.from(`${call.request.length}`)),
    ]),
  ),
  gates: new Map([
    [open.path, { takesStream: false, refusal: () => undefined }],
    [shut.path, { takesStream: false, refusal: () => statusOf(new PosternError('denied', 'not for you')) }],
  ]),
};

const undo: (() => unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  decoded.length = 0;
  for (const step of undo.splice(0).toReversed()) await step();
});

async function calling(who: 'somebody' | 'a stranger'): Promise<ClientHttp2Session> {
  const tls = { ...authority.issue('server.test'), ca: authority.caPem, requestCert: true, rejectUnauthorized: false };
  const pair = await sessionPair(() => undefined, { server: { tls, services: [service] } });
  const session = connect(`https://127.0.0.1:${pair.port}`, {
    servername: 'server.test',
    ca: authority.caPem,
    checkServerIdentity: () => undefined,
    ...(who === 'somebody' ? authority.issue('client.test') : {}),
  });
  session.on('error', () => undefined);
  undo.push(
    () => pair.stop(),
    () => session.destroy(),
  );
  await once(session, 'remoteSettings');
  return session;
}

function ask(
  session: ClientHttp2Session,
  { path }: { readonly path: string },
  extra: Readonly<Record<string, string>> = {},
): ClientHttp2Stream {
  const headers = { ':method': 'POST', ':path': path, ':scheme': 'https', ':authority': 'server.test', te: 'trailers' };
  return session.request({ ...headers, 'content-type': 'application/grpc', ...extra }).on('error', () => undefined);
}

/** grpc-status where there is one, and how the stream was closed where there is none. */
function outcome(call: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => {
    let said: string | undefined;
    const note = (headers: IncomingHttpHeaders) => (said = headers['grpc-status']?.toString() ?? said);
    call.on('response', note).on('trailers', note).resume();
    call.on('end', () => setImmediate(() => resolve(said ?? `ended with ${call.rstCode}`)));
    call.on('close', () => resolve(said ?? `closed with ${call.rstCode}`));
  });
}

const framed = (bytes: number) => {
  const message = Buffer.alloc(5 + bytes);
  message.writeUInt32BE(bytes, 1);
  return message;
};
const heard = (session: ClientHttp2Session) => new Promise((resolve) => session.ping(resolve));

describe('the gate in front of a call', () => {
  it('answers whoever may not call by his headers alone, and nothing of the request is read', async () => {
    const session = await calling('somebody');
    expect(await outcome(ask(session, shut))).toBe(`${status.PERMISSION_DENIED}`);
    const call = ask(session, shut);
    call.end(framed(100));
    expect(await outcome(call)).toBe(`${status.PERMISSION_DENIED}`);
    expect(decoded).toEqual([]);
    const good = ask(session, open);
    good.end(framed(100));
    expect(await outcome(good)).toBe(`${status.OK}`);
    expect(decoded).toEqual(['Open']);
  });

  it.each([
    ['a packed message', { 'grpc-encoding': 'gzip' }],
    ['metadata in base64', { 'x-bin': ',,,,' }],
  ])('understands no %s, of anybody', async (_what, extra) => {
    for (const who of ['somebody', 'a stranger'] as const) {
      const session = await calling(who);
      for (const to of [open, shut, { path: '/test.Gate/Unknown' }])
        expect(await outcome(ask(session, to, extra))).toBe(`${status.UNIMPLEMENTED}`);
    }
    expect(decoded).toEqual([]);
  });

  it('takes a request of 16 KiB of a stranger, and not a byte more [limit strangerMessageBytes]', async () => {
    const send = (session: ClientHttp2Session, bytes: number) => {
      const call = ask(session, open);
      call.end(framed(bytes));
      return outcome(call);
    };
    const session = await calling('a stranger');
    expect(await send(session, limits.strangerMessageBytes)).toBe(`${status.OK}`);
    expect(await send(session, limits.strangerMessageBytes + 1)).toBe(`${status.RESOURCE_EXHAUSTED}`);
    expect(await send(await calling('somebody'), limits.strangerMessageBytes + 1)).toBe(`${status.OK}`);
    expect(decoded).toEqual(['Open', 'Open']);
  });

  it('takes four calls of a stranger at a time on one connection, and one more when one is over [limit strangerCalls]', async () => {
    const session = await calling('a stranger');
    const calls = Array.from({ length: limits.strangerCalls }, () => ask(session, open));
    await heard(session);
    expect(await outcome(ask(session, open))).toBe(`closed with ${constants.NGHTTP2_REFUSED_STREAM}`);
    const [first] = calls;
    first?.end(framed(1));
    expect(first && (await outcome(first))).toBe(`${status.OK}`);
    const next = ask(session, open);
    next.end(framed(1));
    expect(await outcome(next)).toBe(`${status.OK}`);
    const somebody = await calling('somebody');
    const many = Array.from({ length: limits.strangerCalls + 1 }, () => ask(somebody, open));
    await heard(somebody);
    for (const call of many) call.end(framed(1));
    for (const call of many) expect(await outcome(call)).toBe(`${status.OK}`);
  });

  it.each([
    ['a stranger', limits.strangerRequestMs],
    ['somebody', limits.grpcRequestMs],
  ] as const)('waits for the request of %s so long and not longer [limit strangerRequestMs] [limit grpcRequestMs]', async (who, ms) => {
    const session = await calling(who);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const call = ask(session, open);
    call.write(framed(10).subarray(0, 9));
    let over: string | undefined;
    void outcome(call).then((said) => (over = said));
    await heard(session);
    vi.advanceTimersByTime(ms - 1);
    await heard(session);
    expect(over).toBeUndefined();
    vi.advanceTimersByTime(1);
    vi.useRealTimers();
    await expect.poll(() => over).toBe(`${status.UNAVAILABLE}`);
    const answered = ask(session, open);
    answered.end(framed(1));
    expect(await outcome(answered)).toBe(`${status.OK}`);
    await delay(1);
  });
});
