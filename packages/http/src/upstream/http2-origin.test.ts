import type { ServerHttp2Stream } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { selfSigned } from '#testing/certificate.ts';
import { far, originTo, send, soon, tls, undo } from '#testing/http2-far.ts';

afterEach(() => {
  for (const one of undo.splice(0)) one();
});

describe('a request over HTTP/2', () => {
  it('is sent with its authority, its fields and its body, several on one connection, and answered', async () => {
    const seen: Readonly<Record<string, unknown>>[] = [];
    const server = await far((stream, headers) => {
      seen.push(headers);
      let body = '';
      stream.on('data', (piece: Buffer) => (body += piece.toString()));
      stream.on('end', () => {
        stream.respond({ ':status': 201, 'x-b': ['1', '2'], 'content-length': body.length });
        stream.end(body);
      });
    });
    const origin = originTo(server.port);
    const fields = ['Host', 'aws.example', 'X-A', '1', 'x-a', '2', 'Transfer-Encoding', 'chunked', 'Connection', 'keep-alive'];
    const all = await Promise.all(Array.from({ length: 5 }, (_, at) => send(origin, { fields, body: Buffer.from(`body ${at}`) }).result));
    expect(all.map((one) => ('head' in one ? [one.head.status, one.head.length, one.text, one.bytes] : one))).toEqual(
      Array.from({ length: 5 }, (_, at) => [201, 6, `body ${at}`, 6]),
    );
    expect(server.sessions).toHaveLength(1);
    expect(seen[0]).toMatchObject({ ':authority': 'aws.example', ':path': '/x?y', ':method': 'POST', 'x-a': '1, 2' });
    expect(Object.keys(seen[0] ?? {})).not.toContain('transfer-encoding');
    expect(origin.inFlight).toBe(0);
  });

  it('keeps fields that are called as every object of JavaScript calls something', async () => {
    const seen: Readonly<Record<string, unknown>>[] = [];
    const server = await far((stream, headers) => {
      seen.push(headers);
      stream.respond({ ':status': 200 });
      stream.end();
    });
    const odd = ['constructor', '1', '__proto__', '2', '__proto__', '3', 'tostring', '4'];
    await send(originTo(server.port), { fields: ['Host', 'aws.example', ...odd], body: Buffer.alloc(0) }).result;
    expect(Object.entries(seen[0] ?? {})).toEqual(
      expect.arrayContaining([
        ['constructor', '1'],
        ['__proto__', '2, 3'],
        ['tostring', '4'],
      ]),
    );
  });

  it('streams both ways at once, held back by whoever is slower', async () => {
    const server = await far((stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    const origin = originTo(server.port);
    const start = Promise.withResolvers<void>();
    const back: string[] = [];
    const { flight, result } = send(origin, {
      isStreamed: true,
      body: Buffer.alloc(0),
      onDrain: () => start.resolve(),
      onData: () => back.push('data'),
    });
    await start.promise;
    flight.write(Buffer.from('one'));
    await soon(() => back).toHaveLength(1);
    flight.pause();
    flight.write(Buffer.from('two'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(back).toHaveLength(1);
    flight.resume();
    await soon(() => back).toHaveLength(2);
    flight.endRequest();
    expect(await result).toMatchObject({ text: 'onetwo', bytes: 6 });
  });

  it('that is cut is never whole to the server', async () => {
    const ends: string[] = [];
    const server = await far((stream) => {
      stream.on('data', () => ends.push('data'));
      stream.on('end', () => ends.push(stream.aborted ? 'aborted' : 'whole'));
      stream.on('close', () => ends.push('closed'));
    });
    const origin = originTo(server.port);
    const start = Promise.withResolvers<void>();
    const { flight, result } = send(origin, { isStreamed: true, body: Buffer.alloc(0), onDrain: () => start.resolve() });
    await start.promise;
    flight.write(Buffer.from('half'));
    await soon(() => ends).toEqual(['data']);
    flight.abort('the body is wrong');
    expect(await result).toEqual({ code: 'aborted', reason: 'the body is wrong', mayHaveLeft: true, bytes: 0 });
    await soon(() => ends).toContain('closed');
    expect(ends).not.toContain('whole');
  });
});

describe('a server', () => {
  it('that breaks off in the middle of its answer has not answered', async () => {
    const server = await far((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('half');
      setTimeout(() => stream.destroy(new Error('broken')), 50);
    });
    expect(await send(originTo(server.port)).result).toMatchObject({ code: 'closed', mayHaveLeft: true, bytes: 4 });
    const closing = await far((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('half');
      setTimeout(() => stream.session?.destroy(), 50);
    });
    expect(await send(originTo(closing.port)).result).toMatchObject({ code: 'closed', bytes: 4 });
  });

  it('that says it has not looked at a request is believed, unless it has answered', async () => {
    const server = await far((stream) => stream.close(7));
    expect(await send(originTo(server.port)).result).toMatchObject({ code: 'closed', mayHaveLeft: false });
    const answering = createTls({ ...tls(), ALPNProtocols: ['h2'] }, (socket) => {
      socket.on('error', () => undefined);
      let said = Buffer.alloc(0);
      socket.on('data', (piece) => {
        said = Buffer.concat([said, piece]);
        // Behind the preface: the first frame that is a head is answered with ":status: 200", and taken back.
        for (let at = 24; at + 9 <= said.length; at += 9 + said.readUIntBE(at, 3))
          if (said[at + 3] === 1) socket.write(Buffer.from('0000010104000000018800000403000000000100000007', 'hex'));
      });
      socket.write(Buffer.from('000000040000000000', 'hex'));
    });
    await new Promise<void>((resolve) => answering.listen(0, '127.0.0.1', resolve));
    undo.push(() => answering.close());
    const { port } = answering.address() as AddressInfo;
    expect(await send(originTo(port)).result).toMatchObject({ code: 'closed', mayHaveLeft: true });
  });

  it('that does not speak HTTP/2, or has a certificate of another, is sent nothing', async () => {
    const http1 = createHttps({ ...tls() }, () => expect.unreachable());
    await new Promise<void>((resolve) => http1.listen(0, '127.0.0.1', resolve));
    undo.push(() => http1.close());
    const { port } = http1.address() as AddressInfo;
    const failed = { code: 'unreachable', mayHaveLeft: false };
    expect(await send(originTo(port)).result).toMatchObject(failed);
    const server = await far(() => expect.unreachable());
    const { cert } = selfSigned('DNS:localhost');
    expect(await send(originTo(server.port, {}, { ca: cert })).result).toMatchObject(failed);
    expect(await send(originTo(server.port, {}, { isGuarded: true })).result).toMatchObject({
      ...failed,
      reason: expect.stringContaining('not dialled') as string,
    });
  });

  it('that does not answer, or stops, is given up in time; one that is held back from here is not', async () => {
    const silent = await far(() => undefined);
    expect(await send(originTo(silent.port, { headersMs: 100 })).result).toMatchObject({ code: 'headers_timeout' });
    const stops = await far((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('half');
    });
    expect(await send(originTo(stops.port, { idleMs: 100 })).result).toMatchObject({ code: 'idle_timeout', bytes: 4 });
    const held = send(originTo(stops.port, { idleMs: 100 }), { onData: (flight) => flight().pause() });
    const race = await Promise.race([held.result, new Promise((resolve) => setTimeout(() => resolve('waits'), 500))]);
    expect(race).toBe('waits');
  });

  it('that takes few streams gets more connections, which are closed once they rest', async () => {
    const open: ServerHttp2Stream[] = [];
    const server = await far((stream) => open.push(stream), { maxConcurrentStreams: 2 });
    const origin = originTo(server.port, { keepAliveMs: 100 });
    const first = send(origin);
    await soon(() => open.length).toBe(1);
    const rest = [send(origin), send(origin), send(origin)];
    await soon(() => open.length).toBe(4);
    expect(server.sessions).toHaveLength(2);
    for (const stream of open) {
      stream.respond({ ':status': 200 });
      stream.end();
    }
    for (const { result } of [first, ...rest]) expect(await result).toHaveProperty('head');
    await soon(() => origin.connections).toBe(0);
  });
});
