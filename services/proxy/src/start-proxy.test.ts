import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { caPin } from '@postern/pki';
import { createLogger } from '@postern/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProxyConfig } from '#config.ts';
import { type RunningProxy, startProxy } from '#index.ts';
import { capturedHello } from '#testing/captured-hello.ts';
import { LogSink } from '#testing/log-sink.ts';
import { listen } from '#testing/test-auth.ts';
import { dial, TestCluster } from '#testing/test-cluster.ts';

let cluster: TestCluster;
let dataDir: string;
const running: RunningProxy[] = [];
beforeEach(async () => {
  cluster = await TestCluster.start();
  dataDir = mkdtempSync(join(tmpdir(), 'postern-start-'));
});
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.stop();
  await cluster.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

async function start(options: Partial<ProxyConfig> = {}): Promise<RunningProxy> {
  const proxy = await startProxy({
    config: {
      listen: { host: '127.0.0.1', port: 0 },
      dataDir,
      httpsKeypairs: [],
      authAddress: cluster.authAddress,
      join: { token: cluster.joinToken, hostCaPems: [cluster.hostCaPem] },
      nodeName: 'proxy-host',
      limits: { drainMs: 200 },
      ...options,
    },
    logger: createLogger({ service: 'proxy', level: 'info', format: 'json', destination: new LogSink(cluster.logs) }),
  });
  running.push(proxy);
  return proxy;
}

describe('starting a proxy', () => {
  it('joins with a token, serves what auth lists, and after a restart is the same proxy without one', async () => {
    const first = await start();
    await expect.poll(() => first.ready()).toEqual({ ok: true });
    expect(statSync(join(dataDir, 'proc', 'proxy.json')).mode & 0o777).toBe(0o600);
    const { agentId } = await cluster.agent([`127.0.0.1:${first.address.port}`], {
      onConnection: (stream) => void stream.on('error', () => undefined).end('an agent'),
    });
    cluster.serve('example', agentId);
    await expect
      .poll(
        async () => {
          const wire = dial(first);
          const answer = once(wire, 'data').then(([bytes]) => String(bytes));
          wire.write(await capturedHello({ servername: `${cluster.ticket('example')}.session.postern.internal` }));
          return Promise.race([answer, once(wire, 'close').then(() => '')]).finally(() => wire.destroy());
        },
        { timeout: 8_000 },
      )
      .toBe('an agent');
    await first.stop();
    const second = await start({ join: { token: '', hostCaPems: [cluster.hostCaPem] } });
    expect(second.proxyId).toBe(first.proxyId);
    expect(cluster.logs.join('')).not.toContain(cluster.joinToken);
  });

  it('does not start with a wrong token, a wrong pin or a port that is taken, and leaves nothing running', async () => {
    await expect(start({ join: { token: 'not-the-token', hostCaPems: [cluster.hostCaPem] } })).rejects.toMatchObject({ code: 'denied' });
    const stranger = await TestCluster.start();
    const pinned = { token: cluster.joinToken, caPins: [caPin(stranger.hostCaPem)] };
    await expect(start({ join: pinned })).rejects.toThrow();
    await stranger.stop();
    const blocker = createServer();
    const port = await listen(blocker);
    await expect(start({ listen: { host: '127.0.0.1', port } })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    blocker.close();
  });

  it('starts while auth is away with the identity of an earlier join, and says that it is not ready', async () => {
    await (await start()).stop();
    const authAddress = cluster.authAddress;
    await cluster.stopAuth();
    const proxy = await start({ authAddress });
    expect(await proxy.ready()).toMatchObject({ ok: false });
    await cluster.startAuth(Number(authAddress.split(':')[1]));
    await expect.poll(() => proxy.ready(), { timeout: 10_000 }).toEqual({ ok: true });
  });
});
