import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Client, connectivityState, credentials } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { ClosingClient, wideChannelOptions } from '#grpc-internals.ts';

const REDIAL_MS = 200;

async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** How often a client dials that was closed after nobody had answered it, once somebody would. */
async function dialsAfterClose(open: (address: string) => Client): Promise<number> {
  const port = await unusedPort();
  const client = open(`127.0.0.1:${port}`);
  const channel = client.getChannel();
  for (let state = channel.getConnectivityState(true); state !== connectivityState.TRANSIENT_FAILURE; ) {
    const before = state;
    await new Promise((resolve) => channel.watchConnectivityState(before, Date.now() + 5_000, resolve));
    state = channel.getConnectivityState(true);
  }
  client.close();
  let dials = 0;
  const server = createServer((socket) => {
    dials += 1;
    socket.on('error', () => undefined).destroy();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  await new Promise((resolve) => setTimeout(resolve, 5 * REDIAL_MS));
  server.close();
  return dials;
}

const options = wideChannelOptions({ 'grpc.initial_reconnect_backoff_ms': REDIAL_MS, 'grpc.max_reconnect_backoff_ms': REDIAL_MS });

it('a client that is closed while nobody answers dials no more; grpc-js’s own does, and this class may go when it does not', async () => {
  expect(await dialsAfterClose((address) => new ClosingClient(address, credentials.createInsecure(), options))).toBe(0);
  expect(await dialsAfterClose((address) => new Client(address, credentials.createInsecure(), options))).toBeGreaterThan(0);
});
