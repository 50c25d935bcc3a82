import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { listTables } from '@postern/test-harness/dial.ts';
import { loadOf } from '@postern/test-harness/process-load.ts';
import { type Daemon, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '#requests/company.ts';
import { Crowd } from './crowd.ts';

const cannot = lacking('openssl');
const MIB = 1024 * 1024;
const MOST_GROWN_MIB = 200;
/** Bytes may wait for a minute; that they wait is noticed a little later. */
const STALL_MS = 75_000;

describe.skipIf(cannot !== undefined || process.platform !== 'linux')('a reader that stands still', () => {
  const crowd = new Crowd();
  const { cluster } = crowd.stage;
  const sockets = new Set<Socket>();
  let aws: Server;
  let agent: Daemon;
  let alice: { readonly port: number; readonly daemon: Daemon };
  let bob: { readonly port: number; readonly daemon: Daemon };
  /** Whether the next answer of AWS is without end. */
  let isEndless = false;
  let sentBytes = 0;
  let endless: Socket | undefined;
  const pidOf = (daemon: Daemon) => daemon.child.pid ?? 0;
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => socket.destroy());
  };
  const holding = () =>
    Object.entries({ proxy: crowd.proxyPid, agent: pidOf(agent), alice: pidOf(alice.daemon) }).map(
      ([name, pid]) => [name, loadOf(pid).rssMiB] as const,
    );

  beforeAll(async () => {
    aws = createServer((socket) => {
      keep(socket).on('data', (bytes: Buffer) => {
        if (!bytes.toString('latin1').includes('\r\n\r\n')) return;
        const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n';
        if (!isEndless) return void socket.write(`${head}Content-Length: 2\r\n\r\n{}`);
        endless = socket;
        socket.write(`${head}Content-Length: ${1024 * MIB}\r\n\r\n`);
        const chunk = Buffer.alloc(64 * 1024, ' ');
        const pump = () => {
          while (!socket.destroyed && sentBytes < 1024 * MIB) {
            sentBytes += chunk.length;
            if (!socket.write(chunk)) return void socket.once('drain', pump);
          }
        };
        pump();
      });
    });
    await new Promise<void>((resolve) => aws.listen(0, '127.0.0.1', resolve));
    agent = await crowd.open({ AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${(aws.address() as AddressInfo).port}` });
    await crowd.stage.user('bob', 'dynamo');
    alice = await cluster.openTunnel('alice');
    bob = await cluster.openTunnel('bob');
    await until('an answer', 15_000, async () => ((await list(bob.port)) === 200 ? true : undefined));
  });
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
  });
  afterAll(async () => {
    aws.close();
    await cluster.stop();
  });
  const list = async (port: number) => (await ask(port, { operation: 'ListTables', body: '{}' })).status;

  it('TN-06 a user who reads nothing of a gigabyte is waited for by AWS, costs nobody memory, and holds nobody up', async () => {
    expect(await list(alice.port)).toBe(200);
    const before = new Map(holding());
    isEndless = true;
    const slow = keep(connect(alice.port, '127.0.0.1')).pause();
    let isOver = false;
    slow.once('close', () => (isOver = true));
    slow.write(listTables(alice.port));
    await until('the answer to begin', 10_000, () => (sentBytes > 0 ? true : undefined));
    isEndless = false;
    for (let round = 0; round < 20; round += 1) {
      const startedMs = performance.now();
      expect(await list(bob.port)).toBe(200);
      expect(performance.now() - startedMs).toBeLessThan(2_000);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    for (const [name, rssMiB] of holding()) expect([name, rssMiB - (before.get(name) ?? 0) < MOST_GROWN_MIB]).toEqual([name, true]);
    expect(sentBytes).toBeLessThan(MOST_GROWN_MIB * MIB);
    expect(isOver).toBe(false);
    slow.destroy();
    await until('AWS to be let go', 10_000, () => (endless?.destroyed === true ? true : undefined));
    expect(await list(alice.port)).toBe(200);
  }, 120_000);

  it('TN-06 an agent that stands still under a thousand requests of a megabyte costs proxy and tsh no memory to speak of, and every request ends', async () => {
    const before = new Map(holding());
    process.kill(pidOf(agent), 'SIGSTOP');
    try {
      const body = Buffer.alloc(MIB, ' ');
      const head = listTables(alice.port).replace('Content-Length: 2\r\n\r\n{}', `Content-Length: ${body.length}\r\n\r\n`);
      let ended = 0;
      const requests = Array.from({ length: 1_000 }, () => {
        const socket = keep(connect(alice.port, '127.0.0.1'));
        socket.resume().once('close', () => (ended += 1));
        socket.write(head);
        socket.write(body);
        return socket;
      });
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      for (const [name, rssMiB] of holding()) expect([name, rssMiB - (before.get(name) ?? 0) < MOST_GROWN_MIB]).toEqual([name, true]);
      expect(await crowd.loginMs()).toBeLessThan(crowd.patienceMs);
      await until('every request to have ended', STALL_MS, () => (ended === requests.length ? true : undefined));
      for (const [name, rssMiB] of holding()) expect([name, rssMiB - (before.get(name) ?? 0) < MOST_GROWN_MIB]).toEqual([name, true]);
    } finally {
      process.kill(pidOf(agent), 'SIGCONT');
    }
    await until('a request to get through', 30_000, async () => ((await list(bob.port)) === 200 ? true : undefined));
  }, 120_000);
});
