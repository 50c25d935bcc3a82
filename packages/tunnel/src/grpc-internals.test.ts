import { once } from 'node:events';
import { Server } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { byteStream } from '#byte-stream.ts';
import { checkGrpcInternals, createWideInjector } from '#grpc-internals.ts';
import { tunnelLimits } from '#limits.ts';
import { type SessionPair, sessionPair } from '#testing/echo.ts';

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
      const { session } = (call as unknown as { call: { stream: { session: never } } }).call.stream as never as {
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
      initialWindowSize: tunnelLimits.windowBytes,
      maxHeaderListSize: 16_384,
      maxConcurrentStreams: 100,
    });
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
    let takes = true;
    let atServer: Promise<number> = Promise.resolve(0);
    pair = await sessionPair(
      (call) => {
        const stream = byteStream(call);
        stream.on('error', () => undefined);
        if (takes) {
          atServer = drink(stream);
          started();
        } else pour(stream);
      },
      // Half of the round trip on each way.
      { delayMs: 25 },
    );
    let started: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      started = resolve;
    });
    const uphill = byteStream(pair.open());
    uphill.on('error', () => undefined);
    pour(uphill);
    await begun;
    const upRate = await atServer;
    takes = false;
    const downhill = byteStream(pair.open());
    downhill.on('error', () => undefined);
    const downRate = await drink(downhill);
    expect(upRate).toBeGreaterThan(40);
    expect(downRate).toBeGreaterThan(40);
  });
});
