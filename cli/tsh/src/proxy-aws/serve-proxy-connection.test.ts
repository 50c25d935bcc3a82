import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect as connectHttp2, performServerHandshake } from 'node:http2';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { CONNECT_KEYS } from '@postern/api/connect-keys';
import { PosternError } from '@postern/api/errors';
import { awsDomains } from '@postern/aws';
import { createLocalAuthority, type LocalAuthority } from '@postern/pki';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ConnectHeaders } from '#sessions/agent-channel.ts';
import { LocalCertificates } from '#proxy-aws/local-certificates.ts';
import { refusalText } from '#proxy-aws/refusal-text.ts';
import { serveProxyConnection } from '#proxy-aws/serve-proxy-connection.ts';

const KEY = 'AKIAABCDEFGHIJKLMNOP:secretsecretsecretsecretsecretsecret1234';
const S3 = 's3.us-east-1.amazonaws.com';
const OWN = 'a1b2c3d4e5.execute-api.us-east-1.amazonaws.com';
let authority: LocalAuthority;
let proxy: Server;
let port: number;
/** What was said of each stream that was opened, in order. */
let opened: ConnectHeaders[];
let dialled: string[];
let notices: string[];
let failure: Error | undefined;

beforeAll(async () => {
  const nowMs = Date.now();
  authority = await createLocalAuthority({ name: 'test', domains: awsDomains(), notAfterMs: nowMs + 3_600_000, nowMs });
});
beforeEach(async () => {
  [opened, dialled, notices, failure] = [[], [], [], undefined];
  const certificates = new LocalCertificates(authority);
  /** An agent: node:http for requests, an echo for a connection of the client's own. */
  const agent = createHttpServer((request, answer) => {
    request.resume().on('end', () => answer.end(`${request.method} ${request.headers.host}${request.url}`));
  });
  proxy = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    void serveProxyConnection(socket, {
      openStream: (headers) => {
        if (failure !== undefined) return Promise.reject(failure);
        opened.push(headers);
        if (headers[CONNECT_KEYS.protocol] !== undefined) return Promise.resolve(servedHttp2());
        return Promise.resolve(headers[CONNECT_KEYS.tunnelHost] === undefined ? served(agent) : echo());
      },
      headers: { [CONNECT_KEYS.localPort]: String(port), [CONNECT_KEYS.localKey]: KEY },
      certificates,
      isOwnHost: (host) => Promise.resolve(host === OWN),
      dial: (target) => {
        dialled.push(`${target.host}:${target.port}`);
        return Promise.resolve(echo());
      },
      refusal: refusalText('tsh proxy aws'),
      notice: (line) => notices.push(line),
    });
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  port = (proxy.address() as AddressInfo).port;
});
afterEach(() => void proxy.close());

function served(agent: ReturnType<typeof createHttpServer>): Duplex {
  const [near, far] = duplexPair();
  const socket = Object.assign(far, { setTimeout: () => far, setNoDelay: () => far, setKeepAlive: () => far });
  agent.emit('connection', socket);
  return near;
}

/** An agent that ends HTTP/2 and gives a body back. */
function servedHttp2(): Duplex {
  const [near, far] = duplexPair();
  performServerHandshake(far).on('stream', (stream) => {
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  });
  return near;
}

/** One request over HTTP/2: its status and what came back. */
async function http2Over(secure: TLSSocket, host: string): Promise<{ readonly status: number; readonly text: string }> {
  const session = connectHttp2(`https://${host}`, { createConnection: () => secure });
  session.on('error', () => undefined);
  const stream = session.request({ ':method': 'POST', ':path': '/model/m/invoke', host });
  let status = 0;
  let text = '';
  stream.on('response', (headers) => (status = Number(headers[':status'])));
  stream.on('data', (piece: Buffer) => (text += piece.toString()));
  stream.end('said');
  await once(stream, 'close');
  session.destroy();
  return { status, text };
}

function echo(): Duplex {
  const [near, far] = duplexPair();
  far.pipe(far);
  return near;
}

/** The socket, once the proxy has answered with `status`, and all of its answer's head. */
async function asked(head: string): Promise<{ socket: Socket; said: string }> {
  const socket = connect(port, '127.0.0.1', () => socket.write(head));
  const [said] = (await once(socket, 'data')) as [Buffer];
  return { socket, said: said.toString() };
}
const connectTo = (host: string) => asked(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);

