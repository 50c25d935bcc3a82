import { readFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, PASSWORD } from '@postern/test-harness/cluster.ts';
import { signInRaw } from '@postern/test-harness/dial.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';

const cannot = lacking('openssl');
const AUTH = 'auth.postern.internal';
const SIGN_IN = '/postern.v1.Login/SignIn';

describe.skipIf(cannot !== undefined)('the edge', () => {
  const cluster = new Cluster();
  const open: Socket[] = [];
  let hostCas: string[] = [];
  let port = 0;
  let authPort = 0;
  const keep = <T extends Socket>(socket: T): T => {
    socket.on('error', () => undefined);
    open.push(socket);
    return socket;
  };
  const signIn = async () => signInRaw(cluster.proxy, hostCas, { user: 'alice', password: PASSWORD });
  const signInWithin = (ms: number) => until('a sign-in', ms, async () => signIn().catch(() => undefined));

  beforeAll(async () => {
    await cluster.start();
    await cluster.admin('tctl users add alice --roles=access --password-stdin', { input: `${PASSWORD}\n` });
    const found = JSON.parse(await cluster.mustSh(`curl -s --cacert web-ca.pem https://${cluster.proxy}/v1/webapi/find`)) as {
      host_ca_pems: string[];
    };
    hostCas = found.host_ca_pems;
    port = Number(cluster.proxy.split(':')[1]);
    authPort = Number(/ listen_addr: 127\.0\.0\.1:(\d+)/.exec(readFileSync(cluster.authConfig, 'utf8'))?.[1]);
  });
  afterAll(async () => {
    for (const socket of open) socket.destroy();
    await cluster.stop();
  });

  it('ED-10 lets somebody sign in beside two thousand silent connections of the same address, and closes those', async () => {
    let closed = 0;
    const silent = Array.from({ length: 2_000 }, () => keep(connect(port, '127.0.0.1')).on('close', () => closed++));
    for (const socket of silent) socket.write(Buffer.from([22, 3, 1, 2, 0]));
    await signInWithin(10_000);
    await until('all to be closed', 20_000, () => (closed === silent.length ? true : undefined));
  });

  it('ED-10 lets somebody sign in beside two hundred anonymous connections that ask for nothing', async () => {
    const held = Array.from({ length: 200 }, () =>
      keep(
        connectTls({ port, host: '127.0.0.1', servername: AUTH, ca: hostCas, ALPNProtocols: ['h2'], checkServerIdentity: () => undefined }),
      ),
    );
    let secured = 0;
    for (const socket of held) socket.on('secureConnect', () => secured++);
    await until('them to be held', 20_000, () => (secured > 150 ? true : undefined));
    await signInWithin(10_000);
    for (const socket of held) socket.destroy();
  });

  it.each([
    ['a trailing dot', { servername: `${AUTH}.` }, /alert number 47/],
    ['HTTP/1.1 at the door of gRPC', { servername: AUTH, ALPNProtocols: ['http/1.1'] }, /alert number 120/],
    ['a tunnel without h2', { servername: 'tunnel.postern.internal' }, /alert number 120/],
    ['a tunnel without a certificate', { servername: 'tunnel.postern.internal', ALPNProtocols: ['h2'] }, /alert number 116|closed/],
    ['no ticket', { servername: 'a.session.postern.internal' }, /alert number 112/],
    ['a line that nobody asked for', { servername: `${'0f'.repeat(16)}.line.postern.internal` }, /alert number 112/],
    ['h2 at the web door', { servername: 'localhost', ALPNProtocols: ['h2'] }, /alert number 120/],
  ])('ED-13 refuses %s', async (_what, options, how) => {
    const ended = await new Promise<string>((resolve) => {
      const socket = keep(connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }));
      socket.on('error', (error) => resolve(error.message)).on('close', () => resolve('closed'));
    });
    expect(ended).toMatch(how);
  });

  it('believes no address that a client says itself, at the proxy or at auth’s own port', async () => {
    const header = Buffer.concat([
      Buffer.from('0d0a0d0a000d0a515549540a', 'hex'),
      Buffer.from([0x21, 0x11, 0, 47, 9, 9, 9, 9, 127, 0, 0, 1, 0, 80, 0, 80, 0xe7, 0, 32]),
      Buffer.alloc(32, 7),
    ]);
    const atProxy = keep(connect(port, '127.0.0.1'));
    atProxy.write(header);
    const [answer] = await new Promise<Buffer[]>((resolve) => atProxy.once('data', (bytes: Buffer) => resolve([bytes])));
    expect([...(answer ?? [])]).toEqual([21, 3, 3, 0, 2, 2, 10]);
    const atAuth = keep(connect(authPort, '127.0.0.1'));
    atAuth.write(header);
    const secure = keep(
      connectTls({ socket: atAuth, servername: AUTH, ca: hostCas, ALPNProtocols: ['h2'], checkServerIdentity: () => undefined }),
    );
    const session = connectHttp2('https://auth', { createConnection: () => secure });
    session.on('error', () => undefined);
    const message = Buffer.concat([Buffer.from([0x0a, 6]), Buffer.from('nobody'), Buffer.from([0x12, 1, 0x78])]);
    const call = session.request({ ':method': 'POST', ':path': SIGN_IN, 'content-type': 'application/grpc', te: 'trailers' });
    call.on('error', () => undefined).resume();
    call.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
    await new Promise((resolve) => call.once('close', resolve));
    session.destroy();
    const said = await cluster.admin('tctl audit ls --format=json');
    expect(said).toContain('127.0.0.1');
    expect(said).not.toContain('9.9.9.9');
  });

  it('TN-01 TN-02 goes on after requests that no gRPC client sends', async () => {
    const session = connectHttp2(`https://localhost:${port}`, { servername: AUTH, ca: hostCas, checkServerIdentity: () => undefined });
    session.on('error', () => undefined);
    const bad: [Record<string, string>, number[]][] = [
      [{ ':path': `/${SIGN_IN}` }, []],
      [{ ':path': `${SIGN_IN}?x` }, []],
      [{ ':path': '/__proto__/toString' }, []],
      [{ 'content-type': 'text/html' }, []],
      [{ 'grpc-timeout': '99999999999999H' }, []],
      [{}, [0, 255, 255, 255, 255, 0]],
      [{ 'grpc-encoding': 'gzip' }, [1, 0, 0, 0, 3, 1, 2, 3]],
      [{ 'grpc-encoding': 'evil' }, [1, 0, 0, 0, 1, 0]],
      [{}, [0, 0, 0, 0, 4, 255, 255, 255, 255]],
    ];
    for (const [headers, body] of bad) {
      const status = await new Promise<unknown>((resolve) => {
        const call = session.request({
          ':method': 'POST',
          ':path': SIGN_IN,
          'content-type': 'application/grpc',
          te: 'trailers',
          ...headers,
        });
        let seen: unknown;
        call.on('response', (head) => (seen = head['grpc-status'] ?? head[':status']));
        call.on('trailers', (tail) => (seen = tail['grpc-status']));
        call.on('error', () => resolve('reset')).on('close', () => resolve(seen));
        call.resume().end(Buffer.from(body));
      });
      expect([headers, status]).not.toEqual([headers, '0']);
    }
    session.destroy();
    await signIn();
  });
});
