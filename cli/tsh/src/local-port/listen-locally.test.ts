import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { listenLocally, localAddress } from '#local-port/listen-locally.ts';

describe('the local address', () => {
  it('is loopback, of both kinds, unless said otherwise', () => {
    expect(localAddress({ anywhere: false })).toEqual({ hosts: ['127.0.0.1', '::1'], port: 0 });
    expect(localAddress({ port: 8000, anywhere: false }).port).toBe(8000);
    expect(localAddress({ listen: '[::1]:9', anywhere: false })).toEqual({ hosts: ['::1'], port: 9 });
    expect(localAddress({ listen: 'localhost:9', anywhere: false }).hosts).toEqual(['127.0.0.1', '::1']);
  });

  it.each(['0.0.0.0:8000', '[::]:8000', '192.168.1.5:8000', 'example.com:8000', '127.0.0.1.evil.example:80'])(
    'refuses %s without the long flag',
    (listen) => {
      expect(() => localAddress({ listen, anywhere: false })).toThrow(/insecure-listen-anywhere/);
      expect(localAddress({ listen, anywhere: true }).hosts).toHaveLength(1);
    },
  );

  it.each(['8000', 'localhost', 'localhost:99999', ''])('refuses "%s", which is no host:port', (listen) => {
    expect(() => localAddress({ listen, anywhere: true })).toThrow(/--listen/);
  });

  it('names the busy port, also where only the other loopback address is taken', async () => {
    for (const host of ['127.0.0.1', '::1']) {
      const holder = createServer().listen(0, host);
      await once(holder, 'listening');
      const address = holder.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      await expect(listenLocally({ hosts: ['127.0.0.1', '::1'], port }, () => undefined)).rejects.toThrow(
        new RegExp(`port ${port} is in use`),
      );
      holder.close();
    }
  });
});
