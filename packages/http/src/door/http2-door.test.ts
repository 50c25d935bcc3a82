import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { BodySink, Exchange } from '#door/exchange.ts';
import { Http2Door, type Http2DoorLimits } from '#door/http2-door.ts';

const LIMITS: Http2DoorLimits = {
  maxBytes: 16_384,
  maxLines: 100,
  headMs: 10_000,
  bodyIdleMs: 10_000,
  bodyMs: 60_000,
  streams: 8,
  stallMs: 10_000,
};
const undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo.splice(0)) one();
});

/** On a machine that does other things besides. */
const soon = <T>(ask: () => T) => expect.poll(ask, { timeout: 10_000 });
interface Rig {
  readonly door: Http2Door<string>;
  readonly client: ClientHttp2Session;
  readonly malformed: readonly string[];
  readonly sockets: readonly Socket[];
}

async function rig(onExchange: (exchange: Exchange<string>) => void, limits: Partial<Http2DoorLimits> = {}): Promise<Rig> {
  const malformed: string[] = [];
  const sockets: Socket[] = [];
  const door = new Http2Door<string>({
    limits: { ...LIMITS, ...limits },
    onExchange,
    onMalformed: (_context, fault) => {
      malformed.push(fault.message);
      return { contentType: 'text/plain', body: Buffer.from(fault.message) };
    },
  });
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    door.accept(socket, 'context');
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const client = connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  client.on('error', () => undefined);
  undo.push(
    () => door.close(),
    () => client.destroy(),
    () => listener.close(),
  );
  return { door, client, malformed, sockets };
}

const POST = { ':method': 'POST', ':path': '/a%2Fb/../c?x', host: 'aws.example' };

function ask(client: ClientHttp2Session, headers: OutgoingHttpHeaders = POST): ClientHttp2Stream {
  const stream = client.request(headers);
  stream.on('error', () => undefined);
  return stream;
}

/** What comes of a stream: whether its end was one in good order as well. */
function heard(stream: ClientHttp2Stream): Promise<{ readonly status: number; readonly text: string; readonly isWhole: boolean }> {
  return new Promise((resolve) => {
    let status = 0;
    let text = '';
    let isWhole = false;
    stream.on('response', (headers) => (status = Number(headers[':status'])));
    stream.on('data', (piece: Buffer) => (text += piece.toString()));
    stream.on('end', () => (isWhole = true));
    stream.on('close', () => resolve({ status, text, isWhole: isWhole && stream.rstCode === 0 }));
  });
}

const sink = (parts: Partial<BodySink>): BodySink => ({
  onData: () => undefined,
  onEnd: () => undefined,
  onFailed: () => undefined,
  ...parts,
});
const ok = (exchange: Exchange, text = 'ok') => exchange.answer(200, ['content-length', String(text.length)], Buffer.from(text));

