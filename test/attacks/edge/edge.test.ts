import { readFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyness } from '@postern/test-harness/busyness.ts';
import { PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { sessionName, sessionRaw, signInRaw } from '@postern/test-harness/dial.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { DATABASE, Stage } from '@postern/test-harness/stage.ts';

const cannot = lacking('openssl');
const AUTH = 'auth.postern.internal';
const TUNNEL = 'tunnel.postern.internal';
/** A handshake that is not over by then is cut. */
const HANDSHAKE_MS = 10_000;
const SIGN_IN = '/postern.v1.Login/SignIn';

describe.skipIf(cannot !== undefined)('the edge', () => {
  const stage = new Stage();
  const { cluster } = stage;
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
    await stage.open();
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

  it('ED-10 cuts within ten seconds a thousand that begin a handshake and do not go on, at each door, and an agent joins and attaches meanwhile', async () => {
    const joins = async (name: string) => {
      const beganMs = performance.now();
      await stage.attached(stage.agent(name));
      return performance.now() - beganMs;
    };
    const unhurriedMs = await joins('before');
    const alice = await signIn();
    const { issued } = await sessionRaw(cluster.proxy, hostCas, alice, { db: DATABASE, principal: ROLE });
    const header = Buffer.from([22, 3, 1, 2, 0]);
    const kinds: [what: string, bytes: Buffer, count: number][] = [
      ['the header of a record', header, 500],
      ['a ClientHello at auth, and no certificate', clientHello(AUTH), 200],
      ['a ClientHello at the tunnels, and no certificate', clientHello(TUNNEL), 200],
      ['a ClientHello at an agent, and no certificate', clientHello(sessionName(issued.ticket)), 100],
    ];
    expect(kinds.map(([, { length }]) => length > 100)).toEqual([false, true, true, true]);
    const lives: { readonly what: string; lastedMs: number | undefined }[] = [];
    for (const [what, bytes, count] of kinds) {
      for (let n = 0; n < count; n += 1) {
        // Fewer of each address than one may have: none has to give way to another.
        const socket = keep(connect({ port, host: '127.0.0.1', localAddress: `127.2.0.${1 + (lives.length % 20)}` }));
        const life: (typeof lives)[number] = { what, lastedMs: undefined };
        lives.push(life);
        let beganMs = 0;
        socket.on('connect', () => {
          beganMs = performance.now();
          socket.write(bytes);
        });
        // Read to its end, or its end would not be heard.
        socket.resume().on('close', () => (life.lastedMs = performance.now() - beganMs));
      }
    }
    const tookMs = await joins('meanwhile');
    const stillThere = lives.filter(({ lastedMs }) => lastedMs === undefined).length;
    expect(tookMs).toBeLessThan(Math.max(2_000 * busyness(), 3 * unhurriedMs));
    if (tookMs < HANDSHAKE_MS / 2) expect(stillThere).toBeGreaterThan(500);
    const slackMs = 2_000 * busyness();
    await until('all to be closed', HANDSHAKE_MS + 2 * slackMs, () => lives.every(({ lastedMs }) => lastedMs !== undefined) || undefined);
    const longest = kinds.map(
      ([what]) => [what, Math.max(...lives.filter((life) => life.what === what).map(({ lastedMs }) => lastedMs ?? 0))] as const,
    );
    expect(longest.filter(([, lastedMs]) => lastedMs > HANDSHAKE_MS + slackMs)).toEqual([]);
  });

  /** What a client says first, byte for byte; it hears no answer. */
  function clientHello(servername: string): Buffer {
    const said: Buffer[] = [];
    const write = (piece: Buffer, _encoding: string, done: () => void) => {
      said.push(piece);
      done();
    };
    const deaf = new Duplex({ read: () => undefined, write });
    connectTls({ socket: deaf, servername, ALPNProtocols: ['h2'] }).on('error', () => undefined);
    return Buffer.concat(said);
  }

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
