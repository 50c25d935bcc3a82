import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server as TcpServer, type Socket } from 'node:net';
import { type Exchange, HttpDoor, type Upstream, readWhole, BodyBudget } from '@postern/http';
import { afterEach, describe, expect, it } from 'vitest';
import type { Outcome } from '#audit/outcome.ts';
import { Permit } from '#authorise/permit.ts';
import { relay } from '#forwarding/relay.ts';
import { Upstreams } from '#forwarding/upstreams.ts';

const HOST = 'dynamodb.us-east-1.amazonaws.com';
const cleanup: (() => unknown)[] = [];
const allowed = () => new Permit(() => undefined);
afterEach(async () => {
  for (const undo of cleanup.splice(0)) await undo();
});

interface Rig {
  readonly upstream: Upstream;
  readonly far: Server | TcpServer;
  readonly outcomes: Outcome[];
  readonly url: string;
  /** Connections that AWS's side has seen. */
  readonly seen: Socket[];
}

/** A client, the relay, and something on the far side that stands for AWS and misbehaves as told. */
async function rig(
  aws: ((request: IncomingMessage, response: ServerResponse) => void) | ((socket: Socket) => void),
  options: { readonly raw?: boolean; readonly timeouts?: { connectMs?: number; headersMs?: number; idleMs?: number } } = {},
): Promise<Rig> {
  const seen: Socket[] = [];
  const far: Server | TcpServer = options.raw
    ? createTcpServer(aws as (socket: Socket) => void)
    : createHttpServer(aws as (request: IncomingMessage, response: ServerResponse) => void);
  far.on('connection', (socket: Socket) => {
    seen.push(socket);
    socket.on('error', () => socket.destroy());
  });
  const farPort = await listen(far);
  const upstreams = new Upstreams({
    dialUrl: () => new URL(`http://127.0.0.1:${farPort}/`),
    ...(options.timeouts ? { timeouts: options.timeouts } : {}),
  });
  const upstream = upstreamOf(upstreams);
  const outcomes: Outcome[] = [];
  const near = clientSide(async (exchange) => {
    const whole = await readWhole(exchange, { maxBytes: 1e6, budget: new BodyBudget(1e7), owner: 'a' });
    const body = 'bytes' in whole ? whole.bytes : Buffer.alloc(0);
    const headers = ['host', HOST, 'content-length', String(body.length), 'x-from', 'test'];
    const outcome = await relay({ upstream, method: 'POST', target: '/', headers, body, exchange, permit: allowed(), wantsCapacity: true });
    outcomes.push(outcome);
    if (!exchange.started) exchange.answer(503, ['content-length', String(outcome.kind.length)], Buffer.from(outcome.kind));
  });
  const nearPort = await listen(near);
  cleanup.push(
    () => near.close(),
    () => upstreams.destroy(),
    () => seen.forEach((socket) => socket.destroy()),
    () => far.close(),
  );
  return { upstream, far, outcomes, url: `http://127.0.0.1:${nearPort}/`, seen };
}

function upstreamOf(upstreams: Upstreams): Upstream {
  const passage = upstreams.admit({ service: 'dynamodb', host: HOST, user: 'alice' });
  if ('reason' in passage) throw new Error(passage.reason);
  return passage.upstream;
}

/** The door that the agent has, on a local port. */
function clientSide(serve: (exchange: Exchange<undefined>) => Promise<void>): TcpServer {
  const door = new HttpDoor<undefined>({
    limits: { maxBytes: 16_384, maxLines: 100, headMs: 10_000, bodyIdleMs: 10_000, bodyMs: 10_000, maxDiscardBytes: 1e6 },
    onExchange: (exchange) => void serve(exchange),
    onMalformed: (_context, fault) => ({ contentType: 'text/plain', body: Buffer.from(fault.message) }),
  });
  cleanup.push(() => door.close());
  return createTcpServer((socket) => door.accept(socket, undefined));
}

