import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseRefusal } from '#local-port/aws-refusal.ts';
import { refusalOf } from '#local-port/local-guard.ts';
import { serveConnection } from '#local-port/serve-connection.ts';
import { SpareStreams } from '#sessions/spare-streams.ts';

let listener: Server;
let port: number;
/** The far ends of the streams that were opened: what an agent holds. */
let agents: Duplex[];
/** Streams that were given back, for the next connection. */
let kept: Duplex[];
let nears: Duplex[];
let spares: SpareStreams<Duplex>;

beforeEach(async () => {
  agents = [];
  kept = [];
  nears = [];
  spares = new SpareStreams();
  listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    const openStream = () => {
      const spare = spares.take('');
      if (spare !== undefined) return Promise.resolve(spare);
      const [near, far] = duplexPair();
      far.on('error', () => undefined);
      agents.push(far);
      nears.push(near);
      far.once('close', () => near.destroy(new Error('reset by the agent')));
      spares.own('', near, () => {
        kept.push(near);
        return true;
      });
      return Promise.resolve(near);
    };
    void serveConnection(socket, {
      openStream,
      guard: (head) => refusalOf(head, { port, allowAddresses: false }),
      refusal: ({ kind, message }) => databaseRefusal(kind, message),
      notice: () => undefined,
    });
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  port = (listener.address() as AddressInfo).port;
});
afterEach(() => void listener.close());

const head = (length: number) => `POST / HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Length: ${length}\r\n\r\n`;
const answer = (length: number) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`;

/** A client that has sent `bytes`, the agent's end of its connection, and everything it is going to receive. */
async function client(bytes: string): Promise<{ socket: Socket; agent: Duplex; received: Promise<string>; seen: () => string }> {
  let text = '';
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.on('error', () => undefined);
  const received = once(socket, 'close').then(() => text);
  await expect.poll(() => agents[0]).toBeDefined();
  const [far] = agents;
  if (far === undefined) throw new Error('no stream was opened');
  far.resume();
  return { socket, agent: far, received, seen: () => text };
}

describe('a connection whose agent goes away', () => {
  it('is told so where no answer has begun', async () => {
    const { agent, received } = await client(`${head(2)}{}`);
    agent.destroy();
    expect(await received).toMatch(/^HTTP\/1\.1 503 /);
  });

  it('is told so for a second request as well, after the first was answered', async () => {
    const { socket, agent, received, seen } = await client(`${head(2)}{}`);
    agent.write(`${answer(4)}done`);
    await expect.poll(seen).toContain('done');
    const arrived = once(agent, 'data');
    socket.write(`${head(2)}{}`);
    await arrived;
    agent.destroy();
    expect(await received).toMatch(/doneHTTP\/1\.1 503 /);
  });

  it('is cut in the middle of an answer, with nothing of ours in it, though the client still sends its body', async () => {
    const { socket, agent, received, seen } = await client(head(1000));
    agent.write(`${answer(5000)}part`);
    await expect.poll(seen).toContain('part');
    const arrived = once(agent, 'data');
    socket.write('x'.repeat(500));
    await arrived;
    agent.destroy();
    expect(await received).toBe(`${answer(5000)}part`);
  });

  it('is cut in the middle of an answer, with nothing of ours in it, though the client has sent its next request ahead', async () => {
    const { socket, agent, received, seen } = await client(`${head(2)}{}`);
    agent.write(`${answer(5000)}part`);
    await expect.poll(seen).toContain('part');
    const arrived = once(agent, 'data');
    socket.write(`${head(2)}{}`);
    await arrived;
    agent.destroy();
    expect(await received).toBe(`${answer(5000)}part`);
  });

  it('is told so for the request that it sent ahead where the answer to the one before is whole by then', async () => {
    const { socket, agent, received, seen } = await client(`${head(2)}{}`);
    agent.write(`${answer(8)}part`);
    await expect.poll(seen).toContain('part');
    agent.write('done');
    await expect.poll(seen).toContain('partdone');
    const arrived = once(agent, 'data');
    socket.write(`${head(2)}{}`);
    await arrived;
    agent.destroy();
    expect(await received).toMatch(/partdoneHTTP\/1\.1 503 /);
  });
});

describe('a client that has said all it will say', () => {
  it('still gets its answer', async () => {
    const { socket, agent, received } = await client(`${head(2)}{}`);
    const ended = once(agent, 'end');
    socket.end();
    await ended;
    agent.end(`${answer(4)}late`);
    expect(await received).toBe(`${answer(4)}late`);
  });
});

describe('a stream', () => {
  it('serves the next connection when the one before left after one whole exchange', async () => {
    const first = await client(`${head(2)}{}`);
    first.agent.write(`${answer(4)}done`);
    await expect.poll(first.seen).toContain('done');
    first.socket.destroy();
    await expect.poll(() => kept.length).toBe(1);
    const arrived = once(first.agent, 'data');
    const second = await client(`${head(2)}[]`);
    await arrived;
    second.agent.write(`${answer(4)}more`);
    await expect.poll(second.seen).toBe(`${answer(4)}more`);
    second.socket.end();
    expect(await second.received).toBe(`${answer(4)}more`);
    expect(agents).toHaveLength(1);
  });

  it.each([
    ['its answer is not whole', () => `${head(2)}{}`, `${answer(5)}done`],
    ['its request is not whole', () => `${head(3)}{}`, `${answer(4)}done`],
    ['more than one request was sent', () => `${head(2)}{}${head(2)}{}`, `${answer(4)}done`],
    ['more than one answer came', () => `${head(2)}{}`, `${answer(4)}done${answer(4)}done`],
    [
      'the length of the answer cannot be told',
      () => `${head(2)}{}`,
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n',
    ],
    ['only an interim answer came', () => `${head(2)}{}`, 'HTTP/1.1 100 Continue\r\nX: done\r\n\r\n'],
    ['the answer ends the connection', () => `${head(2)}{}`, 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\ndone'],
    ['the request ends the connection', () => `${head(2).replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}{}`, `${answer(4)}done`],
    [
      'the length of the request cannot be told',
      () => `${head(2).replace('\r\n\r\n', '\r\nContent-Length: 2\r\n\r\n')}{}`,
      `${answer(4)}done`,
    ],
  ])('ends with its connection where %s', async (_why, request, reply) => {
    const { socket, agent, seen } = await client(request());
    agent.write(reply);
    await expect.poll(seen).toContain('done');
    socket.destroy();
    await expect.poll(() => nears.map(({ writableEnded }) => writableEnded)).toEqual([true]);
    expect(kept).toEqual([]);
  });
});
