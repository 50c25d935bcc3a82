import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { PASSWORD } from '@postern/test-harness/cluster.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from './company.ts';

const cannot = lacking('openssl');
const MIB = 1024 * 1024;
const ok = (body: string, ...more: readonly string[]) =>
  ['HTTP/1.1 200 OK', 'Content-Type: application/x-amz-json-1.0', ...more, `Content-Length: ${body.length}`, '', body].join('\r\n');

describe.skipIf(cannot !== undefined)('an AWS that is not to be trusted', () => {
  const stage = new Stage();
  const { cluster } = stage;
  const sockets = new Set<Socket>();
  let agent: Daemon;
  let upstream: Server;
  let lure: Server;
  let lured = 0;
  /** What the false DynamoDB does with a request once it is there whole. */
  let answer: (socket: Socket) => void = (socket) => socket.end(ok('{}'));
  let asked = 0;
  let alice = 0;
  let bob = 0;
  const port = (server: Server) => {
    const address = server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  };
  const listen = (server: Server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const list = (at: number) => ask(at, { operation: 'ListTables', body: '{}' });
  const peakBytes = () =>
    Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${agent.child.pid ?? 0}/status`, 'utf8'))?.[1] ?? Number.NaN) * 1024;
  const outcomes = async () =>
    (JSON.parse(await cluster.admin('tctl audit ls -f json --limit 100000')) as Record<string, unknown>[]).filter(
      ({ event, phase }) => event === 'db.session.dynamodb.request' && phase === 'outcome',
    );

  beforeAll(async () => {
    upstream = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('data', (bytes: Buffer) => {
        if (!bytes.toString('latin1').includes('\r\n\r\n')) return;
        asked += 1;
        answer(socket);
      });
    });
    lure = createServer((socket) => {
      lured += 1;
      socket.destroy();
    });
    await Promise.all([listen(upstream), listen(lure)]);
    await stage.open();
    await stage.user('bob', 'dynamo');
    agent = stage.agent('agent', { env: { AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${port(upstream)}` } });
    await stage.attached(agent);
    alice = (await cluster.openTunnel('alice')).port;
    bob = (await cluster.openTunnel('bob')).port;
    await until('an answer', 15_000, async () => ((await list(alice)).status === 200 ? true : undefined));
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    upstream.close();
    lure.close();
    await cluster.stop();
  });

  it('AG-13 leads nobody to another host', async () => {
    for (const status of ['301 Moved', '302 Found', '307 Temporary Redirect', '308 Permanent Redirect']) {
      answer = (socket) => socket.end(`HTTP/1.1 ${status}\r\nLocation: http://127.0.0.1:${port(lure)}/\r\nContent-Length: 0\r\n\r\n`);
      expect((await list(alice)).status).not.toBe(200);
    }
    expect(lured).toBe(0);
  });

  it('AG-13 answers twice, and nobody gets what he did not ask for', async () => {
    const poison = ok('{"TableNames":["poison"]}');
    for (let round = 0; round < 20; round += 1) {
      answer = (socket) => socket.write(ok('{"TableNames":["mine"]}') + poison);
      const mine = await list(alice);
      expect(mine.body).not.toContain('poison');
      answer = (socket) => socket.write(ok('{"TableNames":["his"]}'));
      const [his, again] = await Promise.all([list(bob), list(alice)]);
      for (const { status, body } of [his, again]) expect([status, body.includes('poison')]).not.toEqual([200, true]);
      expect([his.status, his.body]).toEqual([200, '{"TableNames":["his"]}']);
    }
  });

  it('AG-13 AU-02 breaks off, lies about lengths and changes the protocol: told as lost, recorded as unknown, and the agent lives', async () => {
    const before = (await outcomes()).filter(({ outcome }) => outcome === 'unknown').length;
    const broken: Record<string, (socket: Socket) => void> = {
      'nothing at all': (socket) => socket.destroy(),
      'no HTTP': (socket) => socket.end('SSH-2.0-OpenSSH\r\n\r\n'),
      'another protocol': (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n'),
      'two lengths': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x'),
      'a length and chunks': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
      'a head without end': (socket) => socket.end(`HTTP/1.1 200 OK\r\n${'X-Long: y\r\n'.repeat(20_000)}`),
    };
    for (const [what, act] of Object.entries(broken)) {
      answer = act;
      const got = await list(alice);
      expect([what, got.status, got.body]).toEqual([what, 503, expect.stringContaining('ServiceUnavailable') as unknown]);
    }
    for (const half of ['HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n']) {
      answer = (socket) => socket.end(half);
      expect([half, [0, 503].includes((await list(alice)).status)]).toEqual([half, true]);
    }
    await until('their outcomes', 15_000, async () =>
      (await outcomes()).filter(({ outcome }) => outcome === 'unknown').length >= before + Object.keys(broken).length ? true : undefined,
    );
    answer = (socket) => socket.end(ok('{}'));
    expect((await list(alice)).status).toBe(200);
    expect(agent.child.exitCode).toBeNull();
  });

  it('AG-13 sends without end: it passes through, and is not kept', async () => {
    const piece = Buffer.alloc(MIB, 'x');
    const before = peakBytes();
    answer = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: ${256 * MIB}\r\n\r\n`);
      let sent = 0;
      const more = () => {
        while (sent < 256 && socket.writable) {
          sent += 1;
          if (!socket.write(piece)) return void socket.once('drain', more);
        }
      };
      more();
    };
    const reading = await fetch(`http://localhost:${alice}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.ListTables' },
      body: '{}',
    });
    let got = 0;
    for await (const chunk of reading.body ?? []) got += (chunk as Uint8Array).length;
    expect(got).toBe(256 * MIB);
    expect(peakBytes() - before).toBeLessThan(128 * MIB);
  });

  it('AG-17 says no in its own words: they pass unchanged, and nothing of the agent’s stands in what it says itself', async () => {
    for (const [status, text] of [
      [400, '{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"\u00e9 <b>"}'],
      [500, '{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":""}'],
      [503, 'not JSON at all'],
    ] as const) {
      const body = Buffer.from(text);
      answer = (socket) => socket.end(Buffer.concat([Buffer.from(`HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\n\r\n`), body]));
      expect(await list(alice)).toEqual({ status, body: text });
    }
    answer = (socket) => socket.destroy();
    const { body } = await list(alice);
    expect(body).not.toMatch(/AKIA|ASIA|arn:aws:sts|127\.0\.0\.1/);
  });

  it('AG-16 hears of a person by a name that is one value and no more', async () => {
    answer = (socket) => socket.end(ok('{}'));
    for (const name of ['eve&Action=GetSessionToken', 'eve\nx', 'e'.repeat(300), 'aws:eve=x'])
      expect(
        (
          await cluster.sh(`tctl -c ${cluster.authConfig} users add "$NAME" --roles=dynamo --password-stdin`, {
            env: { NAME: name },
            input: PASSWORD,
          })
        ).code,
      ).not.toBe(0);
    await stage.user('ann.lee+ops@example.com', 'dynamo');
    const { port: anns } = await cluster.openTunnel('ann.lee+ops@example.com');
    expect((await list(anns)).status).toBe(200);
    const atSts = cluster.rawLog().filter(({ service }) => service === 'sts') as unknown as {
      operation: string;
      verified: boolean;
      parameters: Record<string, string>;
    }[];
    expect(atSts.map(({ operation, verified }) => `${operation} ${verified}`)).toEqual(atSts.map(() => 'AssumeRole true'));
    expect(atSts.map(({ parameters }) => parameters['RoleSessionName'])).toContain('ann.lee+ops@example.com');
    expect(asked).toBeGreaterThan(0);
  });
});
