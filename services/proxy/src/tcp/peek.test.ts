import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { limits } from '@postern/limits';
import { afterEach, expect, it, vi } from 'vitest';
import { proxyLimits } from '#config.ts';
import { peekClientHello, type Peeked } from '#tcp/peek.ts';

const undo: (() => unknown)[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const step of undo.splice(0)) step();
});

it('gives a connection ten seconds for its whole ClientHello, and none of it in time is the end [limit handshakeMs]', async () => {
  const listener = createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const client = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(listener, 'connection')) as [Socket];
  undo.push(
    () => client.destroy(),
    () => socket.destroy(),
    () => listener.close(),
  );
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const ended: Peeked[] = [];
  void peekClientHello(socket, { maxBytes: proxyLimits.peekBytes, timeoutMs: proxyLimits.peekMs }).then((peeked) => ended.push(peeked));
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  // Bytes that dribble in do not begin the time anew.
  for (const byte of [22, 3, 1]) client.write(Buffer.from([byte]));
  while (socket.bytesRead < 3) await settled();
  vi.advanceTimersByTime(limits.handshakeMs - 1);
  await settled();
  expect(ended).toEqual([]);
  vi.advanceTimersByTime(1);
  await settled();
  expect(ended).toEqual([{ kind: 'gone', reason: 'the handshake took too long' }]);
});