async function listen(server: Server | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const ask = (url: string, init: RequestInit = {}) => fetch(url, { method: 'POST', body: '{}', ...init });

describe('the relay', () => {
  it('sends the headers that were signed, no others that matter, and passes the answer unchanged', async () => {
    const got: { headers: IncomingMessage['rawHeaders'] }[] = [];
    const { url, outcomes } = await rig((request, response) => {
      got.push({ headers: request.rawHeaders });
      response.writeHead(200, 'Quite Fine', [
        'x-amzn-RequestId',
        'REQ1',
        'X-Odd',
        'a  b',
        'Connection',
        'x-hop',
        'x-hop',
        'gone',
        'Content-Type',
        'application/x-amz-json-1.0',
        'Date',
        'Sun, 03 May 2026 00:00:00 GMT',
      ]);
      response.end('{"ConsumedCapacity":{"TableName":"pets"}}');
    });
    const answer = await ask(url);
    expect(answer.statusText).toBe('Quite Fine');
    expect(answer.headers.get('x-odd')).toBe('a  b');
    expect(answer.headers.get('date')).toBe('Sun, 03 May 2026 00:00:00 GMT');
    expect(answer.headers.get('x-hop')).toBeNull();
    expect(await answer.json()).toEqual({ ConsumedCapacity: { TableName: 'pets' } });
    expect(got[0]?.headers).toEqual(['host', HOST, 'content-length', '2', 'x-from', 'test']);
    expect(outcomes).toEqual([{ kind: 'answered', status: 200, awsRequestId: 'REQ1', bytes: 41, consumedCapacity: { TableName: 'pets' } }]);
  });

  it('passes an answer on byte for byte, chunks included, where nothing in it ends at this hop', async () => {
    const date = 'Date: Sun, 03 May 2026 00:00:00 GMT\r\n';
    const chunks = '5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n';
    const whole = `HTTP/1.1 200 Quite  Fine\r\nx-ODD:  a  b \r\n${date}Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n${chunks}`;
    const bare = `HTTP/1.1 200\r\nConnection: x-hop\r\nX-Hop: y\r\nKeep-Alive: timeout=5\r\n${date}Content-Length: 2\r\n\r\n{}`;
    const toTheEnd = `HTTP/1.0 200 OK\r\n${date}\r\n{}`;
    const answers = [whole, bare, toTheEnd];
    const { url, outcomes } = await rig(
      (socket: Socket) => {
        socket.on('data', () => {
          const answer = answers.shift() ?? '';
          if (answer === toTheEnd) socket.end(answer);
          else socket.write(answer);
        });
      },
      { raw: true },
    );
    let said = '';
    const client = connect(Number(new URL(url).port), '127.0.0.1');
    client.on('data', (bytes) => (said += bytes.toString('latin1')));
    const next = async (count: number) => {
      client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}');
      await expect.poll(() => outcomes.length).toBe(count);
    };
    await next(1);
    await expect.poll(() => said).toBe(whole);
    said = '';
    await next(2);
    await expect.poll(() => said).toBe(`HTTP/1.1 200 \r\n${date}Content-Length: 2\r\n\r\n{}`);
    said = '';
    // Only the end of the connection says where this one ends.
    const closed = new Promise((resolve) => client.on('close', resolve));
    await next(3);
    await closed;
    expect(said).toBe(`HTTP/1.1 200 OK\r\n${date}Connection: close\r\n\r\n{}`);
    expect(outcomes.map((outcome) => 'bytes' in outcome && outcome.bytes)).toEqual([6, 2, 2]);
  });

  it('follows no redirect', async () => {
    const { url, outcomes, seen } = await rig((_request, response) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end());
    const answer = await ask(url, { redirect: 'manual' });
    expect(answer.status).toBe(307);
    expect(outcomes[0]).toMatchObject({ kind: 'answered', status: 307 });
    expect(seen).toHaveLength(1);
  });

  it.each([500, 503])('passes a %i of AWS and does not try again', async (status) => {
    let times = 0;
    const { url, outcomes } = await rig((_request, response) => {
      times += 1;
      response.writeHead(status).end('{"__type":"InternalServerError"}');
    });
    expect((await ask(url)).status).toBe(status);
    expect(times).toBe(1);
    expect(outcomes[0]).toMatchObject({ kind: 'answered', status });
  });

  it('says unknown, and sends nothing twice, where AWS hangs up after it was asked', async () => {
    let times = 0;
    const { url, outcomes } = await rig((request: IncomingMessage) => {
      times += 1;
      request.socket.destroy();
    });
    expect((await ask(url)).status).toBe(503);
    expect(times).toBe(1);
    expect(outcomes[0]).toMatchObject({ kind: 'unknown' });
  });

  it('says unknown where a kept connection is closed just as it is used again, and sends nothing twice', async () => {
    const bodies: string[] = [];
    let requests = 0;
    const { url, outcomes } = await rig(
      (socket: Socket) => {
        socket.on('data', (bytes) => {
          bodies.push(bytes.toString());
          requests += 1;
          if (requests === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}');
          else socket.destroy();
        });
      },
      { raw: true },
    );
    expect((await ask(url)).status).toBe(200);
    expect((await ask(url)).status).toBe(503);
    expect(bodies).toHaveLength(2);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['answered', 'unknown']);
  });

  it('cuts the client where AWS stops in the middle of an answer', async () => {
    const { url, outcomes } = await rig((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    });
    await expect(ask(url).then((answer) => answer.text())).rejects.toThrow();
    await expect.poll(() => outcomes.length).toBe(1);
    expect(outcomes[0]).toMatchObject({ kind: 'unknown', status: 200, bytes: 4 });
  });

  it.each([
    ['a malformed chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nxx\r\n'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}'],
  ])('survives %s', async (_what, bytes) => {
    const { url, outcomes } = await rig((socket: Socket) => socket.once('data', () => socket.end(bytes)), { raw: true });
    await ask(url).then(
      (answer) => answer.text(),
      () => undefined,
    );
    await expect.poll(() => outcomes.length).toBe(1);
    expect(outcomes[0]).toMatchObject({ kind: 'unknown' });
  });

  it('never gives a second answer to the next request', async () => {
    let connections = 0;
    const { url } = await rig(
      (socket: Socket) => {
        connections += 1;
        socket.once('data', () =>
          socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nmine${connections}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged`),
        );
      },
      { raw: true },
    );
    const first = await ask(url).then(
      (answer) => answer.text(),
      () => 'failed',
    );
    const second = await ask(url).then(
      (answer) => answer.text(),
      () => 'failed',
    );
    expect([first, second].join(' ')).not.toContain('forged');
  });

  it('gives up on headers and on a body that do not come', async () => {
    const slowHead = await rig(() => undefined, { timeouts: { headersMs: 300, idleMs: 300 } });
    expect((await ask(slowHead.url)).status).toBe(503);
    expect(slowHead.outcomes[0]).toMatchObject({ kind: 'unknown', reason: 'AWS did not answer in time' });
    const slowBody = await rig((_request, response) => void response.writeHead(200, { 'content-length': '10' }).write('x'), {
      timeouts: { headersMs: 300, idleMs: 300 },
    });
    await expect(ask(slowBody.url).then((answer) => answer.text())).rejects.toThrow();
    expect(slowBody.outcomes[0]).toMatchObject({ kind: 'unknown', reason: 'AWS stopped in the middle of its answer' });
  }, 10_000);

  it('says that nothing was sent where nobody listens', async () => {
    const { url, outcomes, far } = await rig(() => undefined);
    await new Promise((resolve) => far.close(resolve));
    expect((await ask(url)).status).toBe(503);
    expect(outcomes[0]).toMatchObject({ kind: 'not_sent' });
  });

  it('hangs up on AWS when the client leaves', async () => {
    let arrived: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => (arrived = resolve));
    const { url, outcomes, seen } = await rig(() => arrived());
    const abort = new AbortController();
    const answer = ask(url, { signal: abort.signal });
    await asked;
    abort.abort();
    await expect(answer).rejects.toThrow();
    await expect.poll(() => outcomes.length).toBe(1);
    expect(outcomes[0]).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('client left') as unknown });
    await expect.poll(() => seen[0]?.destroyed).toBe(true);
  });

  it('holds AWS back where the client does not read', async () => {
    const total = 64 * 1024 * 1024;
    let sent = 0;
    const { url, outcomes } = await rig((_request, response) => {
      response.writeHead(200, { 'content-length': String(total) });
      const chunk = Buffer.alloc(64 * 1024, 'x');
      const more = () => {
        while (sent < total) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    const answer = await ask(url);
    await expect.poll(() => sent).toBeGreaterThan(0);
    let before = -1;
    // Bytes stop moving once every buffer on the way is full.
    await expect.poll(() => before === (before = sent), { interval: 200, timeout: 10_000 }).toBe(true);
    expect(sent).toBeLessThan(total / 2);
    let read = 0;
    for await (const chunk of answer.body ?? []) read += (chunk as Uint8Array).length;
    expect(read).toBe(total);
    expect(outcomes[0]).toMatchObject({ kind: 'answered', bytes: total });
  }, 30_000);
});

describe('where it dials', () => {
  it('is never this machine unless the operator says so', async () => {
    const upstreams = new Upstreams({
      dialUrl: (_service, host) => new URL(`https://${host}/`),
      resolve: (_name, _options, done) => done(null, [{ address: '169.254.169.254', family: 4 }]),
    });
    cleanup.push(() => upstreams.destroy());
    const outcome = await new Promise<Outcome>((resolve) => {
      const near = clientSide(async (exchange) => {
        const ended = await relay({
          upstream: upstreamOf(upstreams),
          method: 'POST',
          target: '/',
          headers: ['host', HOST, 'content-length', '0'],
          body: Buffer.alloc(0),
          exchange,
          permit: allowed(),
          wantsCapacity: false,
        });
        exchange.answer(503, ['content-length', '0'], Buffer.alloc(0));
        resolve(ended);
      });
      cleanup.push(() => near.close());
      void listen(near).then((port) => ask(`http://127.0.0.1:${port}/`).then((answer) => answer.text()));
    });
    expect(outcome).toMatchObject({ kind: 'not_sent', reason: expect.stringContaining('not dialled') as unknown });
  });
});
