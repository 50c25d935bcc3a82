import { once } from 'node:events';
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders, performServerHandshake } from 'node:http2';
import { type AddressInfo, connect as connectTcp, createServer, type Server } from 'node:net';
import { duplexPair } from 'node:stream';
import { CONNECT_KEYS } from '@postern/api/connect-keys';
import { PosternError } from '@postern/api/errors';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveEndpointConnection } from '#endpoint/serve-endpoint-connection.ts';
import { refusalText } from '#proxy-aws/refusal-text.ts';

const KEY = 'AKIAABCDEFGHIJKLMNOP';
const signed = `AWS4-HMAC-SHA256 Credential=${KEY}/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00`;
let listener: Server;
let port: number;
let opened: (readonly [keyId: string, more: unknown])[];
let session: ClientHttp2Session;

/** On a machine that does other things besides. */
const soon = <T>(ask: () => T) => expect.poll(ask, { timeout: 10_000 });
beforeEach(async () => {
  opened = [];
  listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    void serveEndpointConnection(socket, {
      port,
      openStream: (keyId, more) => {
        opened.push([keyId, more]);
        if (keyId !== KEY) return Promise.reject(new PosternError('unauthenticated', 'no login has this key'));
        const [near, far] = duplexPair();
        performServerHandshake(far).on('stream', (stream) => {
          stream.respond({ ':status': 200 });
          stream.pipe(stream);
        });
        return Promise.resolve(near);
      },
      refusal: refusalText('tsh up'),
      notice: () => undefined,
    });
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  port = (listener.address() as AddressInfo).port;
  session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
});
afterEach(() => {
  session.destroy();
  listener.close();
});

async function ask(headers: OutgoingHttpHeaders, body = 'said'): Promise<{ readonly status: number; readonly text: string }> {
  const stream = session.request({ ':method': 'POST', ':path': '/model/m/invoke', ...headers });
  let status = 0;
  let text = '';
  stream.on('error', () => undefined);
  stream.on('response', (answer) => (status = Number(answer[':status'])));
  stream.on('data', (piece: Buffer) => (text += piece.toString()));
  stream.end(body);
  await once(stream, 'close');
  return { status, text };
}
const ours = () => ({ ':authority': `localhost:${port}`, authorization: signed });

describe('HTTP/2 without TLS at the endpoint', () => {
  it('goes to the session of the key that its first request names, whole and as it came, and so do the next', async () => {
    const long = 'x'.repeat(200_000);
    expect(await Promise.all([ask(ours()), ask(ours(), long)])).toEqual([
      { status: 200, text: 'said' },
      { status: 200, text: long },
    ]);
    expect(await ask(ours())).toEqual({ status: 200, text: 'said' });
    expect(opened).toEqual([[KEY, { [CONNECT_KEYS.protocol]: 'h2' }]]);
  });

  it.each([
    ['names no key', () => ({ ':authority': `localhost:${port}` }), 403, 'names no access key'],
    ['is of a page in a browser', () => ({ ...ours(), origin: 'https://evil.example' }), 403, 'Origin'],
    ['has a name that was bound to this machine', () => ({ ...ours(), ':authority': `evil.example:${port}` }), 403, 'Host header'],
    [
      'names a key that nobody has',
      () => ({ ...ours(), authorization: signed.replace(KEY, 'AKIAYESTERDAY2345678') }),
      403,
      'no login has this key',
    ],
  ])('is refused in words where its first request %s', async (_what, headers, status, words) => {
    const answer = await ask(headers());
    expect(answer.status).toBe(status);
    expect(answer.text).toContain(words);
    expect(opened.filter(([keyId]) => keyId === KEY)).toEqual([]);
    await soon(() => session.destroyed).toBe(true);
  });

  it('that begins and asks nothing is closed once it has said too much', async () => {
    const socket = connectTcp(port, '127.0.0.1');
    const closed = once(socket, 'close');
    socket.on('error', () => undefined);
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    // settings that are empty, and endlessly many
    const settings = Buffer.alloc(9 * 1000);
    for (let at = 0; at < settings.length; at += 9) settings[at + 3] = 4;
    const timer = setInterval(() => socket.write(settings), 5);
    await closed;
    clearInterval(timer);
    expect(opened).toEqual([]);
  });
});
