import { createServer, type AddressInfo, connect, type Socket } from 'node:net';
import { nothingSaid, type Standing } from '@postern/agent';
import { limits } from '@postern/limits';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createHttpDoor } from '#sessions/http-door.ts';
import { call, type LocalAgent, type LocalAgentOptions, sessionOf, startLocalAgent } from '#testing/local-agent.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const step of undo.splice(0).toReversed()) await step();
});

async function started(options?: LocalAgentOptions): Promise<LocalAgent> {
  const agent = await startLocalAgent(options);
  undo.push(() => agent.stop());
  return agent;
}

/** A connection, and what was said on it so far. */
function dial(port: number, bytes: string): { readonly socket: Socket; said: string } {
  const dialled = { socket: connect(port, '127.0.0.1'), said: '' };
  dialled.socket.on('error', () => undefined).on('data', (chunk: Buffer) => (dialled.said += chunk.toString('latin1')));
  dialled.socket.write(bytes, 'latin1');
  undo.push(() => dialled.socket.destroy());
  return dialled;
}
const statusOf = async (port: number, bytes: string): Promise<string> => {
  const dialled = dial(port, bytes);
  await expect.poll(() => dialled.said, { timeout: 10_000 }).toMatch(/^HTTP\/1\.1 \d{3}/);
  return dialled.said.slice(9, 12);
};

const fixed = ['Content-Type: application/x-amz-json-1.0', 'X-Amz-Target: DynamoDB_20120810.ListTables'];
const headOf = (port: number, ...more: readonly string[]) =>
  `${['POST / HTTP/1.1', `Host: 127.0.0.1:${port}`, ...fixed, ...more].join('\r\n')}\r\n\r\n`;

const standing: Standing = {
  check: () => undefined,
  awsCredentialOperations: () => 'cap',
  authorize: () => ({ allowed: true, decision: { allowed: true, reason: '', steps: [] } }),
};

