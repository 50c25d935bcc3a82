import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { proxyHeader, clientContextOptions } from '@postern/pki';
import { Client, credentials } from '@grpc/grpc-js';
import { createServer, type AddressInfo } from 'node:net';
import {
  addToken,
  auditRecords,
  callStream,
  callUnary,
  joinAs,
  login,
  outcomeOf,
  routeKeys,
  startTestAuth,
  status,
  type TestAuth,
} from '#testing/test-auth.ts';
import { createSecureContext } from 'node:tls';
import { generateKey } from '@postern/pki';

let test: TestAuth;
const closing: (() => void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) close();
  await test.stop();
});

/** A splice as a proxy makes it: the bytes of `header`, then whatever the client says, to auth and back. */
async function splice(header: Buffer): Promise<Client> {
  const server = createServer((socket) => {
    const inner = connect(test.auth.address.port, '127.0.0.1');
    inner.write(header);
    socket.pipe(inner).pipe(socket);
    for (const end of [socket, inner]) end.on('error', () => void socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  const context = createSecureContext(clientContextOptions(test.auth.hostCaPems));
  const client = new Client(`127.0.0.1:${(server.address() as AddressInfo).port}`, credentials.createFromSecureContext(context), {
    'grpc.ssl_target_name_override': 'auth.postern.internal',
    'grpc.use_local_subchannel_pool': 1,
  });
  closing.push(() => client.close());
  return client;
}
async function routeKey(): Promise<Buffer> {
  const proxy = await joinAs(test, { token: await addToken(test, { roles: ['proxy'] }), role: 'proxy' });
  const sets = callStream(test.client(proxy), routeKeys.definition.watchRouteKeys, {});
  const { value } = await sets.next();
  await sets.return(undefined);
  return value?.keys[0]?.key ?? Buffer.alloc(0);
}
const wrongSignIn = (client: Client) =>
  outcomeOf(
    callUnary(client, login.definition.signIn, {
      user: 'nobody',
      password: 'wrong password 123',
      publicKey: generateKey().publicKeyDer,
      ttlSeconds: 0,
      clientVersion: '',
    }),
  );
async function addressSeen(): Promise<unknown> {
  return (await auditRecords(test, 'user.login')).at(-1)?.['addr.remote'];
}

describe('the address that a connection counts for', () => {
  it('is the one that a proxy proves, and the socket’s own where the proof is missing or wrong', async () => {
    test = await startTestAuth();
    const key = await routeKey();
    const client = { clientAddress: '203.0.113.9', clientPort: 5555 };
    expect(await wrongSignIn(await splice(proxyHeader({ ...client, key })))).toBe('unauthenticated');
    expect(await addressSeen()).toBe('203.0.113.9');
    expect(await wrongSignIn(await splice(proxyHeader({ ...client, key: Buffer.alloc(32) })))).toBe('unauthenticated');
    expect(await addressSeen()).toBe('127.0.0.1');
    expect(await wrongSignIn(await splice(Buffer.alloc(0)))).toBe('unauthenticated');
    expect(await addressSeen()).toBe('127.0.0.1');
  });

  it('is never read from a header that is malformed or too long: the connection closes', async () => {
    test = await startTestAuth();
    const good = proxyHeader({ clientAddress: '203.0.113.9', clientPort: 5555, key: Buffer.alloc(32) });
    const malformed = Buffer.from(good);
    malformed.writeUInt8(0x31, 12);
    const tooLong = Buffer.from(good);
    tooLong.writeUInt16BE(0xffff, 14);
    for (const bytes of [malformed, tooLong]) {
      const socket: Socket = connect(test.auth.address.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(bytes);
      await once(socket, 'close');
    }
    expect(await outcomeOf(callUnary(test.client(test.admin), status.definition.getStatus, {}))).toBe('ok');
  });
});

describe('the listener', () => {
  it('goes on after bytes that are no TLS, and resumes no session', async () => {
    test = await startTestAuth();
    for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(5000, 0x16), Buffer.from([0x0d, 0x0a, 0x0d])]) {
      const socket = connect(test.auth.address.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.end(bytes);
      await once(socket, 'close');
    }
    const sessions: Buffer[] = [];
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = connectTls({
        port: test.auth.address.port,
        host: '127.0.0.1',
        servername: 'auth.postern.internal',
        ca: [...test.auth.hostCaPems],
        maxVersion,
        ALPNProtocols: ['h2'],
      });
      socket.on('session', (session) => sessions.push(session));
      await once(socket, 'secureConnect');
      const session = socket.getSession();
      socket.destroy();
      const again = connectTls({
        port: test.auth.address.port,
        host: '127.0.0.1',
        servername: 'auth.postern.internal',
        ca: [...test.auth.hostCaPems],
        maxVersion,
        ALPNProtocols: ['h2'],
        session,
      });
      again.on('error', () => undefined);
      await Promise.race([once(again, 'secureConnect'), once(again, 'close')]);
      expect(again.isSessionReused()).toBe(false);
      again.destroy();
    }
    expect(await outcomeOf(callUnary(test.client(test.admin), status.definition.getStatus, {}))).toBe('ok');
  });
});
