import { createHash, createHmac, randomBytes } from 'node:crypto';
import { limits } from '@postern/limits';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type FarConnection, type FarSide, headOf, rawClient, type RawClient, startFarSide } from '#testing/far-side.ts';
import { LOCAL_KEY, type LocalAgent, startLocalAgent } from '#testing/local-agent.ts';
import { type Call, signedCall, signedHeaders } from '#testing/signed-call.ts';

let agent: LocalAgent;
let far: FarSide;
const clients: RawClient[] = [];
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await agent.stop();
  far.close();
});

/** The far side stands for S3 and Lambda, the emulator for STS. */
async function start(onConnection?: (connection: FarConnection) => void): Promise<void> {
  far = await startFarSide(onConnection);
  agent = await startLocalAgent({ env: { AWS_ENDPOINT_URL_S3: far.url, AWS_ENDPOINT_URL_LAMBDA: far.url } });
}
const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
const put = (path: string, more: Partial<Call> = {}): Call => ({ service: 's3', method: 'PUT', path, ...more });

/** Opens a connection and sends the head of a signed request. */
async function begin(call: Call, unsigned: Readonly<Record<string, string>> = {}): Promise<RawClient> {
  const client = await rawClient(agent.port);
  clients.push(client);
  const headers = await signedHeaders(agent, call);
  client.send(headOf(call.method ?? 'POST', call.path ?? '/', { ...headers, ...unsigned }));
  return client;
}
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** The one connection of AWS, once it has come and has said something. */
async function aws(): Promise<FarConnection> {
  await expect.poll(() => far.connections[0]?.text().includes('\r\n\r\n')).toBe(true);
  const [connection] = far.connections;
  if (connection === undefined) throw new Error('nobody came');
  return connection;
}
const bodyOf = (connection: FarConnection) => connection.text().slice(connection.text().indexOf('\r\n\r\n') + 4);
const outcome = () => agent.events.findLast(({ fields }) => fields['phase'] === 'outcome')?.fields;

