import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { awsRefusal } from '#local-port/aws-refusal.ts';
import { refusalOf } from '#local-port/local-guard.ts';
import { serveConnection } from '#local-port/serve-connection.ts';

let listener: Server;
let port: number;
/** The far ends of the streams that were opened: what an agent holds. */
let agents: Duplex[];

beforeEach(async () => {
  agents = [];
  listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    const openStream = () => {
      const [near, far] = duplexPair();
      far.on('error', () => undefined);
      agents.push(far);
      far.once('close', () => near.destroy(new Error('reset by the agent')));
      return Promise.resolve(near);
    };
    void serveConnection(socket, {
      openStream,
      guard: (head) => refusalOf(head, { port, allowAddresses: false }),
      refusal: ({ shape, message }) => awsRefusal(shape, message),
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