describe('the limits of a request', () => {
  it('are 16 KiB for its head, and a byte more is refused [limit headerBytes]', async () => {
    const { port } = await started();
    const headOfBytes = (bytes: number) => {
      const bare = headOf(port, 'Content-Length: 2', 'Cookie: ').length;
      return headOf(port, 'Content-Length: 2', `Cookie: ${'x'.repeat(bytes - bare)}`);
    };
    expect(headOfBytes(limits.headerBytes)).toHaveLength(16_384);
    expect(await statusOf(port, `${headOfBytes(limits.headerBytes)}{}`)).toBe('200');
    expect(await statusOf(port, `${headOfBytes(limits.headerBytes + 1)}{}`)).toBe('431');
  });

  it('are a hundred header lines, and one more is refused [limit headerLines]', async () => {
    const { port } = await started();
    const headOfLines = (lines: number) =>
      headOf(port, 'Content-Length: 2', ...Array.from({ length: lines - fixed.length - 2 }, (_, at) => `x-line-${at}: 1`));
    expect(headOfLines(limits.headerLines).match(/^[\w-]+: /gm)).toHaveLength(100);
    expect(await statusOf(port, `${headOfLines(limits.headerLines)}{}`)).toBe('200');
    expect(await statusOf(port, `${headOfLines(limits.headerLines + 1)}{}`)).toBe('431');
  });

  it('are 16 MiB and a little for its body, and of a byte more nothing is forwarded [limit dbBodyBytes]', async () => {
    const agent = await started();
    const bodyOf = (bytes: number) => {
      const [front, back] = ['{"TableName":"pets","Item":{"id":{"S":"', '"}}}'];
      return Buffer.concat([Buffer.from(front), Buffer.alloc(bytes - front.length - back.length, 'x'), Buffer.from(back)]);
    };
    const atAws = () => agent.emulator.log().flatMap(({ operation, bodyBytes }) => (operation === 'PutItem' ? [bodyBytes] : []));
    // No item is as large as that: what counts is that AWS was asked, with every byte.
    agent.emulator.setMode('PutItem', { status: 500 });
    expect((await call(agent, 'PutItem', bodyOf(limits.dbBodyBytes))).status).toBe(500);
    expect(atAws()).toEqual([limits.dbBodyBytes]);
    expect((await call(agent, 'PutItem', bodyOf(limits.dbBodyBytes + 1))).status).toBe(413);
    expect(atAws()).toEqual([limits.dbBodyBytes]);
  });

  it('are 512 MiB for all bodies that are held at once, half of it for one person, and not a byte more [limit dbBodiesBytes]', async () => {
    const agent = await started();
    const asUser = (user: string) => agent.setSession(sessionOf({ user, standing }));
    // The room for a body is taken when its length is known, before a byte of it has come.
    const announce = (bytes: number) => dial(agent.port, headOf(agent.port, `Content-Length: ${bytes}`));
    const fill = async (bytes: number) => {
      const held: ReturnType<typeof announce>[] = [];
      for (let left = bytes; left > 0; left -= limits.dbBodyBytes) held.push(announce(Math.min(left, limits.dbBodyBytes)));
      await expect.poll(() => held.every(({ socket }) => socket.bytesWritten > 0)).toBe(true);
      await call(agent, 'ListTables', Buffer.alloc(0));
      return held;
    };
    asUser('alice');
    const alices = await fill(limits.dbBodiesBytes / 2);
    expect((await call(agent, 'ListTables')).status).toBe(503);
    asUser('bob');
    const bobs = await fill(limits.dbBodiesBytes / 2);
    expect([...alices, ...bobs].filter(({ said }) => said !== '')).toEqual([]);
    asUser('carol');
    expect((await call(agent, 'ListTables', Buffer.from('1'))).status).toBe(503);
    for (const { socket } of bobs) socket.destroy();
    await expect.poll(async () => (await call(agent, 'ListTables')).status).toBe(200);
  });

  it('are half of the connections to AWS for one person, in requests under way, and not one more [limit awsConnectionsPerHost]', async () => {
    const waiting: Socket[] = [];
    const aws = createServer((socket) => {
      socket.on('error', () => socket.destroy()).once('data', () => waiting.push(socket));
      undo.push(() => socket.destroy());
    });
    await new Promise<void>((resolve) => aws.listen(0, '127.0.0.1', resolve));
    undo.push(() => aws.close());
    const agent = await started({ env: { AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${(aws.address() as AddressInfo).port}` } });
    const most = limits.awsConnectionsPerHost / 2;
    agent.setSession(sessionOf({ user: 'alice', standing }));
    const alices = Array.from({ length: most }, () => call(agent, 'ListTables'));
    await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(most);
    const { status, json, headers } = await call(agent, 'ListTables');
    expect([status, headers['retry-after']]).toEqual([503, '1']);
    expect(json).toMatchObject({
      message: `alice has ${most} requests to dynamodb.us-east-1.amazonaws.com under way, as many as one user may: send fewer at a time`,
    });
    agent.setSession(sessionOf({ user: 'bob', standing }));
    const bobs = call(agent, 'ListTables');
    await expect.poll(() => waiting.length).toBe(most + 1);
    for (const socket of waiting) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
    expect(new Set((await Promise.all([...alices, bobs])).map((answer) => answer.status))).toEqual(new Set([200]));
    agent.setSession(sessionOf({ user: 'alice', standing }));
    const again = call(agent, 'ListTables');
    // On a connection that is there: what comes on it now is the second request.
    waiting.forEach((socket) => socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}')));
    expect((await again).status).toBe(200);
  }, 30_000);
});

describe('the time limits of a request', () => {
  /** The door as it is wired, under a clock that the test moves; half a second is how often it looks. */
  async function door(): Promise<{ readonly port: number; readonly failed: string[] }> {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const failed: string[] = [];
    const made = createHttpDoor({
      onExchange: (exchange) => exchange.readBody({ onData: () => undefined, onEnd: () => undefined, onFailed: (why) => failed.push(why) }),
      onMalformed: (_connection, fault) => failed.push(fault.message),
    });
    const listener = createServer({ allowHalfOpen: true }, (stream) => {
      stream.on('error', () => stream.destroy());
      undo.push(() => stream.destroy());
      made.accept(stream, { ...nothingSaid, stream, localPort: 8000, session: undefined as never });
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    undo.push(
      () => listener.close(),
      () => made.close(),
    );
    return { port: (listener.address() as AddressInfo).port, failed };
  }
  const LOOKS_MS = 500;
  const arrived = () => new Promise((resolve) => setTimeout(resolve, 50));

  it.each([
    {
      what: 'ten seconds for its head [limit headerMs]',
      limitMs: limits.headerMs,
      bytes: 'POST / HTTP/1.1\r\nHost: x',
      why: 'the request did not arrive in time',
    },
    {
      what: 'half a minute without a byte of its body [limit bodyIdleMs]',
      limitMs: limits.bodyIdleMs,
      bytes: `${headOf(8000, 'Content-Length: 9')}1`,
      why: 'idle',
    },
  ])('are $what', async ({ limitMs, bytes, why }) => {
    const { port, failed } = await door();
    dial(port, bytes);
    await arrived();
    vi.advanceTimersByTime(limitMs);
    await arrived();
    expect(failed).toEqual([]);
    vi.advanceTimersByTime(2 * LOOKS_MS);
    await expect.poll(() => failed).toEqual([why]);
  });
});
