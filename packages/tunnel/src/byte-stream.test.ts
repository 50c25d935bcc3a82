import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, Agent, request } from 'node:http';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { PosternError } from '@postern/api';
import { afterEach, describe, expect, it } from 'vitest';
import { type ByteStream, byteStream } from '#byte-stream.ts';
import { receiveMessages } from '#raw-call/raw-call.ts';
import { type SessionPair, sessionPair } from '#testing/echo.ts';

let pair: SessionPair | undefined;
afterEach(async () => {
  await pair?.stop();
  pair = undefined;
});

const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const echo = (call: Parameters<Parameters<typeof sessionPair>[0]>[0]) => {
  const stream = byteStream(call);
  stream.on('error', () => stream.destroy());
  stream.pipe(stream);
};
/** No `for await`: it destroys a duplex that has ended on one side only. */
function collect(stream: ByteStream): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  return new Promise((resolve, reject) => stream.on('error', reject).once('end', () => resolve(Buffer.concat(parts))));
}

describe('a byte stream over gRPC', () => {
  it('gives back every byte, in order, when writes are larger than a frame', async () => {
    pair = await sessionPair(echo);
    const stream = byteStream(pair.open());
    const sent = randomBytes(3_000_001);
    stream.end(sent);
    expect(sha(await collect(stream))).toBe(sha(sent));
  });

  it('sends the small writes of one loop turn as one message, and none larger than 64 KiB', async () => {
    const sizes: number[] = [];
    pair = await sessionPair((call) => {
      receiveMessages(call, { message: (frame) => sizes.push(frame.length), over: () => undefined });
    });
    const stream = byteStream(pair.open());
    stream.on('error', () => undefined);
    for (let i = 0; i < 100; i++) stream.write('x'.repeat(10));
    await delay(50);
    stream.write(Buffer.alloc(150_000));
    stream.end();
    await once(stream, 'finish');
    await expect.poll(() => sizes).toEqual([1000, 65_536, 65_536, 18_928, 0]);
  });

  it('that is to be closed soon still brings its last words to a peer that is in the middle of sending', async () => {
    const words = randomBytes(100_000);
    pair = await sessionPair((call) => {
      const stream = byteStream(call);
      stream.on('error', () => stream.destroy());
      stream.once('data', () => {
        stream.end(words);
        stream.destroySoon();
      });
    });
    for (let round = 0; round < 20; round++) {
      const stream = byteStream(pair.open());
      stream.on('error', () => undefined);
      const sending = setInterval(() => stream.writable && stream.write('more '.repeat(1000)), 0);
      expect(sha(await collect(stream))).toBe(sha(words));
      clearInterval(sending);
      stream.destroy();
    }
  });

  it('goes on in the other direction after half-close, from the client and from the server', async () => {
    pair = await sessionPair((call) => {
      const stream = byteStream(call);
      stream.end('server is done first');
      void collect(stream).then((got) => received(got.toString()));
    });
    let received: (text: string) => void = () => undefined;
    const atServer = new Promise<string>((resolve) => {
      received = resolve;
    });
    const stream = byteStream(pair.open());
    expect((await collect(stream)).toString()).toBe('server is done first');
    stream.write('still ');
    await delay(20);
    stream.end('writing');
    expect(await atServer).toBe('still writing');
  });

  it('does not take a call that ended without saying so for a complete stream', async () => {
    pair = await sessionPair((call) => {
      call.write(Buffer.from('half an answ'));
      call.end();
    });
    await expect(collect(byteStream(pair.open()))).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('tells the client the reason when the server refuses, and cancels at the server when the client is destroyed', async () => {
    let cancelled: Promise<unknown> = Promise.resolve();
    let second = false;
    pair = await sessionPair((call) => {
      const stream = byteStream(call);
      stream.on('error', () => undefined);
      if (second) cancelled = new Promise((resolve) => stream.once('close', resolve));
      else stream.destroy(new PosternError('denied', 'not this table'));
      second = true;
    });
    await expect(collect(byteStream(pair.open()))).rejects.toMatchObject({ code: 'denied', message: 'not this table' });
    const stream = byteStream(pair.open());
    stream.on('error', () => undefined);
    stream.write('x');
    await expect.poll(() => second && pair?.server.connectionCount).toBe(1);
    await delay(50);
    stream.destroy();
    await cancelled;
  });

  it('makes a fast writer wait for a slow reader, in both directions', async () => {
    let serverStream: ByteStream | undefined;
    pair = await sessionPair((call) => {
      serverStream = byteStream(call);
      serverStream.on('error', () => undefined);
    });
    const stream = byteStream(pair.open());
    stream.on('error', () => undefined);
    const flood = async (to: ByteStream) => {
      const chunk = Buffer.alloc(65_536);
      let written = 0;
      while (written < 256 * 1024 * 1024) {
        written += chunk.length;
        if (!to.write(chunk) && (await Promise.race([once(to, 'drain'), delay(300, 'stuck')])) === 'stuck') break;
      }
      return written;
    };
    // The window of the stream, what both gRPC ends buffer, and the sockets' own buffers: not the 256 MiB offered.
    expect(await flood(stream)).toBeLessThan(24 * 1024 * 1024);
    expect(await flood(serverStream as unknown as ByteStream)).toBeLessThan(24 * 1024 * 1024);
  });

  it('resets a stream whose peer takes nothing, and frees the peer of it', async () => {
    pair = await sessionPair((call) => {
      const stalled = byteStream(call, { stallMs: 200 });
      stalled.on('error', () => undefined);
      stalled.write(Buffer.alloc(64 * 1024 * 1024));
    });
    const stream = byteStream(pair.open());
    const failed = once(stream, 'error');
    await delay(600);
    stream.resume();
    expect((await failed)[0]).toBeInstanceOf(Error);
  });

  it('is a socket to node:http: keep-alive requests, an idle limit, a body each way', async () => {
    const http = createHttpServer((req, res) => void pipeline(req, new PassThrough(), res).catch(() => undefined));
    http.keepAliveTimeout = 60;
    pair = await sessionPair((call) => http.emit('connection', byteStream(call, { remoteAddress: '192.0.2.7:5' })));
    const { open } = pair;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agent.createConnection = () => byteStream(open());
    const post = (body: Buffer) =>
      new Promise<Buffer>((resolve, reject) => {
        const req = request({ agent, method: 'POST', host: 'localhost' }, (res) => resolve(buffer(res)));
        req.on('error', reject).end(body);
      });
    const body = randomBytes(1_000_000);
    expect(sha(await post(body))).toBe(sha(body));
    expect((await post(Buffer.from('second on the same connection'))).toString()).toBe('second on the same connection');
    agent.destroy();
  });
});
