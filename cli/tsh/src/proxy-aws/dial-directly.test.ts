import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { dialDirectly } from '#proxy-aws/dial-directly.ts';

it('a name that leads back to this machine is not followed, though something listens there', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await expect(dialDirectly({ host: 'localhost', port })).rejects.toThrow(/cannot connect to localhost:\d+: ENOTALLOWED/);
  server.close();
});
