import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { listenTcp, type TcpListener } from '#tcp-listener.ts';

const opened: TcpListener[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(opened.splice(0).map((listener) => listener.close()));
});

async function open(onConnection: (socket: Socket) => void = () => undefined, port = 0): Promise<TcpListener> {
  const listener = await listenTcp({
    host: '127.0.0.1',
    port,
    backlog: 4_096,
    onConnection(socket) {
      sockets.add(socket.on('error', () => undefined));
      onConnection(socket);
    },
  });
  opened.push(listener);
  return listener;
}

/** A process of its own that opens so many connections at once, a moment after this resolves. */
async function crowd(port: number, count: number): Promise<() => void> {
  const code = `console.log('ready');
    setTimeout(() => { for (let i = 0; i < ${count}; i += 1) require('node:net').connect(${port}, '127.0.0.1').on('error', () => undefined); }, 100);
    setTimeout(() => process.exit(), 20_000);`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return () => void child.kill();
}

describe('a port', () => {
  it('takes many that wait in one turn of the event loop', async () => {
    let taken = 0;
    const { address } = await open(() => (taken += 1));
    const leave = await crowd(address.port, 200);
    // They come while this process is busy, as it is with handshakes.
    const untilMs = performance.now() + 1_500;
    while (performance.now() < untilMs);
    const perTurn: number[] = [];
    const turn = () => {
      perTurn.push(taken);
      taken = 0;
      if (perTurn.length < 20) setImmediate(turn);
    };
    setImmediate(turn);
    await expect.poll(() => perTurn.reduce((sum, n) => sum + n, 0) + taken, { timeout: 10_000 }).toBe(200);
    leave();
    expect(Math.max(...perTurn)).toBeGreaterThanOrEqual(8);
  });

  it('is not shared with another that asks for it, whichever of them came first', async () => {
    const { address } = await open();
    await expect(open(undefined, address.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const plain = createServer();
    const refused = once(plain, 'error');
    plain.listen(address.port, '127.0.0.1');
    expect((await refused)[0]).toMatchObject({ code: 'EADDRINUSE' });

    const first = createServer().listen(0, '127.0.0.1');
    await once(first, 'listening');
    const { port } = first.address() as { port: number };
    await expect(open(undefined, port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    first.close();
  });

  it('takes nobody more once it is closed, which resolves when those that are there have gone', async () => {
    const listener = await open();
    const client = connect(listener.address.port, '127.0.0.1').on('error', () => undefined);
    await expect.poll(() => sockets.size).toBe(1);
    let closed = false;
    const closing = listener.close().then(() => (closed = true));
    const late = connect(listener.address.port, '127.0.0.1');
    expect((await once(late, 'error').catch((error: unknown) => [error]))[0]).toMatchObject({ code: 'ECONNREFUSED' });
    expect(closed).toBe(false);
    client.destroy();
    await closing;
  });
});
