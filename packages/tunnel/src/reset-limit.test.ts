import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants, createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { limitResets } from '#reset-limit.ts';

let server: Http2Server;
let client: ClientHttp2Session;
let nowMs: number;
beforeEach(async () => {
  nowMs = 0;
  server = createServer();
  server.on('session', (session: ServerHttp2Session) => limitResets(session, { atOnce: 10, perSecond: 5 }, () => nowMs));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    if (headers[':path'] !== '/withdrawn') stream.respond({ ':status': 200 }, { endStream: true });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  client.setMaxListeners(0).on('error', () => undefined);
});
afterEach(() => {
  client.destroy();
  server.close();
});

/** One after the other; resolves with how many ended before the connection did. */
async function calls(count: number, path: string): Promise<number> {
  for (let made = 0; made < count; made++) {
    if (client.destroyed || client.closed) return made;
    const stream = client.request({ ':path': path });
    stream.on('error', () => undefined).resume();
    if (path === '/withdrawn') stream.close(constants.NGHTTP2_CANCEL);
    await Promise.race([once(stream, 'close'), once(client, 'close')]);
    // The server has read the reset once it answers what was sent after it.
    if (!client.destroyed) await new Promise((resolve) => client.ping((error) => resolve(error)));
  }
  return count;
}

it('ends a connection whose calls are withdrawn faster than the limit allows', async () => {
  const goaway = once(client, 'goaway');
  expect(await calls(50, '/withdrawn')).toBe(11);
  expect((await goaway)[0]).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
});

it('lets calls be withdrawn within the limit, and ended ones are none of its business', async () => {
  expect(await calls(100, '/')).toBe(100);
  expect(await calls(10, '/withdrawn')).toBe(10);
  nowMs = 2_000;
  expect(await calls(10, '/withdrawn')).toBe(10);
  expect(await calls(5, '/withdrawn')).toBe(1);
});