async function secured(socket: Socket, servername: string) {
  const ALPNProtocols = ['h2', 'http/1.1'];
  // An empty name is one that is not sent; what the certificate says is looked at by hand then.
  const secure = connectTls({ socket, ca: authority.certificatePem, servername, ALPNProtocols, rejectUnauthorized: servername !== '' });
  await once(secure, 'secureConnect');
  return secure;
}

describe('a connection through the forward proxy to one of AWS’s hosts', () => {
  it('ends in TLS for exactly that host, and its requests go to the agent with the key and the host of CONNECT', async () => {
    const { socket, said } = await connectTo(`${S3}:443`);
    expect(said).toMatch(/^HTTP\/1\.1 200 /);
    const secure = await secured(socket, S3);
    expect(secure.alpnProtocol).toBe('http/1.1');
    expect(secure.getPeerCertificate().subjectaltname).toBe(`DNS:${S3}`);
    secure.write(`GET /bucket HTTP/1.1\r\nHost: ${S3}\r\n\r\n`);
    expect(String((await once(secure, 'data'))[0])).toContain(`GET ${S3}/bucket`);
    expect(opened).toEqual([{ [CONNECT_KEYS.localPort]: String(port), [CONNECT_KEYS.localKey]: KEY, [CONNECT_KEYS.connectHost]: S3 }]);
    expect(dialled).toEqual([]);
    secure.destroy();
  });

  it('is one that the application names beside AWS’s own, whose neighbours are joined untouched', async () => {
    const { socket } = await connectTo(`${OWN}:443`);
    const secure = await secured(socket, OWN);
    secure.write(`GET /stage HTTP/1.1\r\nHost: ${OWN}\r\n\r\n`);
    expect(String((await once(secure, 'data'))[0])).toContain(`GET ${OWN}/stage`);
    secure.destroy();
    const neighbour = OWN.replace('a1b2', 'z9y8');
    const { socket: joined } = await connectTo(`${neighbour}:443`);
    expect(dialled).toEqual([`${neighbour}:443`]);
    joined.destroy();
  });

  it('carries requests one after another over one stream, and a body of a megabyte whole', async () => {
    const { socket } = await connectTo(`${S3}:443`);
    const secure = await secured(socket, S3);
    for (let n = 0; n < 3; n += 1) {
      secure.write(`PUT /${n} HTTP/1.1\r\nHost: ${S3}\r\nContent-Length: 1000000\r\n\r\n`);
      secure.write(Buffer.alloc(1_000_000, 'x'));
      expect(String((await once(secure, 'data'))[0])).toContain(`PUT ${S3}/${n}`);
    }
    expect(opened).toHaveLength(1);
    secure.destroy();
  });

  it.each([
    ['another host of AWS', 'sts.us-east-1.amazonaws.com'],
    ['a host of somebody’s', 'login.example.com'],
    ['no host', ''],
  ])('CL-04 is cut where TLS names %s: nothing reaches an agent', async (_what, servername) => {
    const { socket } = await connectTo(`${S3}:443`);
    const cut = once(socket, 'close');
    await secured(socket, servername).catch(() => undefined);
    await cut;
    expect(opened).toEqual([]);
    await expect.poll(() => notices.join()).toContain(`CONNECT named ${S3}`);
  });

  it('is answered within TLS, in the shape of AWS, where no agent is to be had', async () => {
    failure = new PosternError('unavailable', 'no agent answers');
    const { socket } = await connectTo('dynamodb.us-east-1.amazonaws.com:443');
    const secure = await secured(socket, 'dynamodb.us-east-1.amazonaws.com');
    secure.write('POST / HTTP/1.1\r\nHost: dynamodb.us-east-1.amazonaws.com\r\nContent-Length: 2\r\n\r\n{}');
    const text = String((await once(secure, 'data'))[0]);
    expect(text).toMatch(/^HTTP\/1\.1 503 /);
    expect(text).toContain('no agent answers');
    secure.destroy();
  });
});

