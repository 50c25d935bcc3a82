import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { request as httpRequest, Agent } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { type BodySink, type Exchange } from '#door/exchange.ts';
import { type DoorLimits, HttpDoor } from '#door/http-door.ts';

const cleanup: (() => void)[] = [];
afterEach(() => {
  for (const undo of cleanup.splice(0)) undo();
});

interface Rig {
  readonly port: number;
  readonly door: HttpDoor<undefined>;
  readonly faults: string[];
  readonly sockets: Set<Socket>;
}

async function rig(onExchange: (exchange: Exchange) => void, limits: Partial<DoorLimits> = {}): Promise<Rig> {
  const faults: string[] = [];
  const door = new HttpDoor<undefined>({
    limits: { maxBytes: 16_384, maxLines: 100, headMs: 10_000, bodyIdleMs: 10_000, bodyMs: 60_000, maxDiscardBytes: 100_000, ...limits },
    onExchange,
    onMalformed: (_context, fault) => {
      faults.push(fault.message);
      return { contentType: 'text/plain', body: Buffer.from(fault.message) };
    },
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    door.accept(socket, undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.push(
    () => door.close(),
    () => server.close(),
  );
  return { port: (server.address() as AddressInfo).port, door, faults, sockets };
}

/** All that comes until the connection is closed. */
function talk(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => (said += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(said));
    cleanup.push(() => socket.destroy());
  });
}

const sinkOf = (onEnd: () => void, onData: (piece: Buffer) => void = () => undefined): BodySink => ({
  onData,
  onEnd,
  onFailed: () => undefined,
});
const ok = (exchange: Exchange, text = 'ok') => exchange.answer(200, ['content-length', String(text.length)], Buffer.from(text));
const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

describe('the door', () => {
  it('serves requests of one connection one after another, whatever is sent ahead', async () => {
    let open = 0;
    let most = 0;
    const { port } = await rig((exchange) => {
      open += 1;
      most = Math.max(most, open);
      setImmediate(() => {
        open -= 1;
        ok(exchange, exchange.head.target);
      });
    });
    const paths = Array.from({ length: 50 }, (_, at) => `/${at}`);
    const said = await talk(port, paths.map((path) => get(path)).join('') + get('/last', 'Connection: close\r\n'));
    expect([...said.matchAll(/\r\n\r\n(\/[a-z0-9]+)/g)].map((match) => match[1])).toEqual([...paths, '/last']);
    expect(most).toBe(1);
  });

  it('answers twenty thousand requests sent ahead without growing its stack', async () => {
    let count = 0;
    const { port } = await rig((exchange) => {
      count += 1;
      ok(exchange);
    });
    await talk(port, get('/').repeat(20_000) + get('/', 'Connection: close\r\n'));
    expect(count).toBe(20_001);
  });

  it('says 100 Continue only when it is told to, and hangs up where it answers without', async () => {
    const { port } = await rig((exchange) => {
      if (exchange.head.target === '/no') return ok(exchange);
      exchange.sayContinue();
      exchange.readBody(sinkOf(() => ok(exchange)));
    });
    const expecting = (path: string) => `POST ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`;
    const refused = await talk(port, expecting('/no'));
    expect(refused).not.toContain('100 Continue');
    expect(refused).toMatch(/connection: close/);
    expect(await talk(port, `${expecting('/')}{}${get('/no', 'Connection: close\r\n')}`)).toMatch(
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/,
    );
  });

  it('reads past a body that nobody wants, and serves the next request', async () => {
    const { port } = await rig((exchange) => ok(exchange, exchange.head.target));
    const said = await talk(
      port,
      `POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n${'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'.padEnd(50_000)}` +
        `POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n${get('/3', 'Connection: close\r\n')}`,
    );
    expect([...said.matchAll(/\r\n\r\n(\/[a-z0-9]+)/g)].map((match) => match[1])).toEqual(['/1', '/2', '/3']);
  });

  it('cuts a body that nobody wants where it has no end, or comes in crumbs', async () => {
    const { port } = await rig((exchange) => ok(exchange));
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(await talk(port, `${head}${`3e8\r\n${'x'.repeat(1000)}\r\n`.repeat(200)}`)).toContain('200 OK');
    expect(await talk(port, `${head}${'1\r\nx\r\n'.repeat(10_000)}`)).toContain('200 OK');
  });

  it('holds a client back whose body is not taken, and passes every byte on', async () => {
    const total = 32 * 1024 * 1024;
    let read = 0;
    let resume: () => void = () => undefined;
    const { port, sockets } = await rig((exchange) => {
      exchange.readBody(
        sinkOf(
          () => ok(exchange, String(read)),
          (piece) => {
            read += piece.length;
            exchange.pauseBody();
            resume = () => exchange.resumeBody();
          },
        ),
      );
    });
    const answer = new Promise<string>((resolve, reject) => {
      const request = httpRequest({ port, host: '127.0.0.1', method: 'PUT', headers: { 'transfer-encoding': 'chunked' } }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve(text));
      });
      request.on('error', reject);
      request.end(Buffer.alloc(total, 'x'));
    });
    let before = -1;
    await expect.poll(() => before === (before = read), { interval: 100 }).toBe(true);
    expect(read).toBeLessThan(1024 * 1024);
    const [socket] = sockets;
    expect(socket?.readableLength ?? 0).toBeLessThan(1024 * 1024);
    const pump = setInterval(() => resume(), 0);
    const pumping = setImmediate(function again() {
      for (let i = 0; i < 50; i += 1) resume();
      if (read < total) setImmediate(again);
    });
    expect(await answer).toBe(String(total));
    clearInterval(pump);
    clearImmediate(pumping);
  }, 30_000);

  it('keeps a connection of a real client for all of its requests', async () => {
    const { port, sockets } = await rig((exchange) => exchange.readBody(sinkOf(() => ok(exchange, exchange.head.method))));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    cleanup.push(() => agent.destroy());
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']) {
      const text = await new Promise<string>((resolve, reject) => {
        const request = httpRequest({ agent, port, host: '127.0.0.1', method }, (response) => {
          let body = '';
          response.on('data', (chunk: Buffer) => (body += chunk.toString()));
          response.on('end', () => resolve(body));
        });
        request.on('error', reject);
        request.end(method === 'PUT' ? 'x'.repeat(200_000) : undefined);
      });
      expect(text).toBe(method === 'HEAD' ? '' : method);
    }
    expect(sockets.size).toBe(1);
  });

  it('gives up a body that stops, and one that does not end in time', async () => {
    const failures: string[] = [];
    const { port } = await rig(
      (exchange) => {
        exchange.readBody({
          onData: () => undefined,
          onEnd: () => undefined,
          onFailed: (why) => {
            failures.push(why);
            exchange.answer(408, ['content-length', '0'], Buffer.alloc(0));
          },
        });
      },
      { bodyIdleMs: 150, bodyMs: 600 },
    );
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n';
    expect(await talk(port, `${head}x`)).toMatch(/^HTTP\/1\.1 408/);
    const socket = connect(port, '127.0.0.1', () => socket.write(head));
    socket.on('error', () => undefined);
    const drip = setInterval(() => socket.write('x'), 40);
    await new Promise((resolve) => socket.on('close', resolve));
    clearInterval(drip);
    const broken = await talk(port, 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n');
    expect(broken).toMatch(/^HTTP\/1\.1 408 .*connection: close/s);
    expect(failures).toEqual(['idle', 'late', 'malformed']);
  });

  it.each([
    ['a head that grows without end', `GET / HTTP/1.1\r\nHost: x\r\n${'x: y\r\n'.repeat(3000)}`, 431],
    ['a line that grows without end', `GET /${'a'.repeat(20_000)}`, 431],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['lines that end with LF', 'GET / HTTP/1.1\nHost: x\n\n', 400],
    [
      'two frames',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n',
      400,
    ],
  ])('answers %s at once, in words, and reads no more', async (_what, bytes, status) => {
    const served: string[] = [];
    const { port, faults } = await rig((exchange) => served.push(exchange.head.target));
    expect(await talk(port, Buffer.from(bytes, 'latin1'))).toMatch(new RegExp(`^HTTP/1\\.1 ${status} .*connection: close`, 's'));
    expect(faults).toHaveLength(1);
    expect(served).toEqual([]);
  });

  it('forgets connections that have gone, and tells whoever answers them', async () => {
    let gone = 0;
    const { port, door } = await rig((exchange) => {
      exchange.observer = { onDrain: () => undefined, onGone: () => (gone += 1) };
    });
    const socket = connect(port, '127.0.0.1', () => socket.write(get('/')));
    await expect.poll(() => door.size).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await expect.poll(() => [gone, door.size]).toEqual([1, 0]);
  });
});
