import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import { AgentSession } from '@postern/api';
import { afterEach, describe, expect, it } from 'vitest';
import { byteStream } from '#byte-stream.ts';
import { createGrpcTlsServer, type GrpcTlsServer, type Peer, peerOf } from '#grpc-tls-server.ts';
import { testAuthority } from '#testing/certificates.ts';
import { authority, connectClient, connectService, listen, sessionPair } from '#testing/echo.ts';

const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0)) await stop();
});

async function serverWith(
  tls: object,
  serve: (peer: Peer) => void = () => undefined,
): Promise<{ server: GrpcTlsServer; port: number; failures: string[] }> {
  const failures: string[] = [];
  const server = createGrpcTlsServer({
    tls: { ...authority.issue('server.test'), ca: authority.caPem, ...tls },
    services: [
      connectService((call) => {
        serve(peerOf(call));
        byteStream(call)
          .on('error', () => undefined)
          .end('hello');
      }),
    ],
    onHandshakeFailed: (error, from) => failures.push(`${from} ${error.message}`),
  });
  // As the proxy listens, which splices other connections with their half-closes.
  const listener = createServer({ allowHalfOpen: true }, (socket) =>
    server.acceptSocket(socket, { remoteAddress: `peer-of-${socket.remotePort}` }),
  );
  const port = await listen(listener);
  toStop.push(
    () => server.stop(),
    async () => listener.close(),
  );
  return { server, port, failures };
}
const ended = (socket: Socket) => new Promise<void>((resolve) => void socket.on('error', () => undefined).once('close', () => resolve()));

describe('a gRPC server behind TLS of its own', () => {
  it('tells the verified certificate and the address that was given with the connection, also for a connection out of a stream', async () => {
    const peers: Peer[] = [];
    const { server, port } = await serverWith({ requestCert: true, rejectUnauthorized: true }, (peer) => peers.push(peer));
    // The same server fed from a byte stream: TLS within a gRPC stream, as an agent gets it from a tunnel.
    const outer = await sessionPair((call) => server.acceptSocket(byteStream(call), { remoteAddress: '198.51.100.4:55' }));
    toStop.unshift(() => outer.stop());
    const bridge = createServer((socket) => {
      const stream = byteStream(outer.open());
      stream.on('error', () => socket.destroy());
      socket.on('error', () => stream.destroy());
      socket.pipe(stream).pipe(socket);
    });
    const bridgePort = await listen(bridge);
    toStop.unshift(async () => bridge.close());
    // Only the connection's own address counts, not what another one brought.
    for (const at of [port, bridgePort]) {
      const client = connectClient(at);
      toStop.unshift(async () => client.close());
      const call = client.makeBidiStreamRequest(
        AgentSession.connect.path,
        (b: Buffer) => b,
        (b: Buffer) => b,
      );
      call.on('error', () => undefined);
      expect(String((await once(call, 'data'))[0])).toBe('hello');
    }
    expect(peers.map(({ remoteAddress }) => remoteAddress)).toEqual([expect.stringMatching(/^peer-of-\d+$/), '198.51.100.4:55']);
    expect(peers.every(({ certificateDer }) => certificateDer && certificateDer.length > 200)).toBe(true);
  });

  it('serves a client without a certificate where that is allowed, and says that there is none', async () => {
    const peers: Peer[] = [];
    const { port } = await serverWith({ requestCert: true, rejectUnauthorized: false }, (peer) => peers.push(peer));
    const { Client, credentials } = await import('@grpc/grpc-js');
    const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(Buffer.from(authority.caPem)), {
      'grpc.ssl_target_name_override': 'server.test',
    });
    toStop.unshift(async () => client.close());
    const call = client.makeBidiStreamRequest(
      AgentSession.connect.path,
      (b: Buffer) => b,
      (b: Buffer) => b,
    );
    call.on('error', () => undefined);
    await once(call, 'data');
    expect(peers).toEqual([{ certificateDer: undefined, remoteAddress: expect.stringMatching(/^peer-of-/) }]);
  });

  it('closes a connection whose certificate another authority signed, even where certificates are optional', async () => {
    const peers: Peer[] = [];
    const { port } = await serverWith({ requestCert: true, rejectUnauthorized: false }, (peer) => peers.push(peer));
    const foreign = testAuthority().issue('client.test');
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      ca: authority.caPem,
      servername: 'server.test',
      ALPNProtocols: ['h2'],
      ...foreign,
    });
    await ended(socket);
    expect(peers).toEqual([]);
  });

  it('cuts a handshake that does not come to an end, and frees the socket', async () => {
    const { port, failures } = await serverWith({ requestCert: true, handshakeTimeout: 150 });
    const socket = connectTcp(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(Buffer.from([0x16, 0x03, 0x01]));
    await ended(socket);
    expect(failures).toEqual([expect.stringMatching(/^peer-of-\d+ TLS handshake timeout/)]);
  });

  it('notices at once when the far end’s process was killed: the end of its bytes is the end of the connection', async () => {
    const { server, port } = await serverWith({});
    const raw = connectTcp(port, '127.0.0.1');
    // Of a killed process the kernel says that no more bytes come, and no more than that.
    const socket = connectTls({ socket: raw, ca: authority.caPem, servername: 'server.test', ALPNProtocols: ['h2'] });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
    await once(socket, 'data');
    expect(server.connectionCount).toBe(1);
    raw.end();
    await expect.poll(() => server.connectionCount, { timeout: 2_000 }).toBe(0);
    raw.destroy();
  });

  it('takes a renewed certificate for new handshakes and stops with everything closed', async () => {
    const { server, port } = await serverWith({ requestCert: false });
    const serialAt = async () => {
      const socket = connectTls({ port, host: '127.0.0.1', ca: authority.caPem, servername: 'server.test', ALPNProtocols: ['h2'] });
      await once(socket, 'secureConnect');
      socket.resume();
      return { socket, serial: socket.getPeerCertificate().serialNumber };
    };
    const before = await serialAt();
    server.setTls({ ...authority.issue('server.test'), ca: authority.caPem });
    const after = await serialAt();
    expect(after.serial).not.toBe(before.serial);
    const closed = Promise.all([ended(before.socket), ended(after.socket)]);
    await server.stop();
    await closed;
    expect(server.connectionCount).toBe(0);
  });
});
