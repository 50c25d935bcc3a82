import { once } from 'node:events';
import { Metadata, Server } from '@grpc/grpc-js';
import { AgentSession } from '@postern/api';
import { afterEach, describe, expect, it } from 'vitest';
import { byteStream } from '#byte-stream.ts';
import { checkGrpcInternals, createWideInjector } from '#grpc-internals.ts';
import { tunnelLimits } from '#limits.ts';
import { type SessionPair, sessionPair } from '#testing/echo.ts';

const raw = (bytes: Buffer) => bytes;
let pair: SessionPair | undefined;
afterEach(async () => {
  await pair?.stop();
  pair = undefined;
});

describe('the private parts of grpc-js that are used', () => {
  it('are where this version has them, and their absence stops the start with words', () => {
    expect(() => checkGrpcInternals()).not.toThrow();
    const server = new Server();
    Object.assign(server, { commonServerOptions: undefined });
    expect(() => createWideInjector(server)).toThrow(/not the version this was written for.*commonServerOptions/);
    const other = new Server();
    Object.assign(other, { http2Servers: {} });
    expect(() => createWideInjector(other)).toThrow(/http2Servers/);
  });

  it('give every session of the server the wide windows and the header limit', async () => {
    const sessions: { session: { effectiveLocalWindowSize?: number }; settings: Record<string, number> }[] = [];
    pair = await sessionPair((call) => {
      const { session } = call.stream as unknown as {
        session: { state: { effectiveLocalWindowSize: number }; localSettings: Record<string, number> };
      };
      sessions.push({ session: session.state, settings: session.localSettings });
      byteStream(call)
        .on('error', () => undefined)
        .end('x');
    });
    const stream = byteStream(pair.open());
    stream.on('error', () => undefined);
    await once(stream, 'data');
    expect(sessions[0]?.session.effectiveLocalWindowSize).toBe(tunnelLimits.windowBytes);
    expect(sessions[0]?.settings).toMatchObject({
      initialWindowSize: tunnelLimits.streamWindowBytes,
      maxHeaderListSize: 16_384,
      maxConcurrentStreams: 100,
    });
  });

  it('refuse metadata over 16 KB, and take what is below', async () => {
    pair = await sessionPair((call) => {
      byteStream(call)
        .on('error', () => undefined)
        .end('taken');
    });
    const { client } = pair;
    const answer = (bytes: number) => {
      const metadata = new Metadata();
      metadata.set('x-large', 'x'.repeat(bytes));
      const call = client.makeBidiStreamRequest(AgentSession.connect.path, raw, raw, metadata);
      call.on('error', () => undefined);
      return once(call, 'data').then(
        ([data]) => String(data),
        () => 'refused',
      );
    };
    expect([await answer(1_000), await answer(20_000)]).toEqual(['taken', 'refused']);
  });

  it('move one stream at 40 MB/s or more over a wire of 50 ms, up and down', async () => {
    const bytes = 24 * 1024 * 1024;
    const chunk = Buffer.alloc(64 * 1024);
    const pour = (to: ReturnType<typeof byteStream>) => {
      let left = bytes / chunk.length;
      const more = () => {
        while (left > 0) {
          left -= 1;
          if (!to.write(chunk)) return void to.once('drain', more);
        }
        to.end();
      };
      more();
    };
    const drink = (from: ReturnType<typeof byteStream>) =>
      new Promise<number>((resolve) => {
        let got = 0;
        let firstAt = 0;
        from.on('data', (part: Buffer) => {
          firstAt ||= performance.now();
          got += part.length;
          if (got === bytes) resolve(bytes / 1e6 / ((performance.now() - firstAt) / 1000));
        });
      });
    let direction: 'up' | 'down' = 'up';
    let atServer: (rate: number) => void = () => undefined;
    pair = await sessionPair(
      (call) => {
        const stream = byteStream(call);
        stream.on('error', () => undefined);
        if (direction === 'up') void drink(stream).then(atServer);
        else pour(stream);
      },
      // Half of the round trip on each way.
      { delayMs: 25 },
    );
    const { open } = pair;
    const measure = async (way: 'up' | 'down') => {
      direction = way;
      const stream = byteStream(open());
      stream.on('error', () => undefined);
      if (way === 'down') return drink(stream);
      const rate = new Promise<number>((resolve) => {
        atServer = resolve;
      });
      pour(stream);
      return rate;
    };
    // What is proven is that the window allows it: a busy machine gets a few tries.
    const best = async (way: 'up' | 'down') => {
      let rate = 0;
      for (let i = 0; i < 5 && rate <= 40; i++) rate = Math.max(rate, await measure(way));
      return rate;
    };
    expect(await best('up')).toBeGreaterThan(40);
    expect(await best('down')).toBeGreaterThan(40);
  });
});