describe('a camera', () => {
  it('may be silent for longer than other bodies may, and goes on then', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      far = await startFarSide();
      agent = await startLocalAgent({ env: { AWS_ENDPOINT_URL_KINESISVIDEO: far.url } });
      const connectHost = 's-1234abcd.kinesisvideo.us-east-1.amazonaws.com';
      agent.setFacts({ connectHost });
      const client = await begin(
        { service: 'kinesisvideo', method: 'POST', path: '/putMedia', host: connectHost, headers: { 'x-amzn-stream-name': 'door' } },
        { 'transfer-encoding': 'chunked' },
      );
      client.send('3\r\none\r\n');
      await aws();
      await expect.poll(() => far.connections[0]?.text()).toContain('one');
      vi.advanceTimersByTime(3 * limits.bodyIdleMs);
      await new Promise((resolve) => setTimeout(resolve, 100));
      client.send('3\r\ntwo\r\n');
      await expect.poll(() => far.connections[0]?.text()).toContain('two');
      expect([client.said(), client.isClosed()]).toEqual(['', false]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a client that asks before it sends its body', () => {
  const asking = (size: number) =>
    begin(put('/files/a', { headers: { 'content-length': String(size), 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }), {
      expect: '100-continue',
    });

  it('is told to go on when AWS says so, however often that is said, and not before', async () => {
    await start();
    const client = await asking(5);
    const far = await aws();
    expect(far.text()).toMatch(/\r\nexpect: 100-continue\r\n/i);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect([client.said(), bodyOf(far)]).toEqual(['', '']);
    far.socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n');
    await expect.poll(() => client.said()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    client.send('hello');
    await expect.poll(() => bodyOf(far)).toBe('hello');
    far.socket.write(ok);
    await expect.poll(() => client.said()).toMatch(/100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n.*ok$/s);
  });

  it('has AWS’s early answer in place of it, and sends nothing', async () => {
    await start((connection) =>
      connection.socket.once('data', () =>
        connection.socket.write('HTTP/1.1 307 Temporary Redirect\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n'),
      ),
    );
    const client = await asking(5_000_000);
    await expect.poll(() => client.isClosed()).toBe(true);
    expect(client.said()).toMatch(/^HTTP\/1\.1 307 .*Location: https:\/\/evil\.example\//s);
    expect(client.said()).not.toContain('100 Continue');
    expect(far.connections).toHaveLength(1);
    expect(outcome()).toMatchObject({ status_code: 307, request_bytes: 0 });
  });

  it('is told after a second where AWS says nothing', async () => {
    await start();
    const client = await asking(5);
    await expect.poll(() => client.said(), { timeout: 3000 }).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    client.send('hello');
    const connection = await aws();
    await expect.poll(() => bodyOf(connection)).toBe('hello');
  });

  it('is refused before it is asked for anything', async () => {
    await start();
    agent.setRoles([]);
    const client = await asking(5_000_000);
    await expect.poll(() => client.isClosed()).toBe(true);
    expect(client.said()).toMatch(/^HTTP\/1\.1 403 /);
    expect(far.connections).toHaveLength(0);
  });
});

describe('a body on its way', () => {
  it('of a declared hash is passed on but for its end, which waits until the hash is right', async () => {
    await start();
    const body = randomBytes(300_000);
    const client = await begin(
      put('/files/a', { headers: { 'content-length': String(body.length), 'x-amz-content-sha256': sha256(body) } }),
    );
    client.send(body.subarray(0, 299_999));
    const connection = await aws();
    await expect.poll(() => bodyOf(connection).length).toBeGreaterThan(100_000);
    expect(bodyOf(connection).length).toBeLessThan(299_999);
    client.send(body.subarray(299_999));
    await expect.poll(() => bodyOf(connection) === body.toString('latin1')).toBe(true);
    connection.socket.write(ok);
    await expect.poll(() => client.said()).toMatch(/ok$/);
    expect(outcome()).toMatchObject({ outcome: 'answered', request_bytes: 300_000 });
  });

  it('of another hash than declared is cut before its end, and the client is told', async () => {
    await start();
    const body = randomBytes(300_000);
    const client = await begin(
      put('/files/a', { headers: { 'content-length': String(body.length), 'x-amz-content-sha256': sha256('other') } }),
    );
    client.send(body);
    const connection = await aws();
    await expect.poll(() => connection.isClosed()).toBe(true);
    expect(bodyOf(connection).length).toBeLessThan(body.length);
    await expect.poll(() => client.said()).toMatch(/^HTTP\/1\.1 4.*does not match its x-amz-content-sha256/s);
    expect(outcome()).toMatchObject({ outcome: 'not_sent', error: expect.stringContaining('cut before its end') as unknown });
  });

  it('in signed chunks is verified chunk by chunk and signed anew; a bad one cuts it', async () => {
    for (const tamper of [false, true]) {
      await start();
      const content = randomBytes(150_000);
      const { head, frames } = await signedChunks(content, 65_536);
      const client = await rawClient(agent.port);
      clients.push(client);
      const last = frames.at(-2) ?? Buffer.alloc(0);
      if (tamper) last[last.length - 3] = (last.at(-3) ?? 0) ^ 1;
      client.send(head);
      for (const frame of frames) client.send(frame);
      const connection = await aws();
      if (tamper) {
        await expect.poll(() => connection.isClosed()).toBe(true);
        expect(bodyOf(connection)).not.toMatch(/\r\n0;chunk-signature/);
        await expect.poll(() => client.said()).toMatch(/^HTTP\/1\.1 4\d\d /);
      } else {
        await expect.poll(() => /\r\n0;chunk-signature=[0-9a-f]{64}\r\n\r\n$/.test(connection.text())).toBe(true);
        expect(connection.text()).toMatch(/x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\n/i);
        for (const frame of frames)
          expect(connection.text()).not.toContain(/chunk-signature=([0-9a-f]+)/.exec(frame.toString('latin1'))?.[1]);
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(connection.text())?.[1]);
        expect(bodyOf(connection)).toHaveLength(length);
      }
      for (const { socket } of clients.splice(0)) socket.destroy();
      if (!tamper) {
        await agent.stop();
        far.close();
      }
    }
  });

  it('ends at AWS where its client leaves', async () => {
    await start();
    const client = await begin(put('/files/a', { headers: { 'content-length': '1000000', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }));
    client.send(Buffer.alloc(200_000));
    const connection = await aws();
    await expect.poll(() => bodyOf(connection).length).toBeGreaterThan(100_000);
    client.socket.destroy();
    await expect.poll(() => connection.isClosed()).toBe(true);
    await expect.poll(() => outcome()).toMatchObject({ outcome: 'not_sent' });
  });

  it('holds its client back while AWS takes nothing, and memory with it', async () => {
    await start(({ socket }) => socket.pause());
    const client = await begin(
      put('/files/a', { headers: { 'content-length': String(512 * 1024 * 1024), 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }),
    );
    const piece = Buffer.alloc(1024 * 1024);
    let sent = 0;
    const pump = () => {
      while (sent < 512 && client.socket.write(piece)) sent += 1;
    };
    client.socket.on('drain', pump);
    pump();
    let before = -1;
    await expect.poll(() => before === (before = sent), { interval: 300 }).toBe(true);
    expect(sent).toBeLessThan(32);
  });

  it('is stopped by an early refusal of AWS, which the client reads', async () => {
    await start((connection) =>
      connection.socket.once('data', () => connection.socket.write('HTTP/1.1 503 Slow Down\r\nContent-Length: 4\r\n\r\nslow')),
    );
    const client = await begin(put('/files/a', { headers: { 'content-length': '600000', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }));
    await expect.poll(() => client.said()).toMatch(/^HTTP\/1\.1 503 Slow Down\r\n.*slow$/s);
    client.send(Buffer.alloc(600_000));
    expect(outcome()).toMatchObject({ status_code: 503 });
  });
});

describe('an answer on its way', () => {
  const invoke: Call = { service: 'lambda', path: '/2021-11-15/functions/f/response-streaming-invocations', body: '{}' };

  it('reaches the client as it comes, byte for byte', async () => {
    await start((connection) =>
      connection.socket.once('data', () =>
        connection.socket.write(
          'HTTP/1.1 200 OK\r\nDate: Sat, 28 Nov 2026 18:14:35 GMT\r\nTransfer-Encoding: chunked\r\nX-Amz-Odd:   kept \r\n\r\n5\r\nfirst\r\n',
        ),
      ),
    );
    const client = await begin(invoke);
    client.send('{}');
    await expect.poll(() => client.said()).toMatch(/X-Amz-Odd:   kept \r\n.*5\r\nfirst\r\n$/s);
    const connection = await aws();
    connection.socket.write('6\r\nsecond\r\n0\r\n\r\n');
    await expect.poll(() => client.said()).toMatch(/second\r\n0\r\n\r\n$/);
  });

  it('that comes twice is one answer, and the other one is nobody’s', async () => {
    await start((connection) =>
      connection.socket.once('data', () => connection.socket.write(`${ok}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond`)),
    );
    const first = await signedCall(agent, { ...invoke, path: '/a' });
    expect(first.text).toBe('ok');
    const second = await signedCall(agent, { ...invoke, path: '/b' });
    expect(second.text).toBe('ok');
    expect(far.connections).toHaveLength(2);
  });

  it('to HEAD has its length and no body, refusals included', async () => {
    await start((connection) =>
      connection.socket.once('data', () => connection.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: "x"\r\n\r\n')),
    );
    const head = await signedCall(agent, { service: 's3', method: 'HEAD', path: '/files/a' });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '1000', 0]);
    agent.setRoles([]);
    const refused = await signedCall(agent, { service: 's3', method: 'HEAD', path: '/files/a' });
    expect([refused.status, refused.body.length]).toEqual([403, 0]);
  });

  it('that breaks off is cut at the client too, and the outcome is not known', async () => {
    await start((connection) =>
      connection.socket.once('data', () => {
        connection.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf');
        setTimeout(() => connection.socket.destroy(), 50);
      }),
    );
    const client = await begin(invoke);
    client.send('{}');
    await expect.poll(() => client.isClosed()).toBe(true);
    expect(client.said()).toMatch(/half$/);
    expect(outcome()).toMatchObject({ outcome: 'unknown', status_code: 200 });
  });
});

/** AWS's documentation of streaming signatures, written out once more: nothing of ours signs here. */
async function signedChunks(content: Buffer, size: number): Promise<{ head: string; frames: Buffer[] }> {
  const cuts = [
    ...Array.from({ length: Math.ceil(content.length / size) }, (_, at) => content.subarray(at * size, (at + 1) * size)),
    Buffer.alloc(0),
  ];
  const length = cuts.reduce((sum, cut) => sum + cut.length.toString(16).length + 17 + 64 + 4 + cut.length, 0);
  const call = put('/files/a', {
    headers: {
      'content-encoding': 'aws-chunked',
      'content-length': String(length),
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'x-amz-decoded-content-length': String(content.length),
    },
  });
  const headers = await signedHeaders(agent, call);
  const [, day = '', region = '', seed = ''] =
    /Credential=[^/]+\/(\d+)\/([\w-]+)\/.*Signature=([0-9a-f]+)/.exec(headers['authorization'] ?? '') ?? [];
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const signingKey = hmac(hmac(hmac(hmac(`AWS4${LOCAL_KEY.secretAccessKey}`, day), region), 's3'), 'aws4_request');
  let previous = seed;
  const frames = cuts.map((cut) => {
    const text = [
      'AWS4-HMAC-SHA256-PAYLOAD',
      headers['x-amz-date'],
      `${day}/${region}/s3/aws4_request`,
      previous,
      sha256(''),
      sha256(cut),
    ].join('\n');
    previous = hmac(signingKey, text).toString('hex');
    return Buffer.concat([Buffer.from(`${cut.length.toString(16)};chunk-signature=${previous}\r\n`), cut, Buffer.from('\r\n')]);
  });
  return { head: headOf('PUT', '/files/a', headers), frames };
}
