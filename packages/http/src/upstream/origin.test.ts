import { createServer as createHttp, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp, type Server as TcpServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AnswerHead } from '#grammar/parse-head.ts';
import { selfSigned } from '#testing/certificate.ts';
import type { Flight, UpstreamFailure } from '#upstream/flight.ts';
import { Origin } from '#upstream/origin.ts';
import type { OriginLimits, OriginOptions } from '#upstream/origin-options.ts';

let tls: { readonly key: string; readonly cert: string };
beforeAll(() => {
  tls = selfSigned('DNS:localhost', 'IP:127.0.0.1');
});
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0)) await undo();
});

interface Far {
  readonly port: number;
  readonly seen: Socket[];
  readonly server: Server | TcpServer;
}

async function far(server: Server | TcpServer): Promise<Far> {
  const seen: Socket[] = [];
  server.on('connection', (socket: Socket) => {
    seen.push(socket);
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.push(
    () => seen.forEach((socket) => socket.destroy()),
    () => server.close(),
  );
  return { port: (server.address() as AddressInfo).port, seen, server };
}
const farHttp = (serve: RequestListener) => far(createHttp(serve));
const farHttps = (serve: RequestListener, options = tls) => far(createHttps({ ...options }, serve));
const farRaw = (serve: (socket: Socket) => void) => far(createTcp(serve));

const LIMITS: OriginLimits = {
  connections: 8,
  connectMs: 10_000,
  headersMs: 10_000,
  idleMs: 10_000,
  keepAliveMs: 10_000,
  head: { maxBytes: 65_536, maxLines: 256 },
};

function originOf(
  options: Omit<Partial<OriginOptions>, 'limits'> & { readonly port: number; readonly limits?: Partial<OriginLimits> },
): Origin {
  const origin = new Origin({ host: '127.0.0.1', isTls: false, isGuarded: false, ...options, limits: { ...LIMITS, ...options.limits } });
  cleanup.push(() => origin.destroy());
  return origin;
}
const originTo = ({ port }: Far, limits: Partial<OriginLimits> = {}) => originOf({ port, limits });
const overTls = ({ port }: Far, options: Partial<OriginOptions> = {}) =>
  originOf({
    host: 'localhost',
    port,
    isTls: true,
    ca: tls.cert,
    ...options,
    limits: options.limits ?? {},
  });

interface Answer {
  readonly head: AnswerHead;
  readonly wire: string;
  readonly data: string;
  readonly bytes: number;
}
interface Sent {
  readonly result: Promise<Answer | UpstreamFailure>;
  readonly flight: Flight;
}

function send(
  origin: Origin,
  wish: { method?: string; body?: Buffer; fields?: string[]; onWire?: (bytes: Buffer) => void; onDrain?: () => void } = {},
): Sent {
  const { method = 'POST', body = Buffer.from('{}') } = wish;
  const fields = wish.fields ?? ['host', 'aws.example', 'content-length', String(body.length)];
  const ended = Promise.withResolvers<Answer | UpstreamFailure>();
  let head: AnswerHead | undefined;
  const wire: Buffer[] = [];
  const data: Buffer[] = [];
  let headLength = 0;
  const flight = origin.send(
    { method, target: '/', fields, body, isStreamed: wish.onDrain !== undefined },
    {
      wantsData: true,
      onHead: (given) => {
        expect(head).toBeUndefined();
        head = given;
      },
      onWire: (bytes, headBytes) => {
        headLength += headBytes;
        wire.push(bytes);
        wish.onWire?.(bytes);
      },
      onData: (piece) => data.push(piece),
      ...(wish.onDrain === undefined ? {} : { onDrain: wish.onDrain }),
      onEnd: (bytes) => {
        if (head === undefined) throw new Error('an answer without a head');
        const all = Buffer.concat(wire).toString('latin1');
        expect(all.slice(0, headLength)).toMatch(/\r\n\r\n$/);
        ended.resolve({ head, wire: all, data: Buffer.concat(data).toString('latin1'), bytes });
      },
      onFailed: (failure) => ended.resolve(failure),
    },
  );
  return { result: ended.promise, flight };
}
async function ask(origin: Origin, wish: Parameters<typeof send>[1] = {}): Promise<Answer> {
  const result = await send(origin, wish).result;
  if ('code' in result) throw new Error(`${result.code}: ${result.reason}`);
  return result;
}
async function failed(origin: Origin, wish: Parameters<typeof send>[1] = {}): Promise<UpstreamFailure> {
  const result = await send(origin, wish).result;
  if (!('code' in result)) throw new Error(`answered ${result.head.status}`);
  return result;
}
const echo: RequestListener = (request: IncomingMessage, response: ServerResponse) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    response.writeHead(200, { 'content-length': String(body.length) }).end(request.method === 'HEAD' ? undefined : body);
  });
};