describe('HTTP/2', () => {
  const BEDROCK = 'bedrock-runtime.us-east-1.amazonaws.com';

  it('is agreed on with hosts that need it, and its bytes go to the agent, who is told so', async () => {
    const { socket } = await connectTo(`${BEDROCK}:443`);
    const secure = await secured(socket, BEDROCK);
    expect(secure.alpnProtocol).toBe('h2');
    expect(await http2Over(secure, BEDROCK)).toEqual({ status: 200, text: 'said' });
    expect(opened).toEqual([
      {
        [CONNECT_KEYS.localPort]: String(port),
        [CONNECT_KEYS.localKey]: KEY,
        [CONNECT_KEYS.connectHost]: BEDROCK,
        [CONNECT_KEYS.protocol]: 'h2',
      },
    ]);
  });

  it('is answered in HTTP/2, in the shape of AWS, where no agent is to be had', async () => {
    failure = new PosternError('unavailable', 'no agent answers');
    const { socket } = await connectTo(`${BEDROCK}:443`);
    const answer = await http2Over(await secured(socket, BEDROCK), BEDROCK);
    expect(answer.status).toBe(503);
    expect(answer.text).toContain('no agent answers');
  });

  it('is not for a client of HTTP/1.1 at the same host', async () => {
    const { socket } = await connectTo(`${BEDROCK}:443`);
    const secure = connectTls({ socket, ca: authority.certificatePem, servername: BEDROCK });
    await once(secure, 'secureConnect');
    secure.write(`GET / HTTP/1.1\r\nHost: ${BEDROCK}\r\n\r\n`);
    expect(String((await once(secure, 'data'))[0])).toContain(`GET ${BEDROCK}/`);
    secure.destroy();
  });
});

describe('a connection through the forward proxy to what is not AWS’s', () => {
  it.each(['example.com:443', '123456789012.dkr.ecr.us-east-1.amazonaws.com:443', 'dynamodb.us-east-1.amazonaws.com:8443', '192.0.2.7:22'])(
    'CL-04 %s is joined untouched, whatever the bytes are',
    async (host) => {
      const { socket, said } = await connectTo(host);
      expect(said).toMatch(/^HTTP\/1\.1 200 /);
      socket.write(Buffer.from([0, 255, 1, 2]));
      expect((await once(socket, 'data'))[0]).toEqual(Buffer.from([0, 255, 1, 2]));
      expect(dialled).toEqual([host]);
      expect(opened).toEqual([]);
      socket.destroy();
    },
  );

  it('goes to the agent untouched where it is Session Manager’s', async () => {
    const { socket } = await connectTo('ssmmessages.eu-west-1.amazonaws.com:443');
    socket.write('its own TLS');
    expect(String((await once(socket, 'data'))[0])).toBe('its own TLS');
    expect(opened[0]?.[CONNECT_KEYS.tunnelHost]).toBe('ssmmessages.eu-west-1.amazonaws.com');
    expect(dialled).toEqual([]);
    socket.destroy();
  });

  it.each([
    '127.0.0.1:22',
    'localhost:443',
    'metadata.localhost:80',
    '[::1]:443',
    '169.254.169.254:80',
    '[::ffff:169.254.169.254]:80',
    '0.0.0.0:22',
  ])('is refused for %s, which no program needs a proxy for', async (host) => {
    const { said } = await connectTo(host);
    expect(said).toMatch(/^HTTP\/1\.1 403 Forbidden - tsh proxy aws: .*NO_PROXY/);
    expect(dialled).toEqual([]);
  });
});

describe('what is no CONNECT', () => {
  it.each([
    [
      'CL-04 a plain request for a web page',
      'GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n',
      /plain http:/,
    ],
    ['a request for this port itself', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', /set HTTPS_PROXY/],
    ['a CONNECT without a port', 'CONNECT example.com HTTP/1.1\r\nHost: example.com\r\n\r\n', /host:port/],
    ['a CONNECT with a port that is none', 'CONNECT example.com:99999 HTTP/1.1\r\nHost: example.com\r\n\r\n', /host:port/],
    ['a CONNECT with user info', 'CONNECT a@example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n', /host:port/],
    ['a TLS handshake', '\u0016\u0003\u0001', /plain HTTP/],
    ['nonsense', 'nonsense\r\n\r\n', /not HTTP/],
  ])('%s is refused with 400, in words that programs print', async (_what, head, words) => {
    const { said } = await asked(head);
    expect(said.split('\r\n')[0]).toMatch(/^HTTP\/1\.1 400 Bad Request - tsh proxy aws: /);
    expect(said).toMatch(words);
    expect({ opened, dialled }).toEqual({ opened: [], dialled: [] });
  });
});
