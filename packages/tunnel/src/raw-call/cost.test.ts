import { Writable } from 'node:stream';
import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import { AgentSession } from '@postern/api';
import { describe, expect, it } from 'vitest';
import { byteStream } from '#byte-stream.ts';
import { type SessionPair, sessionPair } from '#testing/echo.ts';

const BYTES = 64 * 1024 * 1024;
const CHUNK = Buffer.alloc(64 * 1024, 7);
const same = (bytes: Buffer) => bytes;

interface Sender {
  write(bytes: Buffer): boolean;
  once(event: 'drain', listener: () => void): unknown;
}
async function pour(to: Sender): Promise<void> {
  for (let left = BYTES; left > 0; left -= CHUNK.length)
    if (!to.write(CHUNK)) await new Promise<void>((resolve) => to.once('drain', resolve));
}
const counter = (enough: () => void) => {
  let got = 0;
  return new Writable({
    objectMode: true,
    write({ length }: Buffer, _encoding, done) {
      got += length;
      if (got >= BYTES) enough();
      done();
    },
  });
};

/** CPU of both ends, which are in this process, and by how much it grew at most. */
async function costOf(pair: SessionPair, act: () => Promise<unknown>): Promise<{ cpuMs: number; grownMiB: number }> {
  const rss = process.memoryUsage.rss();
  let peak = rss;
  const look = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20);
  const before = process.cpuUsage();
  await act();
  const { user, system } = process.cpuUsage(before);
  clearInterval(look);
  await pair.stop();
  return { cpuMs: (user + system) / 1000, grownMiB: (peak - rss) / 2 ** 20 };
}

async function overByteStreams(): Promise<{ cpuMs: number; grownMiB: number }> {
  let enough: () => void = () => undefined;
  const whole = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const pair = await sessionPair((call) => {
    byteStream(call)
      .on('error', () => undefined)
      .pipe(counter(enough));
  });
  const stream = byteStream(pair.open());
  stream.on('error', () => undefined);
  return costOf(pair, () => Promise.all([pour(stream), whole]));
}

async function overGrpcJs(): Promise<{ cpuMs: number; grownMiB: number }> {
  let enough: () => void = () => undefined;
  const whole = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const connect = (call: ServerDuplexStream<Buffer, Buffer>) => void call.on('error', () => undefined).pipe(counter(enough));
  const services = [{ definition: { connect: AgentSession.connect }, implementation: { connect } }];
  const pair = await sessionPair(() => undefined, { server: { services } });
  const call = pair.client.makeBidiStreamRequest(AgentSession.connect.path, same, same, new Metadata());
  call.on('error', () => undefined);
  return costOf(pair, () => Promise.all([pour(call), whole]));
}

describe('bytes in bulk', () => {
  it('cost less CPU than as messages of grpc-js, and nobody keeps what passes', async () => {
    await overByteStreams();
    await overGrpcJs();
    const ratios: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const [ours, theirs] = [await overByteStreams(), await overGrpcJs()];
      console.info(
        `64 MiB: ${Math.round(ours.cpuMs)} ms of CPU, grpc-js ${Math.round(theirs.cpuMs)} ms; grew by ${Math.round(ours.grownMiB)} MiB`,
      );
      expect(ours.grownMiB).toBeLessThan(96);
      ratios.push(ours.cpuMs / theirs.cpuMs);
    }
    // Two thirds, mostly: what is left is TLS.
    expect(Math.min(...ratios)).toBeLessThan(0.9);
  });
});