describe('a request', () => {
  it('is answered over TLS, on one connection for one after another', async () => {
    const server = await farHttps(echo);
    const origin = overTls(server);
    for (const size of [0, 2, 70_000, 3_000_000]) {
      const body = Buffer.alloc(size, 'x');
      expect((await ask(origin, { body })).data).toBe(body.toString());
    }
    expect((await ask(origin, { method: 'HEAD', body: Buffer.alloc(0) })).bytes).toBe(0);
    expect((await ask(origin)).data).toBe('{}');
    expect(server.seen).toHaveLength(1);
    expect(origin.inFlight).toBe(0);
  });

  it('leaves head and small body in one write', async () => {
    const pieces: string[] = [];
    const server = await farRaw((socket) =>
      socket.on('data', (bytes) => {
        pieces.push(bytes.toString());
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      }),
    );
    await ask(originTo(server));
    expect(pieces).toEqual(['POST / HTTP/1.1\r\nhost: aws.example\r\ncontent-length: 2\r\n\r\n{}']);
  });

  it('of many at once uses no more connections than it may, and the one used last comes first', async () => {
    const server = await farHttp(echo);
    const origin = originTo(server, { connections: 4 });
    const all = await Promise.all(Array.from({ length: 60 }, (_, at) => ask(origin, { body: Buffer.from(`body ${at}`) })));
    expect(all.map(({ data }) => data)).toEqual(Array.from({ length: 60 }, (_, at) => `body ${at}`));
    expect(server.seen).toHaveLength(4);
    const before = server.seen.map((socket) => socket.bytesRead);
    for (let i = 0; i < 10; i += 1) await ask(origin);
    expect(server.seen.filter((socket, at) => socket.bytesRead > (before[at] ?? 0))).toHaveLength(1);
  });

  it('whose body is streamed is held back by the server, and never sent again', async () => {
    const total = 24 * 1024 * 1024;
    let isReading = false;
    const server = await farHttp((request, response) => {
      request.pause();
      setTimeout(() => {
        isReading = true;
        let size = 0;
        request.on('data', (chunk: Buffer) => (size += chunk.length));
        request.on('end', () => response.end(String(size)));
        request.resume();
      }, 150);
    });
    let written = 0;
    let whileHeld = 0;
    const piece = Buffer.alloc(64 * 1024, 'x');
    const sent = send(originTo(server), {
      body: Buffer.alloc(0),
      fields: ['host', 'aws.example', 'content-length', String(total)],
      onDrain: () => {
        while (written < total) {
          written += piece.length;
          if (!isReading) whileHeld = written;
          if (!sent.flight.write(piece)) return;
        }
        sent.flight.endRequest();
      },
    });
    expect(await sent.result).toMatchObject({ data: String(total) });
    expect(whileHeld).toBeGreaterThan(0);
    expect(whileHeld).toBeLessThan(total / 2);
  });

  it('that is answered before its streamed body is whole does not leave the connection to another', async () => {
    const server = await farRaw((socket) => socket.once('data', () => socket.write('HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno')));
    const origin = originTo(server);
    const fields = ['host', 'aws.example', 'content-length', '1000'];
    expect((await ask(origin, { body: Buffer.alloc(0), fields, onDrain: () => undefined })).head.status).toBe(403);
    await expect.poll(() => server.seen[0]?.destroyed).toBe(true);
    expect(origin.connections).toBe(0);
  });
});

