import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Held } from '@postern/test-harness/dial.ts';
import { callFrames, openHttp2 } from '@postern/test-harness/http2-frames.ts';
import { until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { loadOf } from '@postern/test-harness/process-load.ts';
import { Crowd, TUNNEL } from '#crowds/crowd.ts';

const cannot = lacking('openssl');
const CARRY = '/postern.v1.ReverseTunnel/Carry';
const ATTACH = '/postern.v1.ReverseTunnel/Attach';
const CONNECTIONS_PER_AGENT = 4;

describe.skipIf(cannot !== undefined)('an agent that was taken over, at the door of the tunnels', () => {
  const crowd = new Crowd();
  let taken: Held & { readonly hostId: string };
  const connect = () => openHttp2({ port: crowd.port, serverName: TUNNEL, held: taken });

  beforeAll(async () => {
    await crowd.open();
    taken = await crowd.host('taken');
  });
  afterAll(() => crowd.stage.cluster.stop());

  it('TN-07 keeps four of a thousand connections, and an honest agent and a person get through beside it', async () => {
    const before = loadOf(crowd.proxyPid);
    const opening = Promise.allSettled(Array.from({ length: 1_000 }, () => connect()));
    expect(await crowd.loginMs()).toBeLessThan(crowd.patienceMs);
    const sockets = (await opening).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    await until('all but four to be closed', 20_000, () =>
      sockets.filter(({ destroyed }) => !destroyed).length === CONNECTIONS_PER_AGENT ? true : undefined,
    );
    await crowd.stage.attached(crowd.stage.agent('honest'));
    expect(loadOf(crowd.proxyPid).descriptors).toBeLessThan(before.descriptors + 40);
    for (const socket of sockets) socket.destroy();
  });

  it('TN-07 is cut when it opens a hundred thousand streams, and the proxy does not grow by them', async () => {
    const before = loadOf(crowd.proxyPid).rssMiB;
    const socket = await until('a connection', 10_000, () => connect().catch(() => undefined));
    for (let i = 0; i < 100_000 && !socket.destroyed; i += 1_000) {
      const frames = Array.from({ length: 1_000 }, (_, j) => callFrames(1 + 2 * (i + j), i + j === 0 ? ATTACH : CARRY));
      if (!socket.write(Buffer.concat(frames))) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
    }
    await until('it to be closed', 10_000, () => (socket.destroyed ? true : undefined));
    expect(await crowd.loginMs()).toBeLessThan(crowd.patienceMs);
    expect(loadOf(crowd.proxyPid).rssMiB - before).toBeLessThan(100);
  });

  it('TN-07 is cut when its metadata are ten megabytes', async () => {
    const before = loadOf(crowd.proxyPid).rssMiB;
    const socket = await until('a connection', 10_000, () => connect().catch(() => undefined));
    socket.write(callFrames(1, ATTACH, { 'x-long': Buffer.alloc(10 * 1024 * 1024, 'a') }));
    await until('it to be closed', 10_000, () => (socket.destroyed ? true : undefined));
    expect(loadOf(crowd.proxyPid).rssMiB - before).toBeLessThan(50);
    expect(await crowd.loginMs()).toBeLessThan(crowd.patienceMs);
  });

  it('TN-09 is out five seconds after it was locked, and stays out', async () => {
    const socket = await until('a connection', 10_000, () => connect().catch(() => undefined));
    await crowd.stage.cluster.admin(`tctl lock --server-id=${taken.hostId}`);
    const lockedMs = performance.now();
    await until('it to be closed', 10_000, () => (socket.destroyed ? true : undefined));
    expect(performance.now() - lockedMs).toBeLessThan(5_000);
    const again = await connect();
    await until('it to be refused', 5_000, () => (again.destroyed ? true : undefined));
  });
});

function once(socket: { once(event: string, listener: () => void): unknown }, event: string): Promise<void> {
  return new Promise((resolve) => socket.once(event, resolve));
}
