import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuthIsSilent, AuthPulse } from '#tcp/auth-pulse.ts';

const SILENT_MS = 200;
const STILL_SILENT_MS = 20;
let auth: Server;
const accepted: Socket[] = [];
beforeEach(async () => {
  auth = createServer((socket) => void accepted.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
  await once(auth, 'listening');
});
afterEach(() => {
  auth.close();
  for (const socket of accepted.splice(0)) socket.destroy();
});

/** Resolves with how long it took until the connection was given up. */
function dialled(pulse: AuthPulse): { readonly socket: Socket; readonly givenUp: Promise<number> } {
  const startedMs = performance.now();
  const socket = connect((auth.address() as AddressInfo).port, '127.0.0.1');
  pulse.expect(socket);
  const givenUp = new Promise<number>((resolve) =>
    socket.once('error', (error) => resolve(error instanceof AuthIsSilent ? performance.now() - startedMs : -1)),
  );
  return { socket, givenUp };
}

describe('an auth that accepts connections and says nothing', () => {
  it('is given up, and sooner by whoever comes next, until it is heard again', async () => {
    const pulse = new AuthPulse({ silentMs: SILENT_MS, stillSilentMs: STILL_SILENT_MS });
    expect(await dialled(pulse).givenUp).toBeGreaterThanOrEqual(SILENT_MS - 5);
    expect(await dialled(pulse).givenUp).toBeLessThan(SILENT_MS);
    pulse.heard();
    expect(await dialled(pulse).givenUp).toBeGreaterThanOrEqual(SILENT_MS - 5);
  });

  it('is waited for as long as others hear of it: it is busy', async () => {
    const pulse = new AuthPulse({ silentMs: SILENT_MS });
    const busy = setInterval(() => pulse.heard(), SILENT_MS / 4);
    const { socket, givenUp } = dialled(pulse);
    const first = await Promise.race([givenUp, new Promise((resolve) => setTimeout(resolve, 4 * SILENT_MS, 'still there'))]);
    expect(first).toBe('still there');
    clearInterval(busy);
    expect(await givenUp).toBeGreaterThan(4 * SILENT_MS);
    expect(socket.destroyed).toBe(true);
  });

  it('is none once it has answered', async () => {
    const pulse = new AuthPulse({ silentMs: SILENT_MS });
    const { socket } = dialled(pulse);
    socket.resume();
    await expect.poll(() => accepted.length).toBe(1);
    accepted[0]?.write('x');
    await new Promise((resolve) => setTimeout(resolve, 3 * SILENT_MS));
    expect(socket.destroyed).toBe(false);
    socket.destroy();
  });
});
