import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders, connect as connectHttp2, constants } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { type MethodDefinition, status } from '@grpc/grpc-js';
import { AgentSession } from '@postern/api';
import { limits } from '@postern/limits';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { byteStream } from '#byte-stream.ts';
import type { ServerRawCall } from '#raw-call/server-raw-call.ts';
import { authority, connectService, sessionPair } from '#testing/echo.ts';

const identity = (bytes: Buffer) => bytes;
const measure: MethodDefinition<Buffer, Buffer> = {
  path: '/test.Limits/Measure',
  requestStream: false,
  responseStream: false,
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
};

const undo: (() => unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const step of undo.splice(0).toReversed()) await step();
});

/** A server with the limits that every server of ours has, and one method that answers with the size of what it got. */
async function serving(connected: (call: ServerRawCall) => void = () => undefined): Promise<{ readonly session: ClientHttp2Session }> {
  const implementation = {
    measure: (call: { readonly request: Buffer }, done: (error: null, answer: Buffer) => void) =>
      done(null, Buffer.from(`${call.request.length}`)),
  };
  const pair = await sessionPair(() => undefined, {
    server: { services: [{ definition: { measure }, implementation }, connectService(connected)] },
  });
  const session = connectHttp2(`https://127.0.0.1:${pair.port}`, {
    servername: 'server.test',
    ca: authority.caPem,
    checkServerIdentity: () => undefined,
    // What this client would hold back itself is for the server to refuse.
    maxSendHeaderBlockLength: 2 ** 24,
    ...authority.issue('client.test'),
  });
  session.on('error', () => undefined);
  undo.push(
    () => pair.stop(),
    () => session.destroy(),
  );
  await once(session, 'remoteSettings');
  return { session };
}

const headersTo = (path: string, extra: Readonly<Record<string, string>> = {}) => ({
  ':method': 'POST',
  ':path': path,
  ':scheme': 'https',
  ':authority': 'server.test',
  'content-type': 'application/grpc',
  te: 'trailers',
  ...extra,
});
const framed = (message: Buffer, flag = 0) => {
  const prefix = Buffer.alloc(5, flag);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
};

/** grpc-status where there is one, and how the stream was closed where there is none. */
function outcome(call: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => {
    let said: string | undefined;
    const note = (headers: IncomingHttpHeaders) => (said = headers['grpc-status']?.toString() ?? said);
    call
      .on('response', note)
      .on('trailers', note)
      .on('error', () => undefined)
      .resume();
    call.on('close', () => resolve(said ?? `closed with ${call.rstCode}`));
  });
}

describe('the limits of every gRPC server', () => {
  it('are 16 KiB of metadata as HTTP/2 counts them, and a byte more is refused [limit grpcMetadataBytes]', async () => {
    const { session } = await serving();
    const ofBytes = (bytes: number) => {
      const bare = headersTo(measure.path, { 'x-long': '' });
      const counted = Object.entries(bare).reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
      return headersTo(measure.path, { 'x-long': 'x'.repeat(bytes - counted) });
    };
    const send = (bytes: number) => {
      const call = session.request(ofBytes(bytes));
      const over = outcome(call);
      call.end(framed(Buffer.from('abc')));
      return over;
    };
    expect(await send(limits.grpcMetadataBytes)).toBe(`${status.OK}`);
    expect(await send(limits.grpcMetadataBytes + 1)).toBe(`closed with ${constants.NGHTTP2_ENHANCE_YOUR_CALM}`);
  });

  it('are 4 MiB of message, and a byte more is refused; none that is packed is unpacked [limit grpcMessageBytes]', async () => {
    const { session } = await serving();
    const send = (message: Buffer, packed: 'plain' | 'gzip') => {
      const call = session.request(headersTo(measure.path, packed === 'gzip' ? { 'grpc-encoding': 'gzip' } : {}));
      const over = outcome(call);
      call.end(packed === 'gzip' ? framed(gzipSync(message), 1) : framed(message));
      return over;
    };
    expect(await send(Buffer.alloc(limits.grpcMessageBytes), 'plain')).toBe(`${status.OK}`);
    expect(await send(Buffer.alloc(limits.grpcMessageBytes + 1), 'plain')).toBe(`${status.RESOURCE_EXHAUSTED}`);
    for (const bytes of [1, limits.grpcMessageBytes]) expect(await send(Buffer.alloc(bytes), 'gzip')).toBe(`${status.UNIMPLEMENTED}`);
  });

  it('are a hundred calls at a time on one connection, and one more is not served beside them [limit streamsPerConnection]', async () => {
    const held: ServerRawCall[] = [];
    const { session } = await serving((call) => held.push(call));
    expect(session.remoteSettings.maxConcurrentStreams).toBe(100);
    const calls = Array.from({ length: limits.streamsPerConnection }, () => session.request(headersTo(AgentSession.connect.path)));
    await expect.poll(() => held.length).toBe(limits.streamsPerConnection);
    const more = session.request(headersTo(AgentSession.connect.path));
    for (const call of [...calls, more]) call.on('error', () => undefined).resume();
    await new Promise((resolve) => session.ping(() => resolve(undefined)));
    expect(held).toHaveLength(limits.streamsPerConnection);
    more.close(constants.NGHTTP2_CANCEL);
    calls[0]?.close(constants.NGHTTP2_CANCEL);
    // Node counts a stream for as long as it is not destroyed, and refuses one that comes on the heels of its end.
    await expect.poll(() => held[0]?.closed).toBe(true);
    session.request(headersTo(AgentSession.connect.path)).on('error', () => undefined);
    await expect.poll(() => held.length).toBe(limits.streamsPerConnection + 1);
  });
});

describe('the limit of a stream', () => {
  it('is a minute in which its peer takes nothing, and then it is reset [limit stallMs]', async () => {
    const pair = await sessionPair(() => undefined);
    undo.push(() => pair.stop());
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const stream = byteStream(pair.open());
    const failures: string[] = [];
    stream.on('error', (error) => failures.push(error.message));
    // More than the windows and buffers between take, so that some of it waits.
    stream.write(Buffer.alloc(64 * 1024 * 1024));
    const settled = () => new Promise((resolve) => setImmediate(resolve));
    for (let turn = 0, before = -1; turn < 500 && before !== stream.bytesWritten; turn += 1) {
      before = stream.bytesWritten;
      for (let each = 0; each < 20; each += 1) await settled();
    }
    vi.advanceTimersByTime(limits.stallMs - 1);
    expect([failures, stream.destroyed]).toEqual([[], false]);
    vi.advanceTimersByTime(1);
    await settled();
    expect(failures).toEqual(['the peer took no bytes for 60000 ms']);
  });
});