describe('a request of HTTP/2', () => {
  it('is the exchange that the same request of HTTP/1.1 would be, and its body comes as it was sent', async () => {
    const seen: Exchange<string>[] = [];
    const { client } = await rig((exchange) => {
      seen.push(exchange);
      let body = '';
      exchange.readBody(sink({ onData: (piece) => (body += piece.toString()), onEnd: () => ok(exchange, body) }));
    });
    const stream = ask(client, { ...POST, 'x-a': ['1', '2'] });
    stream.write('half ');
    stream.end('and half');
    expect(await heard(stream)).toEqual({ status: 200, text: 'half and half', isWhole: true });
    const [exchange] = seen;
    expect(exchange?.context).toBe('context');
    expect(exchange?.head).toMatchObject({ method: 'POST', target: '/a%2Fb/../c?x', length: -1 });
    expect(exchange?.head.fields).toEqual(['host', 'aws.example', 'x-a', '1', 'x-a', '2', 'transfer-encoding', 'chunked']);
  });

  it('that is not one by the grammar of HTTP/1.1 is refused in words, and the connection goes on', async () => {
    const { client, malformed } = await rig((exchange) => ok(exchange));
    for (const headers of [
      { ...POST, ':authority': 'other.example' },
      { ...POST, ':method': 'PROPFIND' },
    ]) {
      const stream = ask(client, headers);
      stream.end();
      expect(await heard(stream)).toMatchObject({ status: 400, isWhole: true });
    }
    expect(malformed).toEqual(['the header host is not what :authority says', expect.stringContaining('method')]);
    const stream = ask(client);
    stream.end();
    expect(await heard(stream)).toMatchObject({ status: 200, text: 'ok' });
  });

  it('may have a header of 16 KiB and a hundred lines: a little more is refused in words, far more is not taken', async () => {
    const { client } = await rig((exchange) => ok(exchange));
    const get = async (more: OutgoingHttpHeaders) => {
      const stream = ask(client, { ...POST, ':method': 'GET', ...more });
      stream.end();
      return (await heard(stream)).status;
    };
    const base = 'GET /a%2Fb/../c?x HTTP/1.1\r\nhost: aws.example\r\nx: \r\n\r\n'.length;
    expect(await get({ x: 'y'.repeat(LIMITS.maxBytes - base) })).toBe(200);
    expect(await get({ x: 'y'.repeat(LIMITS.maxBytes - base + 1) })).toBe(431);
    expect(await get({ x: 'y'.repeat(3 * LIMITS.maxBytes) })).toBe(0);
    const lines = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, '1']));
    expect(await get(lines(99))).toBe(200);
    expect(await get(lines(100))).toBe(431);
    expect(await get(lines(300))).toBe(0);
  });

  it('whose stream is reset has no whole body, and its exchange is told that the client is gone', async () => {
    const events: string[] = [];
    const { client } = await rig((exchange) => {
      exchange.observer = { onDrain: () => undefined, onGone: () => events.push('gone') };
      exchange.readBody(sink({ onData: () => events.push('data'), onEnd: () => events.push('end'), onFailed: (why) => events.push(why) }));
    });
    const stream = ask(client);
    stream.write('half');
    await soon(() => events).toEqual(['data']);
    stream.destroy(new Error('left'));
    await soon(() => events).toEqual(['data', 'client_gone', 'gone']);
  });

  it('is answered early where nobody wants its body, and the client stops sending', async () => {
    const { client } = await rig((exchange) => ok(exchange, 'no'));
    const stream = ask(client);
    stream.write(Buffer.alloc(1_000_000));
    expect(await heard(stream)).toMatchObject({ status: 200, text: 'no' });
    expect(stream.destroyed).toBe(true);
  });

  it('whose answer is cut does not look whole', async () => {
    const { client } = await rig((exchange) => {
      exchange.begin(200, undefined, []);
      exchange.write(Buffer.from('half'));
      setTimeout(() => exchange.cut(), 50);
    });
    const stream = ask(client);
    stream.end();
    expect(await heard(stream)).toEqual({ status: 200, text: 'half', isWhole: false });
  });

  it('has an answer without what belongs to a connection', async () => {
    const { client } = await rig((exchange) => {
      exchange.begin(200, 'OK', ['Connection', 'close', 'Transfer-Encoding', 'chunked', 'X-A', '1', 'X-A', '2', 'Constructor', '3']);
      exchange.end();
    });
    const stream = ask(client);
    const headers = new Promise((resolve) => stream.on('response', resolve));
    stream.end();
    expect(await headers).toMatchObject({ 'x-a': '1, 2', constructor: '3' });
    expect(Object.keys((await headers) as object)).not.toContain('transfer-encoding');
  });

  it('that asks before it sends is told to go on when that is said', async () => {
    const { client } = await rig((exchange) => {
      exchange.sayContinue();
      exchange.readBody(sink({ onEnd: () => ok(exchange) }));
    });
    const stream = ask(client, { ...POST, expect: '100-continue' });
    await new Promise((resolve) => stream.once('continue', resolve));
    stream.end('body');
    expect(await heard(stream)).toMatchObject({ status: 200 });
  });
});

describe('time and memory', () => {
  it('a body may rest where its reader says so, and no other for longer than the limit', async () => {
    const failed: string[] = [];
    const { client } = await rig(
      (exchange) => {
        const mayRest = exchange.head.target === '/rests';
        exchange.readBody(sink({ mayRest, onFailed: (why) => (failed.push(`${exchange.head.target} ${why}`), ok(exchange)) }));
      },
      { bodyIdleMs: 100 },
    );
    const resting = ask(client, { ...POST, ':path': '/rests' });
    resting.write('x');
    const other = ask(client, { ...POST, ':path': '/other' });
    other.write('x');
    expect(await heard(other)).toMatchObject({ status: 200 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(failed).toEqual(['/other idle']);
    expect(resting.destroyed).toBe(false);
  });

  it('an answer that its client does not read is held back, and cut in the end', async () => {
    let writes = 0;
    let isGone = false;
    const { client } = await rig(
      (exchange) => {
        exchange.observer = { onDrain: () => undefined, onGone: () => (isGone = true) };
        exchange.begin(200, undefined, []);
        while (exchange.write(Buffer.alloc(16_384))) writes += 1;
      },
      { stallMs: 100 },
    );
    const stream = ask(client);
    stream.end();
    await soon(() => isGone).toBe(true);
    expect(writes).toBeLessThan(64);
  });

  it('a connection without a request is closed in time, and one that its client ends at once', async () => {
    const { door, sockets } = await rig(() => undefined, { headMs: 100 });
    await soon(() => sockets.length).toBe(1);
    await soon(() => [door.size, sockets[0]?.destroyed]).toEqual([0, true]);
    const other = await rig(() => undefined);
    ask(other.client).write('x');
    await soon(() => other.door.size).toBe(1);
    other.client.destroy();
    await soon(() => other.door.size).toBe(0);
  });
});
