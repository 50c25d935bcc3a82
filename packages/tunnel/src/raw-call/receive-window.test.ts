import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { byteStream } from '#byte-stream.ts';
import { tunnelLimits } from '#limits.ts';
import { type SessionPair, sessionPair } from '#testing/echo.ts';

let pair: SessionPair | undefined;
afterEach(async () => {
  await pair?.stop();
  pair = undefined;
});

const windowOf = (call: { readonly stream: { readonly session?: unknown } }) =>
  (call.stream.session as { localSettings: { initialWindowSize: number } }).localSettings.initialWindowSize;

async function flood(delayMs: number, bytes: number): Promise<{ small: number; large: number }> {
  pair = await sessionPair(
    (call) => {
      const stream = byteStream(call);
      stream.on('error', () => undefined);
      stream.once('data', (asked: Buffer) => stream.write(Buffer.alloc(Number(asked.toString()))));
    },
    { delayMs },
  );
  const call = pair.open();
  const stream = byteStream(call);
  stream.on('error', () => undefined);
  for (let i = 0; i < 20; i += 1) {
    const other = byteStream(pair.open()).on('error', () => undefined);
    other.write('300');
    await once(other, 'data');
    other.destroy();
  }
  const small = windowOf(call);
  let got = 0;
  const whole = new Promise<void>((resolve) =>
    stream.on('data', ({ length }: Buffer) => {
      got += length;
      if (got === bytes) resolve();
    }),
  );
  stream.write(String(bytes));
  await whole;
  return { small, large: windowOf(call) };
}

describe('the window of a stream', () => {
  it('stays small for small answers, and grows to what a long wire needs', async () => {
    const { small, large } = await flood(20, 24 * 1024 * 1024);
    expect(small).toBe(tunnelLimits.streamWindowBytes);
    expect(large).toBeGreaterThanOrEqual(2 * 1024 * 1024);
    expect(large).toBeLessThanOrEqual(tunnelLimits.windowBytes);
  });
});
