import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type ClientDuplexStream, Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import { AgentSession, PosternError, statusOf } from '@postern/api';
import { afterEach, describe, expect, it } from 'vitest';
import { byteStream } from '#byte-stream.ts';
import { type SessionPair, sessionPair } from '#testing/echo.ts';

/** grpc-js as the peer: what is spoken is gRPC, and not something that only our own two ends understand. */
let pair: SessionPair | undefined;
afterEach(async () => {
  await pair?.stop();
  pair = undefined;
});

const same = (bytes: Buffer) => bytes;
const sha = (parts: readonly Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest('hex');
const open = (metadata = new Metadata()): ClientDuplexStream<Buffer, Buffer> => {
  if (pair === undefined) throw new Error('no server');
  return pair.client.makeBidiStreamRequest(AgentSession.connect.path, same, same, metadata);
};
const echo = (call: Parameters<Parameters<typeof sessionPair>[0]>[0]) => {
  const stream = byteStream(call);
  stream.on('error', () => stream.destroy());
  stream.pipe(stream);
};
const collected = (call: { on(event: 'data', listener: (message: Buffer) => void): unknown }) => {
  const parts: Buffer[] = [];
  call.on('data', (message) => parts.push(message));
  return parts;
};

describe('a client of grpc-js', () => {
  it('has every byte back from a byte stream, and a status OK once both sides have said that nothing follows', async () => {
    pair = await sessionPair(echo);
    const call = open();
    const parts = collected(call);
    const sent = Array.from({ length: 40 }, (_, i) => randomBytes(1 + i * 3_000));
    for (const message of [...sent, Buffer.alloc(0)]) call.write(message);
    const [status] = (await once(call, 'status')) as [{ code: number }];
    expect(status.code).toBe(0);
    expect(sha(parts)).toBe(sha(sent));
  });

  it('reads what was sent before a call was ended with a reason, and then the reason and its code', async () => {
    pair = await sessionPair((call) => {
      const stream = byteStream(call);
      stream.on('error', () => undefined);
      stream.write('some');
      setTimeout(() => stream.destroy(new PosternError('locked', 'user “alice” is locked')), 50);
    });
    const call = open();
    const parts = collected(call);
    const [error] = (await once(call, 'error')) as [{ code: number; details: string; metadata: Metadata }];
    expect(Buffer.concat(parts).toString()).toBe('some');
    expect(error).toMatchObject({ code: 7, details: 'user “alice” is locked' });
    expect(error.metadata.get('postern-error')).toEqual(['locked']);
  });

  it('is told that a compressed message is not understood, and others go on', async () => {
    pair = await sessionPair(echo);
    const call = pair.open();
    const over = new Promise((resolve) => call.receive({ part: () => undefined, end: () => true, over: resolve }));
    call.resume();
    call.stream.write(Buffer.from([1, 0, 0, 0, 1, 7]));
    expect(await over).toMatchObject({ code: 'bad_request', message: expect.stringContaining('compressed') as string });
    const next = open();
    next.on('error', () => undefined).write(Buffer.from('still here'));
    expect(String((await once(next, 'data'))[0])).toBe('still here');
    next.cancel();
  });
});

describe('a server of grpc-js', () => {
  const serving = (serve: (call: ServerDuplexStream<Buffer, Buffer>) => void) =>
    sessionPair(() => undefined, {
      server: { services: [{ definition: { connect: AgentSession.connect }, implementation: { connect: serve } }] },
    });

  it('gives a byte stream every byte back, half-closes included', async () => {
    pair = await serving((call) => {
      call.on('data', (message: Buffer) => call.write(message));
      call.on('end', () => call.end());
    });
    const stream = byteStream(pair.open());
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    const sent = randomBytes(700_001);
    stream.end(sent);
    await once(stream, 'end');
    expect(sha(parts)).toBe(sha([sent]));
  });

  it('tells a byte stream the reason with which it refuses', async () => {
    pair = await serving((call) => void call.emit('error', statusOf(new PosternError('denied', 'not here'))));
    const stream = byteStream(pair.open());
    const [error] = (await once(stream.resume(), 'error').catch((thrown: unknown) => [thrown])) as [unknown];
    expect(error).toMatchObject({ code: 'denied', message: 'not here' });
  });
});