describe('an answer', () => {
  const raw = async (bytes: string, end = false) => {
    const server = await farRaw((socket) =>
      socket.on('data', () => {
        if (end) socket.end(bytes, 'latin1');
        else socket.write(bytes, 'latin1');
      }),
    );
    return { server, origin: originTo(server, { headersMs: 400, idleMs: 400 }) };
  };

  it('in chunks is checked and passed on as it came', async () => {
    const wire = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n';
    const { origin, server } = await raw(wire);
    expect(await ask(origin)).toMatchObject({ wire, data: 'hello!', bytes: 6 });
    expect(await ask(origin)).toMatchObject({ wire, data: 'hello!', bytes: 6 });
    expect(server.seen).toHaveLength(1);
  });

  it('may end with its connection, may have interim ones before it, and may have no body', async () => {
    expect(await ask((await raw('HTTP/1.1 200 OK\r\n\r\nuntil the end', true)).origin)).toMatchObject({ data: 'until the end' });
    const interim = await raw(
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx',
    );
    expect(await ask(interim.origin)).toMatchObject({ wire: 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx', data: 'x' });
    const none = await raw('HTTP/1.1 304 Same\r\ncontent-length: 5\r\n\r\n');
    expect([(await ask(none.origin)).bytes, (await ask(none.origin)).bytes]).toEqual([0, 0]);
    expect(none.server.seen).toHaveLength(1);
  });

  it.each([
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n', 'malformed'],
    ['an interim answer of HTTP/1.0', 'HTTP/1.0 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', 'malformed'],
    [
      'an interim answer that closes',
      'HTTP/1.1 100 Continue\r\nconnection: close\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
      'malformed',
    ],
    ['interim answers without end', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(9), 'malformed'],
    ['a head without end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`, 'malformed'],
    ['a chunk of no size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n', 'malformed'],
    ['no HTTP', '220 mail.example ESMTP\r\n\r\n', 'malformed'],
    ['lines that end with LF', 'HTTP/1.1 200 OK\ncontent-length: 0\n\n', 'malformed'],
    ['half a head', 'HTTP/1.1 200 OK\r\n', 'headers_timeout'],
    ['half a body', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf', 'idle_timeout'],
    ['half a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf', 'idle_timeout'],
  ])('of %s is a failure of which nobody knows what it did', async (_what, bytes, code) => {
    const { origin } = await raw(bytes);
    expect(await failed(origin)).toMatchObject({ code, mayHaveLeft: true });
    expect(origin.connections).toBe(0);
    expect(origin.inFlight).toBe(0);
  });

  it.each([
    ['nothing', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\n'],
    ['half a body', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'],
    ['half a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf'],
    ['chunks without their end', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n'],
  ])('that ends after %s is a failure', async (_what, bytes) => {
    const { origin } = await raw(bytes, true);
    expect(await failed(origin)).toMatchObject({ code: 'closed', mayHaveLeft: true, bytes: bytes.includes('half') ? 4 : 0 });
  });

  it('followed by bytes that nobody asked for is the last on its connection', async () => {
    const same = await raw('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged');
    for (let i = 0; i < 3; i += 1) expect(await ask(same.origin)).toMatchObject({ data: 'x' });
    expect(same.server.seen).toHaveLength(3);
    // In a piece of their own they come while the connection is idle.
    const server = await farRaw((socket) =>
      socket.on('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx');
        setTimeout(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged'), 30);
      }),
    );
    const origin = originTo(server);
    await ask(origin);
    await expect.poll(() => origin.connections).toBe(0);
    expect(await ask(origin)).toMatchObject({ data: 'x' });
  });

  it('held back until it was whole does not leave a connection that reads no more', async () => {
    const server = await farHttp((_request, response) => void response.end('x'.repeat(500_000)));
    const origin = originTo(server);
    for (let i = 0; i < 3; i += 1) {
      const sent = send(origin, {
        onWire: () => {
          sent.flight.pause();
          setTimeout(() => sent.flight.resume(), 1);
        },
      });
      expect(await sent.result).toMatchObject({ bytes: 500_000 });
    }
    expect(server.seen).toHaveLength(1);
  });

  it('is not given up while it is held back from here', async () => {
    const server = await farHttp(
      (_request, response) => void response.writeHead(200, { 'content-length': '500000' }).end('x'.repeat(500_000)),
    );
    let isFirst = true;
    const sent = send(originTo(server, { idleMs: 100, headersMs: 100 }), {
      onWire: () => {
        if (!isFirst) return;
        isFirst = false;
        sent.flight.pause();
        setTimeout(() => sent.flight.resume(), 500);
      },
    });
    expect(await sent.result).toMatchObject({ bytes: 500_000 });
  });
});

describe('a connection', () => {
  it('that the server closes while it is idle is not used again', async () => {
    let requests = 0;
    const server = await farRaw((socket) =>
      socket.on('data', () => {
        requests += 1;
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx');
      }),
    );
    const origin = originTo(server);
    await ask(origin);
    await expect.poll(() => origin.connections).toBe(0);
    await ask(origin);
    expect(requests).toBe(2);
  });

  it('that breaks under a request fails it, and it is sent to nobody else', async () => {
    let requests = 0;
    const server = await farRaw((socket) =>
      socket.on('data', () => {
        requests += 1;
        if (requests % 2 === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx');
        else socket.resetAndDestroy();
      }),
    );
    const origin = originTo(server);
    await ask(origin);
    expect(await failed(origin)).toMatchObject({ code: 'closed', mayHaveLeft: true });
    expect(requests).toBe(2);
  });

  it('is closed after it was idle for long, and with its origin', async () => {
    const server = await farHttp(echo);
    const origin = originTo(server, { keepAliveMs: 100 });
    await ask(origin);
    expect(origin.connections).toBe(1);
    await expect.poll(() => origin.connections).toBe(0);
    const next = originTo(server);
    await ask(next);
    next.retire();
    await expect.poll(() => next.connections).toBe(0);
    expect(await ask(next)).toMatchObject({ data: '{}' });
    await expect.poll(() => next.connections).toBe(0);
    next.destroy();
    expect(await failed(next)).toMatchObject({ mayHaveLeft: false });
  });

  it('that cannot be had fails the requests that waited for it, and nothing has left', async () => {
    const server = await farHttp(echo);
    await new Promise((resolve) => server.server.close(resolve));
    const origin = originTo(server, { connections: 2 });
    const all = await Promise.all(Array.from({ length: 7 }, () => failed(origin)));
    expect(all.every(({ code, mayHaveLeft }) => code === 'unreachable' && !mayHaveLeft)).toBe(true);
    expect(all[0]?.reason).toMatch(/ECONNREFUSED/);
    expect([origin.inFlight, origin.connections]).toEqual([0, 0]);
  });

  it('that is not made in time is given up', async () => {
    // It accepts, and never says a word of TLS.
    const silent = await farRaw(() => undefined);
    expect(await failed(overTls(silent, { limits: { ...LIMITS, connectMs: 150 } }))).toMatchObject({
      code: 'connect_timeout',
      mayHaveLeft: false,
    });
  });

  it('that does not become free in time is waited for no longer: nothing has left, and the others go on', async () => {
    const held: ServerResponse[] = [];
    const server = await farHttp((_request, response) => void held.push(response));
    const origin = originTo(server, { connections: 2, connectMs: 150 });
    const busy = [send(origin), send(origin)];
    await expect.poll(() => held.length).toBe(2);
    expect(await failed(origin)).toMatchObject({
      code: 'none_free',
      mayHaveLeft: false,
      reason: expect.stringContaining('all 2') as string,
    });
    const next = send(origin);
    for (const response of held) response.end('done');
    for (const { result } of busy) expect(await result).toMatchObject({ data: 'done' });
    await expect.poll(() => held.length).toBe(3);
    held[2]?.end('done');
    expect(await next.result).toMatchObject({ data: 'done' });
    expect(origin.inFlight).toBe(0);
  });

  it('is let go with a request that nobody wants any more', async () => {
    const server = await farHttp(() => undefined);
    const origin = originTo(server, { connections: 1 });
    const [first, second] = [send(origin), send(origin)];
    await expect.poll(() => server.seen.length).toBe(1);
    second.flight.abort('enough');
    expect(await second.result).toMatchObject({ code: 'aborted', reason: 'enough', mayHaveLeft: false });
    first.flight.abort('enough');
    expect(await first.result).toMatchObject({ code: 'aborted', mayHaveLeft: true });
    await expect.poll(() => server.seen[0]?.destroyed).toBe(true);
    expect([origin.inFlight, origin.connections]).toEqual([0, 0]);
  });
});

describe('TLS', () => {
  it('asks for the name that was chosen here, whatever the Host header says, and holds the certificate against it', async () => {
    const server = await farHttps(echo);
    const names: unknown[] = [];
    server.server.on('secureConnection', (socket: TLSSocket) => names.push((socket as { servername?: unknown }).servername));
    const fields = ['host', 'evil.example', 'content-length', '2'];
    expect((await ask(overTls(server), { fields })).data).toBe('{}');
    expect(names).toEqual(['localhost']);
    const other = selfSigned('DNS:evil.example');
    expect(await failed(overTls(await farHttps(echo, other), { ca: other.cert }), { fields })).toMatchObject({
      code: 'unreachable',
      mayHaveLeft: false,
      reason: expect.stringMatching(/ERR_TLS_CERT_ALTNAME_INVALID/) as unknown,
    });
    const byAddress = originOf({ port: server.port, isTls: true, ca: tls.cert });
    expect((await ask(byAddress)).data).toBe('{}');
  });

  it('trusts nobody else', async () => {
    const other = selfSigned('DNS:localhost');
    const server = await farHttps(echo, other);
    expect(await failed(overTls(server))).toMatchObject({ code: 'unreachable', mayHaveLeft: false });
    const withoutCa = new Origin({ host: '127.0.0.1', port: server.port, isTls: true, isGuarded: false, limits: LIMITS });
    cleanup.push(() => withoutCa.destroy());
    expect(await failed(withoutCa)).toMatchObject({ code: 'unreachable', mayHaveLeft: false });
  });

  it('resumes sessions on further connections', async () => {
    const server = await farHttps((_request, response) => void response.writeHead(200, { connection: 'close' }).end('x'));
    const reused: boolean[] = [];
    server.server.on('secureConnection', (socket: TLSSocket) => reused.push(socket.isSessionReused()));
    const origin = overTls(server);
    for (let i = 0; i < 4; i += 1) await ask(origin);
    expect(reused).toEqual([false, true, true, true]);
  });

  it('is not dialled to this machine or its link where the tables chose the host', async () => {
    const server = await farHttps(echo);
    expect(await failed(overTls(server, { isGuarded: true }))).toMatchObject({
      mayHaveLeft: false,
      reason: expect.stringContaining('not dialled') as unknown,
    });
    expect(await failed(originOf({ port: server.port, isTls: true, isGuarded: true }))).toMatchObject({
      mayHaveLeft: false,
      reason: '127.0.0.1 may not be dialled',
    });
  });
});
