import { createServer, type AddressInfo, connect, type Socket } from 'node:net';
import { nothingSaid } from '@postern/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ClientExchange, createHttpDoor } from '#sessions/http-door.ts';

let door: ReturnType<typeof createHttpDoor>;
let port: number;
let served: string[];
let malformed: string[];
let failed: string[];
let undo: () => void;

beforeEach(async () => {
  served = [];
  malformed = [];
  failed = [];
  door = createHttpDoor({
    limits: { headMs: 200, bodyMs: 400 },
    onExchange: (exchange) => {
      const { target } = exchange.head;
      served.push(target);
      if (target === '/refused') exchange.readNoMore();
      const answer = (status: number) => exchange.answer(status, ['content-length', '6'], Buffer.from('served'));
      exchange.readBody(ignored((why) => (failed.push(why), answer(408))));
      if (target === '/later') setTimeout(() => exchange.answer(200, ['content-length', '11'], Buffer.from('served late')), 50);
      else if (target !== '/waits') answer(200);
    },
    onMalformed: (_connection, fault) => malformed.push(fault.message),
  });
  const sockets = new Set<Socket>();
  // As the streams of a session are.
  const listener = createServer({ allowHalfOpen: true }, (stream) => {
    sockets.add(stream);
    stream.on('error', () => stream.destroy());
    door.accept(stream, { ...nothingSaid, stream, localPort: 8000, session: undefined as never });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  port = (listener.address() as AddressInfo).port;
  undo = () => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  };
});
afterEach(() => {
  door.close();
  undo();
});

/** Takes a body and forgets it. */
const ignored = (onFailed: (why: string) => void): Parameters<ClientExchange['readBody']>[0] => ({
  onData: () => undefined,
  onEnd: () => undefined,
  onFailed,
});
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** All that comes until the connection is closed. */
function exchange(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

describe('a connection', () => {
  it('that says nothing, half a header, or half a body, is closed in time', async () => {
    expect(await exchange('')).toContain('408');
    expect(await exchange('GET / HTTP/1.1\r\nHost: x')).toMatch(/408[^]*RequestTimeoutException/);
    expect(await exchange('POST /waits HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n1')).toContain('408');
    expect(malformed).toEqual(Array.from({ length: 2 }, () => 'the request did not arrive in time'));
    // Whoever reads the body is told, so that it can be refused with a record like any other.
    expect(failed).toEqual(['late']);
  });

  it('whose client has shut its sending side gets the answer, and is closed after it', async () => {
    const half = (bytes: string) =>
      new Promise<string>((resolve, reject) => {
        let answer = '';
        const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end(bytes));
        socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
        socket.on('error', reject).on('end', () => resolve(answer));
      });
    expect(await half(get('/later'))).toMatch(/^HTTP\/1\.1 200 [^]*served late/);
    expect((await half(get('/later') + get('/2'))).match(/served/g)).toHaveLength(2);
    expect(await half('GET / HTTP/1.1\r\nHo')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await half('')).toBe('');
  });

  it('serves requests that are sent behind one another', async () => {
    const answer = exchange(get('/1') + 'GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect((await answer).match(/served/g)).toHaveLength(2);
    expect(served).toEqual(['/1', '/2']);
  });

  it('may rest between requests, and may wait for an answer, for longer than a request may take', async () => {
    const socket = connect(port, '127.0.0.1', () => socket.write(get('/1')));
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    await expect.poll(() => answer).toContain('served');
    // Within this time the watch looks twice.
    await expect(exchange('GET / HTTP/1.1\r\nHost: x').then(() => exchange(''))).resolves.toContain('408');
    socket.write(get('/waits'));
    await expect.poll(() => served).toContain('/waits');
    await expect(exchange('GET / HTTP/1.1\r\nHost: x').then(() => exchange(''))).resolves.toContain('408');
    expect(socket.closed).toBe(false);
    socket.destroy();
  });

  it('serves nothing that stands behind a request after which no more is to be read', async () => {
    const socket = connect(port, '127.0.0.1', () => socket.write(get('/refused') + get('/smuggled')));
    await new Promise((resolve) => socket.once('data', resolve));
    socket.write(get('/smuggled'));
    await expect.poll(() => served).toEqual(['/refused']);
    socket.destroy();
  });

  it('that asks to be a tunnel is refused, in words and in the log', async () => {
    expect(await exchange('CONNECT evil.example:80 HTTP/1.1\r\nHost: x\r\n\r\n' + get('/smuggled'))).toContain('405 Method Not Allowed');
    expect(malformed).toEqual(['the method CONNECT is not possible']);
    expect(served).toEqual([]);
  });

  it('is closed with the door', async () => {
    const closed = exchange(get('/1') + get('/waits'));
    await expect.poll(() => served).toEqual(['/1', '/waits']);
    door.close();
    expect(await closed).toContain('served');
  });
});
