import { once } from 'node:events';
import { Agent, createServer as createHttpServer, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { PosternError } from '@postern/api/errors';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusalText } from '#proxy-aws/refusal-text.ts';
import { serveEndpointConnection } from '#endpoint/serve-endpoint-connection.ts';

const ONE = 'AKIAAAAAAAAAAAAAAAAA';
const TWO = 'AKIABBBBBBBBBBBBBBBB';
let listener: Server;
let port: number;
/** Keys of the streams that were opened, in order. */
let opened: string[];
let streams: Duplex[];

beforeEach(async () => {
  [opened, streams] = [[], []];
  const agents = new Map([ONE, TWO].map((key) => [key, agentOf(key)]));
  listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    void serveEndpointConnection(socket, {
      port,
      openStream: (accessKeyId) => {
        const agent = agents.get(accessKeyId);
        if (agent === undefined) return Promise.reject(new PosternError('unauthenticated', 'no login of yours has it'));
        opened.push(accessKeyId);
        const [near, far] = duplexPair();
        streams.push(near);
        agent.emit('connection', Object.assign(far, { setTimeout: () => far, setNoDelay: () => far, setKeepAlive: () => far }));
        return Promise.resolve(near);
      },
      refusal: refusalText('tsh up'),
      notice: () => undefined,
    });
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  port = (listener.address() as AddressInfo).port;
});
afterEach(() => void listener.close());

/** As an agent does, it answers whom it has heard to the end. */
function agentOf(key: string) {
  const agent = createHttpServer((incoming, answer) => {
    let bytes = 0;
    incoming.on('data', (chunk: Buffer) => (bytes += chunk.length));
    incoming.on('end', () => answer.end(`${key} ${incoming.url} ${bytes}`));
  });
  return Object.assign(agent, { httpAllowHalfOpen: true });
}

const signed = (key: string) => `AWS4-HMAC-SHA256 Credential=${key}/20260102/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00`;

interface Sent {
  readonly key?: string;
  readonly path?: string;
  readonly body?: Buffer;
  readonly agent?: Agent;
  readonly headers?: Record<string, string>;
}
function send({ key, path = '/', body, agent, headers }: Sent): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: body === undefined ? 'GET' : 'PUT',
        agent,
        headers: { host: `127.0.0.1:${port}`, ...(key === undefined ? {} : { authorization: signed(key) }), ...headers },
      },
      (answer) => {
        let text = '';
        answer.on('error', reject).on('data', (chunk: Buffer) => (text += chunk.toString()));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

describe('a connection of endpoint mode', () => {
  it('goes to the session whose key its request names, in the header or in the query', async () => {
    expect(await send({ key: ONE })).toEqual({ status: 200, text: `${ONE} / 0` });
    const path = `/b/k?X-Amz-Credential=${TWO}%2F20260102%2Fus-east-1%2Fs3%2Faws4_request`;
    expect((await send({ path })).text).toBe(`${TWO} ${path} 0`);
  });

  it('is one stream for all requests of a key, and the next key on the same connection goes where it belongs', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const big = Buffer.alloc(3_000_000, 'x');
    const keys = [ONE, ONE, TWO, TWO, ONE];
    for (const key of keys) expect((await send({ key, agent, body: big })).text).toBe(`${key} / 3000000`);
    expect(opened).toEqual([ONE, TWO, ONE]);
    agent.destroy();
  });

  it('gives each of requests that were sent ahead its own answer, in order', async () => {
    const head = (key: string, path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: ${signed(key)}\r\n\r\n`;
    const socket = connect(port, '127.0.0.1', () => socket.write(head(ONE, '/1') + head(TWO, '/2') + head(TWO, '/3') + head(ONE, '/4')));
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    await expect.poll(() => text).toContain(`${ONE} /4 0`);
    expect([...text.matchAll(/AKIA\w+ \/\d/g)].map(([found]) => found)).toEqual([`${ONE} /1`, `${TWO} /2`, `${TWO} /3`, `${ONE} /4`]);
    socket.destroy();
  });

  it('sends nothing of one key’s request to another’s session, though the body looks like a request', async () => {
    const trap = Buffer.from(`GET /trap HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: ${signed(TWO)}\r\n\r\n`);
    expect((await send({ key: ONE, body: trap })).text).toBe(`${ONE} / ${trap.length}`);
    expect(opened).toEqual([ONE]);
  });

  it('is refused in words for a key that nobody has, for none, and for yesterday’s on a connection that went well', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await send({ key: ONE, agent })).status).toBe(200);
    const gone = await send({ key: 'AKIACCCCCCCCCCCCCCCC', agent });
    expect(gone.text).toContain('no login of yours has it');
    expect(gone.status).toBe(403);
    expect(gone.text).toContain('<Code>InvalidAccessKeyId</Code>');
    expect((await send({})).text).toContain('names no access key');
    agent.destroy();
  });

  it.each([
    ['an Origin', { origin: 'https://evil.example' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a name that was rebound', { host: 'evil.example' }],
    ['a host of AWS', { host: 's3.amazonaws.com' }],
  ])('CL-01 is refused where a browser shows by %s', async (_what, headers) => {
    expect((await send({ key: ONE, headers })).status).toBe(403);
    expect(opened).toEqual([]);
  });

  it('lets go of the session when the client leaves, also in the middle of a body', async () => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`PUT / HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: ${signed(ONE)}\r\nContent-Length: 100\r\n\r\nhalf`),
    );
    await expect.poll(() => opened.length).toBe(1);
    socket.destroy();
    await expect.poll(() => streams[0]?.destroyed).toBe(true);
  });

  it('is cut, with nothing of ours in it, where the agent goes in the middle of an answer', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await send({ key: ONE, agent })).status).toBe(200);
    streams[0]?.destroy(new PosternError('unavailable', 'gone'));
    expect((await send({ key: ONE })).status).toBe(200);
    agent.destroy();
  });
});
